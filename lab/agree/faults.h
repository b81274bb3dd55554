// Wrong models that real implementations of Llama 4 have been: each one differs from the right one
// in one point. A recording that disagrees is tried under each of them, and where one makes it
// agree, its sentence is printed as the likely cause; a right recording judged against each of them
// must become a disagreement, which is how `agree` is itself tested.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reference/exact/enclosure.h"
#include "reference/model/text_config.h"

namespace touchstone::lab {

enum class Fault {
  kNone,
  // what enters
  kEmbeddingScaled,
  kImageRowsReversed,
  kImageRowsLeftOut,
  kImageRowsDoubled,
  // norms
  kNormsSwapped,
  kNormWeightPlusOne,
  kNormEpsilon,
  kNormWithoutEpsilon,
  kNormOverOneLess,
  // rotation
  kRopeHalfSplit,
  kRopeOtherDirection,
  kRopeWithoutScaling,
  kRopeHardSwitch,
  kRopePositionsFromOne,
  kDecodePositionsOffByOne,
  kRopeOnEveryLayer,
  // norm of q and k
  kQkNormMissing,
  kQkNormOverAllHeads,
  kQkNormBeforeRope,
  kQkNormEpsilon,
  kQkNormIsL2,
  // temperature
  kTemperatureOff,
  kTemperatureOnRopeLayers,
  kTemperaturePositionFromZero,
  kTemperatureNoFloor,
  kTemperatureLog10,
  kTemperatureSlightlyOff,
  kTemperatureInBf16,
  // who sees whom
  kChunkIgnored,
  kChunkIgnoredInDecode,
  kChunkOnNopeLayers,
  kChunkEdgeOffByOne,
  kSlidingWindow,
  kNoCausalityInChunk,
  kDoesNotSeeItself,
  // attention
  kHeadsModuloGroups,
  kScaleOneOverD,
  kScaleInBf16,
  // residual
  kAttentionNotAdded,
  kResidualFromNorm,
  // feed-forward
  kGateAndUpSwapped,
  kGateAndUpWeightsSwapped,
  kGateAndUpInterleaved,
  kGelu,
  // router and experts
  kRouterSoftmax,
  kSoftmaxOfChosen,
  kScoresNormalised,
  kScoresOfAllExperts,
  kSecondBestExpert,
  kNeighboursWeights,
  kScoreOnOutput,
  kScoreLeftOut,
  kSharedGetsScore,
  kSharedLeftOut,
};

struct FaultRow {
  Fault fault;
  std::string name;      // "rope: half-split pairs"
  std::string sentence;  // what the wrong model does
};

// All but kNone, in the order of a forward pass.
const std::vector<FaultRow>& AllFaults();
const FaultRow& RowOf(Fault fault);

// The configuration of the wrong model, where the fault is one of configuration.
TextConfig WithFault(TextConfig config, Fault fault);

// Whether the fault can be seen in a model at all: not in one without the part that it is in.
bool Concerns(Fault fault, const TextConfig& config);

// The keys that the query at `position` sees, [first, end), of S.
struct VisibleKeys {
  int64_t first, end;
};
VisibleKeys KeysSeen(Fault fault, int64_t position, int64_t chunk, int64_t S, int64_t prefill);
// Whether that differs from what op attention does by itself.
bool ChangesVisibility(Fault fault);

// The wrong factor of the temperature, where the fault is in it.
std::optional<double> FaultyTemperature(Fault fault, int64_t position, const TextConfig& config);

// GELU(gate) * up, exact form.
exact::Enclosure GeluTimes(const exact::Enclosure& gate, const exact::Enclosure& up);

}  // namespace touchstone::lab
