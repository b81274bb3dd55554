// The report of `agree`, on the terminal and as JSON.
//
// JSON, one object:
//   file, made_by, model, recipe       texts
//   verdict                            "WITHIN BOUND" or "FAILED"
//   compared                           segments of which something was said
//   runs                               one object a run of the recording:
//     name, verdict, roundings         what it agrees under, or comes nearest to: "contract" (the
//                                      hull) or a profile's name
//     tried                            names of the roundings that were tried, in order
//     causes                           named faults under which what failed agrees
//     segments                         one object a recorded tensor:
//       path, dataset, ops, starts     ops: the ops from the recorded tensors `starts` to it
//       compared, outside, undecidable, decided      elements
//       ratio                          largest; above 1 is outside; null: infinite
//       smallest_rejected              relative error of one element that would be outside; null:
//                                      none would
//       ties                           tokens at equal largest logits, where any index is right
//       first                          of what is outside: at, got, wanted
//     copies                           dataset, path, elements, outside
//     choices                          looked_at, and `others` that real arithmetic would make:
//                                      sequence, layer, token, recorded, real, margin, bound,
//                                      disagrees
//     logits                           of the whole run against real arithmetic: `recorded` and
//                                      `ours`, each largest, root_mean_square, largest_logit,
//                                      tokens, same_top
//     end_result                       where no segment reaches the logits: `cause` (null: none),
//                                      `right` and `under`, distances by fault; `yardstick`, that
//                                      of right logits; `far_from_all`: wrong, whatever the cause
//     not_run                          dataset, reason
//   not_run                            datasets that are no tensor of the text model
//   surplus                            datasets of tensors that this model does not have: FAILED
#pragma once

#include <string>

#include "lab/agree/agreement.h"

namespace touchstone::lab {

std::string AgreementText(const AgreementReport& report);
std::string AgreementJson(const AgreementReport& report, const std::string& model);

}  // namespace touchstone::lab
