#include "lab/kernel/places_used.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "lab/chain.h"
#include "lab/judge.h"

namespace touchstone::lab {
namespace {

using exact::Place;
using exact::RoundingPlace;

constexpr size_t kAllSettingsUpTo = 4;

// Bit i set: place i rounds.
std::vector<uint64_t> SettingsOf(size_t places) {
  std::vector<uint64_t> settings;
  if (places <= kAllSettingsUpTo) {
    for (uint64_t bits = 0; bits < uint64_t{1} << places; ++bits) settings.push_back(bits);
    return settings;
  }
  const uint64_t all = (uint64_t{1} << places) - 1;
  settings = {all, 0};
  for (size_t i = 0; i < places; ++i) {
    settings.push_back(all & ~(uint64_t{1} << i));
    settings.push_back(uint64_t{1} << i);
  }
  return settings;
}

bool Explains(const Sample& sample, const Places& places) {
  return CompareWithExpected(sample.c, sample.got, Enclose(sample.c, sample.inputs, places))
             .outside == 0;
}

}  // namespace

std::vector<PlaceUse> PlacesUsedIn(const std::vector<Sample>& samples) {
  std::vector<const Sample*> rounding;
  for (const Sample& sample : samples) {
    if (sample.c.recipe != Dtype::kF32) rounding.push_back(&sample);
  }
  if (rounding.empty()) return {};
  std::vector<RoundingPlace> names;
  for (const auto& [place, on] : AllPlaces(*rounding[0]->c.op, Place::kOn)) names.push_back(place);

  std::vector<uint64_t> explaining;
  for (const uint64_t setting : SettingsOf(names.size())) {
    Places places;
    for (size_t i = 0; i < names.size(); ++i) {
      places[names[i]] = (setting >> i & 1) != 0 ? Place::kOn : Place::kOff;
    }
    if (std::all_of(rounding.begin(), rounding.end(),
                    [&](const Sample* sample) { return Explains(*sample, places); })) {
      explaining.push_back(setting);
    }
  }

  std::vector<PlaceUse> uses;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto rounds = [&](uint64_t setting) { return (setting >> i & 1) != 0; };
    const bool with = std::any_of(explaining.begin(), explaining.end(), rounds);
    const bool without = !std::all_of(explaining.begin(), explaining.end(), rounds);
    uses.push_back({exact::Name(names[i]), with && without ? PlaceUsed::kEither
                                           : with          ? PlaceUsed::kYes
                                           : without       ? PlaceUsed::kNo
                                                           : PlaceUsed::kNeither});
  }
  return uses;
}

}  // namespace touchstone::lab
