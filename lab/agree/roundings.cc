#include "lab/agree/roundings.h"

namespace touchstone::lab {

using exact::Place;
using exact::RoundingPlace;

LayerRoundings Roundings::Of(bool heated, Dtype recipe) const {
  if (profile_) {
    LayerRoundings certain;
    certain.places = profile_->Places(heated);
    for (const RoundingPlace where : left_out_) certain.places[where] = Place::kOff;
    certain.between = Place::kOn;
    certain.left_out = left_out_;
    certain.fast_exponential = profile_->FastExponential(heated);
    certain.attention_storage = profile_->AttentionStorage(recipe, heated);
    return certain;
  }
  LayerRoundings hull;
  hull.places = exact::OutsideProfile{}.Places(heated);
  for (auto& [where, place] : hull.places) {
    if (place == Place::kOn) place = Place::kHull;
  }
  hull.attention_storage = recipe;
  return hull;
}

Roundings Roundings::LeavingOut(RoundingPlace place) const {
  Roundings changed = *this;
  changed.left_out_.insert(place);
  return changed;
}

std::optional<RoundingPlace> PlaceOfPath(const std::string& path) {
  static const std::vector<std::pair<std::string, RoundingPlace>> kEnds = {
      {"_rope", RoundingPlace::kRopeOutput},
      {"/q_temperature", RoundingPlace::kQuery},
      {"/attention_residual", RoundingPlace::kResidual},
      {"gate", RoundingPlace::kGate},
      {"up", RoundingPlace::kUp},
      {"activation", RoundingPlace::kActivation},
      {"/expert_input", RoundingPlace::kExpertInput},
      {"/expert_down", RoundingPlace::kDown},
      {"/scores", RoundingPlace::kScore},
      {"/routed", RoundingPlace::kRouted},
      {"/shared", RoundingPlace::kShared},
      {"/heads", RoundingPlace::kAttention}};
  for (const auto& [end, place] : kEnds) {
    if (path.ends_with(end)) return place;
  }
  return std::nullopt;
}

std::vector<Roundings> RoundingsFor(Dtype recipe) {
  std::vector<Roundings> all = {Roundings()};
  if (recipe == Dtype::kF32) return all;
  for (const exact::OutsideProfile& profile : exact::OutsideProfiles()) {
    if (!profile.choices.empty()) all.emplace_back(profile);
  }
  return all;
}

}  // namespace touchstone::lab
