// RoPE frequencies: how fast each pair of a head turns, plain or with Llama 3's scaling, whose
// smooth band lies between two wavelengths.
//
//   theta, scaling  f32  the configuration's decimals, each rounded once (N12)
//   f       (J)     f32  out, in radians a position; J = D / 2 pairs, pair j is (2j, 2j + 1)
//
//   e = RN32(2j / D)   t = RN32(theta^e)   f = RN32(1 / t)          correctly rounded power
//   scaled, every step rounded to binary32:
//     lambda = RN32(2 pi) / f                                       the wavelength, in positions
//     lambda > original / low              f = f / factor
//     else lambda >= original / high       s = (original / lambda - low) / (high - low)
//                                          f = ((1 - s) * f) / factor + s * f
//     else                                 f stays
//   where RN32(high - low) = 0 there is no band: the middle case keeps f.
//
// The result is f32 in every recipe. D is even and positive, 1 < theta <= 2^40; scaled: factor,
// low, high and original are positive; anything else is a contract violation.
// Scout as corrected: theta 500000, factor 16, low 1, high 1, original 8192 (a hard switch). Scout
// as first published: factor 8, high 4 (six pairs in the band). Maverick: plain.
// Checked against: transformers 5.23.0, modeling_rope_utils.py, _compute_llama3_parameters;
// llama-models 0.3.0, models/llama4/model.py, apply_scaling.
#pragma once

#include "reference/formats/view.h"

namespace touchstone {

struct RopeScaling {
  bool llama3 = false;  // false: plain frequencies, the rest is not read
  float factor = 1.0f;
  float low = 1.0f;          // low_freq_factor
  float high = 1.0f;         // high_freq_factor
  float original = 8192.0f;  // original_max_position_embeddings
};

void RopeFrequencies(float theta, const RopeScaling& scaling, View<float, 'J'> f);

}  // namespace touchstone
