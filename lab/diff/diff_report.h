// What `touchstone diff` says of two recordings: on the terminal, as JSON, and as a page.
#pragma once

#include <string>
#include <vector>

#include "lab/diff/trace_diff.h"

namespace touchstone::lab {

std::string DiffText(const TraceDiff& diff);

// One object: format (1, the version of this layout); contract; identical; elements, the number
// compared.
//   a, b           file, made_by, run, prefill (or null), recipe, contract (null where the file is
//                  no trace), only_here, other_runs, unknown: lists of names
//   lengths        tokens of each sequence
//   incomparable   path, found
//   first          null, or path, op, at, a, b, zero_sign, equal_before
//   tensors        in forward order: path, dtype_a, dtype_b, elements, differ, zero_signs, tokens,
//                  largest_absolute, largest_relative (null where infinite), where
//   experts        choices, changed, listed: layer, b, t, from, to, margin_a, margin_b (or null)
//   argmax         tokens, changed, listed: b, t, from, to, margin_a, margin_b (null: infinite)
std::string DiffJson(const TraceDiff& diff);

// A page that needs nothing else: no script, no other file.
std::string DiffHtml(const TraceDiff& diff);

// The stream of hidden states and its ends, of those that were compared: embedding, the layers'
// outputs, final norm, logits.
std::vector<TensorDistance> StreamOf(const TraceDiff& diff);

// Paths of layers as one: "layer.*/attention_residual (48)".
std::vector<std::string> Collapsed(const std::vector<std::string>& paths);

// Sentences that text and page share.
std::string SayFirst(const Divergence& first);
std::string SayChange(const ExpertChange& change);
std::string SayChange(const ArgmaxChange& change);
std::string SaySide(const DiffSide& side);
std::string SayCompared(const TraceDiff& diff);

// Everything that was recorded and not compared, a line each.
std::vector<std::string> SayLeftOut(const TraceDiff& diff);

}  // namespace touchstone::lab
