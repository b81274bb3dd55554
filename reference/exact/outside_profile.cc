// The choices of other implementations, and which of them makes which.
//
// Lines are those of transformers 5.23.0, src/transformers/models/llama4/, and of llama-models
// 0.3.0. Of torch, whose 2.15.0 on a processor made the recordings, files are below aten/src/ATen.
#include <algorithm>

#include "reference/exact/profile.h"

namespace touchstone::exact {
namespace {

constexpr char kTransformers[] = "transformers-eager";
constexpr char kMeta[] = "llama-models";
constexpr char kMetaRounded[] = "llama-models-round-q";

// llama-models leaves attention to torch, whose kernel for processors is one for both variants.
std::map<std::string, std::string> TorchMakes(const std::string& source) {
  const std::string made = "models/llama4/model.py:245, " + source;
  return {{kMeta, made}, {kMetaRounded, made}};
}

}  // namespace

const std::vector<OutsideChoiceRow>& OutsideChoices() {
  static const std::vector<OutsideChoiceRow> kRows = {
      {OutsideChoice::kScores,
       "scores",
       "q.k is rounded to bf16",
       {{kTransformers,
         "modeling_llama4.py:263, eager_attention_forward: matmul of bf16 tensors"}}},
      {OutsideChoice::kScaledScores,
       "scaled_scores",
       "q.k times 1/sqrt(D) is rounded to bf16",
       {{kTransformers,
         "modeling_llama4.py:263, eager_attention_forward: a bf16 tensor * scaling"}}},
      {OutsideChoice::kProbabilities,
       "probabilities",
       "softmax, with one maximum over all keys, is divided and rounded to bf16 before the sum "
       "over values",
       {{kTransformers,
         "modeling_llama4.py:267, eager_attention_forward: softmax of a bf16 tensor"}}},
      {OutsideChoice::kExponentials, "exponentials",
       "exp(s - m) is rounded to bf16 for the sum over values, and not for the sum that divides "
       "it; keys are taken in blocks of 512 positions with a running maximum",
       TorchMakes("native/cpu/FlashAttentionKernel.cpp, cpu_flash_attention: qk_reduced_data")},
      {OutsideChoice::kFastExponential, "fast_exponential",
       "exp(s - m) is within 1.0705e-4 + 2^-18 relative, and 0 below 2^-126",
       TorchMakes("native/cpu/FlashAttentionKernel.cpp, _exp_reduce_sum_fusion_kernel; "
                  "cpu/vec/vec512/vec512_float.h and vec256/vec256_float.h, fexp_u20")},
      {OutsideChoice::kPromotion,
       "promotion",
       "the product of query and temperature stays in f32, and so that layer's attention computes "
       "in f32; only its output is rounded to bf16",
       {{kMeta,
         "models/llama4/model.py:224-232: attn_scales is f32, so xq is, and the caches follow"}}},
  };
  return kRows;
}

std::map<RoundingPlace, Place> OutsideProfile::Places(bool heated) const {
  const bool promoted = heated && choices.contains(OutsideChoice::kPromotion);
  const auto chosen = [&](OutsideChoice choice) { return !promoted && choices.contains(choice); };
  std::map<RoundingPlace, Place> places;
  for (int i = 0; i < kRoundingPlaces; ++i) {
    const auto place = static_cast<RoundingPlace>(i);
    places[place] = OutsideContract(place) ? Place::kOff : Place::kOn;
  }
  if (promoted) places[RoundingPlace::kQuery] = Place::kOff;
  if (chosen(OutsideChoice::kScores)) places[RoundingPlace::kScores] = Place::kOn;
  if (chosen(OutsideChoice::kScaledScores)) places[RoundingPlace::kScaledScores] = Place::kOn;
  if (chosen(OutsideChoice::kProbabilities)) places[RoundingPlace::kProbabilities] = Place::kOn;
  if (chosen(OutsideChoice::kExponentials)) places[RoundingPlace::kExponentials] = Place::kOn;
  return places;
}

bool OutsideProfile::FastExponential(bool heated) const {
  return choices.contains(OutsideChoice::kFastExponential) &&
         !(heated && choices.contains(OutsideChoice::kPromotion));
}

Dtype OutsideProfile::AttentionStorage(Dtype recipe, bool heated) const {
  return heated && choices.contains(OutsideChoice::kPromotion) ? Dtype::kF32 : recipe;
}

Profile OutsideProfile::Applied(Profile kernel, bool heated) const {
  for (const auto& [place, taken] : Places(heated)) {
    if (OutsideContract(place) && taken == Place::kOn) kernel.added.insert(place);
    if (!OutsideContract(place) && taken == Place::kOff) kernel.left_out.insert(place);
  }
  kernel.fast_exponential = FastExponential(heated);
  return kernel;
}

OutsideProfile OutsideProfile::With(OutsideChoice choice) const {
  OutsideProfile changed = *this;
  changed.choices.insert(choice);
  return changed;
}

OutsideProfile OutsideProfile::Without(OutsideChoice choice) const {
  OutsideProfile changed = *this;
  changed.choices.erase(choice);
  return changed;
}

const std::vector<OutsideProfile>& OutsideProfiles() {
  static const std::vector<OutsideProfile> kProfiles = [] {
    std::vector<OutsideProfile> all = {
        {"contract", "the contract, in any order of sums"},
        {kTransformers, "Hugging Face transformers with attn_implementation=\"eager\""},
        {kMeta, "Meta's llama-models with torch on a processor"},
        {kMetaRounded, "the same, with the query rounded to bf16 before attention"}};
    for (OutsideProfile& profile : all) {
      for (const OutsideChoiceRow& row : OutsideChoices()) {
        if (row.sources.contains(profile.name)) profile.choices.insert(row.choice);
      }
    }
    return all;
  }();
  return kProfiles;
}

const OutsideProfile* FindOutsideProfile(const std::string& name) {
  const auto& all = OutsideProfiles();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&name](const OutsideProfile& p) { return p.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace touchstone::exact
