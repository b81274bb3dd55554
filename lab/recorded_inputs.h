// Class `real`: inputs that a trained model met. The model is golden/models/scout-bytes, run by the
// lab itself on the text beside it, once in a process for each recipe and only where a case asks.
//
// OpSpec::recorded says what an argument is:
//
//   layer.02/attention/q           a path of reference/model/activation_paths.h: the rows of the
//                                  last tokens; where its first letter is S, of the first ones
//   ids, positions                 of the last tokens
//   frequencies                    of the rotary table
//   weights/embedding, weights/final_norm, weights/lm_head
//   weights/layer.02/q             a weight of a layer: attention_norm, q, k, v, o,
//                                  feed_forward_norm, router, gate, up, down (of the shared expert)
//   weights/layer.02/experts/gate  of all routed experts, output-major: gate, up, down
//   sorted/layer.02/feed_forward/X rows of the last tokens as op dispatch sorts them: an activation
//                                  with one row for each choice, or `row_token`, or `offsets`
//
// Seed s takes the tokens (s - 1) T before the last ones. Of an argument with rows of S that the op
// also writes, the rows from attribute `first` on are zero: nothing is there yet.
#pragma once

#include "lab/spec.h"

namespace touchstone::lab {

// Fills an argument that OpSpec::recorded names. Throws UsageError where the case's sizes are not
// those of the model.
void FillRecorded(const Case& c, const Argument& argument, Tensor* out);

}  // namespace touchstone::lab
