// Where each wrong model must be noticed first: the last parts of the paths that its first wrong
// tensor may have, the one of a recording of everything first.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "lab/agree/agreement.h"

namespace touchstone::lab {

struct Noticed {
  Fault fault;
  std::vector<std::string> at;
  bool in_bf16 = true;  // false: less than bf16 shows in most models
};

inline const std::vector<Noticed>& WhereNoticed() {
  static const std::vector<Noticed> kAll = {
      {Fault::kEmbeddingScaled, {"embedding"}},
      {Fault::kImageRowsReversed, {"/attention_norm"}},
      {Fault::kImageRowsLeftOut, {"/attention_norm"}},
      {Fault::kImageRowsDoubled, {"/attention_norm", "/feed_forward_norm"}},
      {Fault::kNormsSwapped, {"/attention_norm"}},
      {Fault::kNormWeightPlusOne, {"/attention_norm"}},
      {Fault::kNormEpsilon, {"/attention_norm", "feed_forward_norm"}},
      {Fault::kNormWithoutEpsilon, {"/attention_norm", "feed_forward_norm"}},
      {Fault::kNormOverOneLess, {"/attention_norm"}},
      {Fault::kRopeHalfSplit, {"_rope"}},
      {Fault::kRopeOtherDirection, {"_rope"}},
      {Fault::kRopeWithoutScaling, {"rope_table", "_rope"}},
      {Fault::kRopeHardSwitch, {"rope_table", "_rope"}},
      {Fault::kRopePositionsFromOne, {"rope_table", "_rope"}},
      {Fault::kDecodePositionsOffByOne, {"rope_table", "_rope"}},
      {Fault::kRopeOnEveryLayer, {"/heads", "/q_temperature", "_norm", "_rope"}},
      {Fault::kQkNormMissing, {"/q_norm", "/k_norm", "/heads"}},
      {Fault::kQkNormOverAllHeads, {"/q_norm", "/k_norm", "/heads"}},
      {Fault::kQkNormBeforeRope, {"_rope"}},
      {Fault::kQkNormEpsilon, {"/q_norm", "/k_norm", "/heads"}},
      {Fault::kQkNormIsL2, {"/q_norm", "/k_norm", "/heads"}},
      {Fault::kTemperatureOff, {"/q_temperature", "/heads"}},
      {Fault::kTemperatureOnRopeLayers, {"/heads"}},
      {Fault::kTemperaturePositionFromZero, {"/q_temperature", "/heads"}},
      {Fault::kTemperatureNoFloor, {"/q_temperature", "/heads"}},
      {Fault::kTemperatureLog10, {"/q_temperature", "/heads"}},
      {Fault::kTemperatureSlightlyOff, {"/q_temperature", "/heads"}, false},
      {Fault::kTemperatureInBf16, {"/q_temperature", "/heads"}, false},
      {Fault::kChunkIgnored, {"/heads"}},
      {Fault::kChunkIgnoredInDecode, {"/heads"}},
      {Fault::kChunkOnNopeLayers, {"/heads"}},
      {Fault::kChunkEdgeOffByOne, {"/heads"}},
      {Fault::kSlidingWindow, {"/heads"}},
      {Fault::kNoCausalityInChunk, {"/heads"}},
      {Fault::kDoesNotSeeItself, {"/heads"}},
      {Fault::kHeadsModuloGroups, {"/heads"}},
      {Fault::kScaleOneOverD, {"/heads"}},
      {Fault::kScaleInBf16, {"/heads"}, false},
      {Fault::kAttentionNotAdded, {"attention_residual", "feed_forward_norm"}},
      {Fault::kResidualFromNorm, {"attention_residual", "feed_forward_norm"}},
      {Fault::kGateAndUpSwapped, {"activation", "feed_forward/output", "routed"}},
      {Fault::kGateAndUpWeightsSwapped, {"gate", "up", "feed_forward/output", "routed"}},
      {Fault::kGateAndUpInterleaved, {"expert_gate", "routed"}},
      {Fault::kGelu, {"activation", "feed_forward/output", "routed"}},
      {Fault::kRouterSoftmax, {"/scores"}},
      {Fault::kSoftmaxOfChosen, {"/scores"}},
      {Fault::kScoresNormalised, {"/scores"}},
      {Fault::kScoresOfAllExperts, {"/scores"}},
      {Fault::kSecondBestExpert, {"/chosen"}},
      {Fault::kNeighboursWeights, {"expert_gate", "routed"}},
      {Fault::kScoreOnOutput, {"expert_input", "routed"}},
      {Fault::kScoreLeftOut, {"expert_input", "routed"}},
      {Fault::kSharedGetsScore, {"shared_gate", "shared"}},
      {Fault::kSharedLeftOut, {"feed_forward/output"}}};
  return kAll;
}

// The first tensor, in forward order, that disagrees; "" where none does.
inline std::string FirstFailure(const AgreementReport& report) {
  for (const RunReport& run : report.runs) {
    for (const SegmentResult& segment : run.segments) {
      if (segment.comparison.outside > 0) return segment.path;
    }
  }
  return "";
}

inline bool IsAt(const std::string& path, const std::vector<std::string>& places) {
  return std::any_of(places.begin(), places.end(),
                     [&path](const std::string& end) { return path.ends_with(end); });
}

}  // namespace touchstone::lab
