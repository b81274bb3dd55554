#include "lab/agree/roundings.h"

namespace touchstone::lab {

using exact::Place;
using exact::RoundingPlace;

LayerRoundings Roundings::Of(bool heated, Dtype recipe) const {
  if (profile_) {
    return {profile_->Places(heated), Place::kOn, profile_->FastExponential(heated),
            profile_->AttentionStorage(recipe, heated)};
  }
  LayerRoundings hull;
  hull.places = exact::OutsideProfile{}.Places(heated);
  for (auto& [where, place] : hull.places) {
    if (place == Place::kOn) place = Place::kHull;
  }
  hull.attention_storage = recipe;
  return hull;
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
