#include "lab/agree/faults.h"

#include <algorithm>
#include <cmath>

#include "reference/formats/require.h"

namespace touchstone::lab {

const std::vector<FaultRow>& AllFaults() {
  static const std::vector<FaultRow> kRows = {
      {Fault::kEmbeddingScaled, "embedding: scaled",
       "The embedding is multiplied by the square root of the width."},
      {Fault::kImageRowsReversed, "image rows: reversed",
       "The rows of image tokens are filled in the opposite order."},
      {Fault::kImageRowsLeftOut, "image rows: left out",
       "The rows of image tokens are those of the embedding."},
      {Fault::kImageRowsDoubled, "image rows: doubled",
       "The rows of image tokens are twice as large."},
      {Fault::kNormsSwapped, "norms: swapped",
       "The norm before attention has the weight of the norm before the feed-forward, and the "
       "other way round."},
      {Fault::kNormWeightPlusOne, "norms: weight plus one", "RMSNorm multiplies by 1 + weight."},
      {Fault::kNormEpsilon, "norms: epsilon 1e-6", "RMSNorm adds 1e-6 in place of rms_norm_eps."},
      {Fault::kNormWithoutEpsilon, "norms: no epsilon", "RMSNorm adds nothing to the mean."},
      {Fault::kNormOverOneLess, "norms: mean over C - 1",
       "RMSNorm divides the sum of squares by one less than the width."},
      {Fault::kRopeHalfSplit, "rope: half-split pairs",
       "RoPE rotates the pairs (j, j + D/2) in place of (2j, 2j + 1)."},
      {Fault::kRopeOtherDirection, "rope: other direction", "RoPE rotates by the negative angle."},
      {Fault::kRopeWithoutScaling, "rope: no frequency scaling",
       "The frequencies are not scaled for long contexts."},
      {Fault::kRopeHardSwitch, "rope: hard switch",
       "Frequencies in the smooth band of the scaling are switched, not interpolated."},
      {Fault::kRopePositionsFromOne, "rope: positions from one", "The first position is 1."},
      {Fault::kDecodePositionsOffByOne, "rope: decode positions off by one",
       "Tokens after the prefill have positions that are too large by one."},
      {Fault::kRopeOnEveryLayer, "rope: on every layer", "Layers without RoPE have it, too."},
      {Fault::kQkNormMissing, "qk norm: missing", "Queries and keys are not normalised."},
      {Fault::kQkNormOverAllHeads, "qk norm: over all heads",
       "All heads of a token are normalised together."},
      {Fault::kQkNormBeforeRope, "qk norm: before RoPE",
       "Queries and keys are normalised before the rotation."},
      {Fault::kQkNormEpsilon, "qk norm: epsilon 1e-6",
       "QK norm adds 1e-6 in place of rms_norm_eps."},
      {Fault::kQkNormIsL2, "qk norm: sum in place of mean",
       "Queries and keys are divided by their length, not by their root mean square."},
      {Fault::kTemperatureOff, "temperature: off", "Queries are not multiplied by a temperature."},
      {Fault::kTemperatureOnRopeLayers, "temperature: on RoPE layers too",
       "Queries of layers with RoPE are multiplied by the temperature, too."},
      {Fault::kTemperaturePositionFromZero, "temperature: position + 1 forgotten",
       "The temperature counts positions from 0."},
      {Fault::kTemperatureNoFloor, "temperature: no floor",
       "The temperature grows with every position, not in steps."},
      {Fault::kTemperatureLog10, "temperature: log10", "The temperature's logarithm is decimal."},
      {Fault::kTemperatureSlightlyOff, "temperature: off by 0.1 %",
       "The temperature's scale is larger by a thousandth."},
      {Fault::kTemperatureInBf16, "temperature: factor in bf16",
       "The temperature itself is rounded to bf16."},
      {Fault::kChunkIgnored, "mask: chunk ignored", "Chunked layers see all tokens before theirs."},
      {Fault::kChunkIgnoredInDecode, "mask: chunk ignored at decode",
       "Tokens after the prefill see the whole cache; the prefill's see their own chunk."},
      {Fault::kChunkOnNopeLayers, "mask: chunk on NoPE layers",
       "Layers without RoPE are chunked, too."},
      {Fault::kChunkEdgeOffByOne, "mask: chunk edge off by one",
       "Chunks begin one position too early."},
      {Fault::kSlidingWindow, "mask: sliding window",
       "A token sees as many tokens before its own as a chunk is long."},
      {Fault::kNoCausalityInChunk, "mask: no causality in the chunk",
       "A token sees the later tokens of its chunk."},
      {Fault::kDoesNotSeeItself, "mask: does not see itself",
       "A token sees those before it, but not its own."},
      {Fault::kHeadsModuloGroups, "attention: heads h % G",
       "Query head h reads key/value head h % G in place of h / (H / G)."},
      {Fault::kScaleOneOverD, "attention: scale 1 / D",
       "Scores are multiplied by 1 / D in place of 1 / sqrt(D)."},
      {Fault::kScaleInBf16, "attention: scale in bf16", "1 / sqrt(D) is rounded to bf16."},
      {Fault::kAttentionNotAdded, "residual: attention not added",
       "The output of attention does not join the stream."},
      {Fault::kResidualFromNorm, "residual: from the norm",
       "The output of attention is added to the normalised stream."},
      {Fault::kGateAndUpSwapped, "swiglu: gate and up swapped", "SiLU is applied to up."},
      {Fault::kGateAndUpWeightsSwapped, "swiglu: weights of gate and up swapped",
       "Gate is computed with the weights of up, and the other way round."},
      {Fault::kGateAndUpInterleaved, "experts: gate and up interleaved",
       "The columns of gate | up are read alternately."},
      {Fault::kGelu, "swiglu: GELU", "The gate goes through GELU in place of SiLU."},
      {Fault::kRouterSoftmax, "router: softmax", "Scores are the softmax of all logits."},
      {Fault::kSoftmaxOfChosen, "router: softmax of the chosen",
       "Scores are the softmax of the chosen logits."},
      {Fault::kScoresNormalised, "router: scores normalised",
       "The scores of a token are divided by their sum."},
      {Fault::kScoresOfAllExperts, "router: scores of all experts",
       "Experts that were not chosen have a score, too."},
      {Fault::kSecondBestExpert, "router: second best",
       "The best expert is passed over, and the next ones are taken."},
      {Fault::kNeighboursWeights, "experts: the neighbour's weights",
       "An expert computes with the weights of the one before it."},
      {Fault::kScoreOnOutput, "experts: score on the output",
       "The score multiplies an expert's output, not its input."},
      {Fault::kScoreLeftOut, "experts: score left out", "An expert's input is not scaled."},
      {Fault::kSharedGetsScore, "shared expert: gets x * score",
       "The shared expert is given the routed expert's input."},
      {Fault::kSharedLeftOut, "shared expert: left out",
       "The shared expert's output is not added."},
  };
  return kRows;
}

const FaultRow& RowOf(Fault fault) {
  const auto& rows = AllFaults();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [fault](const FaultRow& r) { return r.fault == fault; });
  TOUCHSTONE_REQUIRE(row != rows.end());
  return *row;
}

