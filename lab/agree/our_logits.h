// Our own reference's logits for a recording's inputs.
#pragma once

#include "lab/agree/segment_judge.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone::lab {

// (T, V), f32. Where the ids hold image tokens, what enters layer 0 is the recorded stream.
Tensor OurLogits(const TextConfig& config, TextWeights* weights, RecordedSequence& recorded,
                 int64_t image_token);

}  // namespace touchstone::lab
