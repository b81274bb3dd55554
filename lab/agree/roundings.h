// Where a recording's implementation is supposed to round, beside the outputs that it recorded.
//
// Under the contract every place may have been left out: what is accepted is the hull of both. An
// implementation whose values leave that hull rounds where the contract has no place; its profile
// (reference/exact/profile.h) says where, and then every place is certain.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reference/exact/profile.h"
#include "reference/exact/second_reference.h"

namespace touchstone::lab {

// How a layer's ops round. `heated`: a layer whose query is multiplied by a temperature.
struct LayerRoundings {
  std::map<exact::RoundingPlace, exact::Place> places;  // inside ops
  exact::Place between = exact::Place::kHull;           // a tensor that was not recorded...
  std::set<exact::RoundingPlace> left_out;              // ... unless it is one of these
  bool fast_exponential = false;
  Dtype attention_storage = Dtype::kF32;
};

class Roundings {
 public:
  Roundings() = default;  // the hull of the contract
  explicit Roundings(exact::OutsideProfile profile) : profile_(std::move(profile)) {}
  // The same with a place of the contract left out: a test of the judge.
  Roundings LeavingOut(exact::RoundingPlace place) const;

  std::string name() const { return profile_ ? profile_->name : "contract"; }
  bool is_hull() const { return !profile_; }
  LayerRoundings Of(bool heated, Dtype recipe) const;

 private:
  std::set<exact::RoundingPlace> left_out_;
  std::optional<exact::OutsideProfile> profile_;
};

// The place that a tensor is where it is not recorded, if it has a name.
std::optional<exact::RoundingPlace> PlaceOfPath(const std::string& path);

// What a recording of one recipe may agree under, in the order in which they are tried: the hull
// alone in f32, and every profile after it in bf16.
std::vector<Roundings> RoundingsFor(Dtype recipe);

}  // namespace touchstone::lab