TextConfig WithFault(TextConfig config, Fault fault) {
  switch (fault) {
    case Fault::kNormEpsilon:
      config.rms_norm_eps = 1e-6;
      break;
    case Fault::kNormWithoutEpsilon:
      config.rms_norm_eps = 0.0;
      break;
    case Fault::kRopeWithoutScaling:
      config.rope.llama3 = false;
      break;
    case Fault::kRopeHardSwitch:  // at the band's long end
      config.rope.high = config.rope.low;
      break;
    case Fault::kTemperatureOff:
      config.attn_temperature_tuning = false;
      break;
    case Fault::kChunkIgnored:
      for (TextLayer& layer : config.layers) layer.is_chunked = false;
      break;
    case Fault::kChunkOnNopeLayers:
      for (TextLayer& layer : config.layers) layer.is_chunked = true;
      break;
    case Fault::kRopeOnEveryLayer:
      for (TextLayer& layer : config.layers) layer.has_rope = true;
      break;
    default:
      break;
  }
  return config;
}

bool ChangesVisibility(Fault fault) {
  switch (fault) {
    case Fault::kChunkIgnoredInDecode:
    case Fault::kChunkEdgeOffByOne:
    case Fault::kSlidingWindow:
    case Fault::kNoCausalityInChunk:
    case Fault::kDoesNotSeeItself:
      return true;
    default:
      return false;
  }
}

VisibleKeys KeysSeen(Fault fault, int64_t position, int64_t chunk, int64_t S, int64_t prefill) {
  const int64_t first = chunk > 0 ? position / chunk * chunk : 0;
  switch (fault) {
    case Fault::kChunkIgnoredInDecode:
      return {prefill >= 0 && position >= prefill ? 0 : first, position + 1};
    case Fault::kChunkEdgeOffByOne:
      return {chunk > 0 ? std::max<int64_t>((position + 1) / chunk * chunk - 1, 0) : 0,
              position + 1};
    case Fault::kSlidingWindow:
      return {chunk > 0 ? std::max<int64_t>(position + 1 - chunk, 0) : 0, position + 1};
    case Fault::kNoCausalityInChunk:
      return {first, chunk > 0 ? std::min(first + chunk, S) : S};
    case Fault::kDoesNotSeeItself:  // but for the first of its chunk, which has nothing else
      return {first, std::max(position, first + 1)};
    default:
      return {first, position + 1};
  }
}

std::optional<double> FaultyTemperature(Fault fault, int64_t position, const TextConfig& config) {
  const double floor_scale = static_cast<double>(static_cast<float>(config.floor_scale));
  const double scale = static_cast<double>(static_cast<float>(config.attn_scale));
  const double reached = static_cast<double>(position + 1) / floor_scale;
  const double steps = std::floor(reached);
  switch (fault) {
    case Fault::kTemperaturePositionFromZero:
      return std::log1p(std::floor(static_cast<double>(position) / floor_scale)) * scale + 1.0;
    case Fault::kTemperatureNoFloor:
      return std::log1p(reached) * scale + 1.0;
    case Fault::kTemperatureLog10:
      return std::log10(1.0 + steps) * scale + 1.0;
    case Fault::kTemperatureSlightlyOff:
      return std::log1p(steps) * scale * 1.001 + 1.0;
    case Fault::kTemperatureInBf16:
      return exact::RoundReal(std::log1p(steps) * scale + 1.0, Dtype::kBf16);
    default:
      return std::nullopt;
  }
}

exact::Enclosure GeluTimes(const exact::Enclosure& gate, const exact::Enclosure& up) {
  const auto gelu = [](double x) { return 0.5 * x * (1.0 + std::erf(x * std::sqrt(0.5))); };
  exact::Enclosure y = gate;
  // |gelu'| < 1.13: the gate's width, and 2^-20 for the function.
  const exact::Matrix width = 1.13 * (gate.upper - gate.lower);
  y.value = gate.value.unaryExpr(gelu);
  y.lower = y.value - width - 0x1p-20 * gate.value.abs();
  y.upper = y.value + width + 0x1p-20 * gate.value.abs();
  return exact::Multiply(y, up);
}

bool Concerns(Fault fault, const TextConfig& config) {
  bool rope = false, nope = false, chunked = false, moe = false;
  for (const TextLayer& layer : config.layers) {
    (layer.has_rope ? rope : nope) = true;
    chunked |= layer.is_chunked;
    moe |= layer.is_moe;
  }
  chunked &= config.attention_chunk_size > 0;
  const bool heated = nope && config.attn_temperature_tuning;
  switch (fault) {
    case Fault::kRopeHalfSplit:
    case Fault::kRopeOtherDirection:
    case Fault::kRopePositionsFromOne:
    case Fault::kDecodePositionsOffByOne:
      return rope;
    case Fault::kRopeWithoutScaling:
      return rope && config.rope.llama3;
    case Fault::kRopeHardSwitch:
      return rope && config.rope.llama3 && config.rope.high != config.rope.low;
    case Fault::kRopeOnEveryLayer:
      return nope;
    case Fault::kQkNormMissing:
    case Fault::kQkNormOverAllHeads:
    case Fault::kQkNormBeforeRope:
    case Fault::kQkNormEpsilon:
    case Fault::kQkNormIsL2:
      return rope && config.use_qk_norm;
    case Fault::kTemperatureOff:
    case Fault::kTemperaturePositionFromZero:
    case Fault::kTemperatureNoFloor:
    case Fault::kTemperatureLog10:
    case Fault::kTemperatureSlightlyOff:
    case Fault::kTemperatureInBf16:
      return heated;
    case Fault::kTemperatureOnRopeLayers:
      return rope && config.attn_temperature_tuning;
    case Fault::kChunkIgnored:
    case Fault::kChunkIgnoredInDecode:
    case Fault::kChunkEdgeOffByOne:
    case Fault::kSlidingWindow:
      return chunked;
    case Fault::kChunkOnNopeLayers:
      return nope && config.attention_chunk_size > 0;
    case Fault::kHeadsModuloGroups:
      return config.kv_heads > 1 && config.kv_heads < config.heads;
    case Fault::kScaleInBf16: {
      const double scale = 1.0 / std::sqrt(static_cast<double>(config.head_width));
      return exact::RoundReal(scale, Dtype::kBf16) != exact::RoundReal(scale, Dtype::kF32);
    }
    case Fault::kGateAndUpInterleaved:
    case Fault::kRouterSoftmax:
    case Fault::kSoftmaxOfChosen:
    case Fault::kScoresNormalised:
    case Fault::kScoresOfAllExperts:
    case Fault::kNeighboursWeights:
    case Fault::kScoreOnOutput:
    case Fault::kScoreLeftOut:
    case Fault::kSharedGetsScore:
    case Fault::kSharedLeftOut:
      return moe;
    case Fault::kSecondBestExpert:
      return moe && config.experts > config.experts_a_token;
    default:
      return true;
  }
}

}  // namespace touchstone::lab
