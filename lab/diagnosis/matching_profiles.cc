// Which profiles explain a kernel's bits: the panel, crossed with what a kernel may choose beside
// an order of sums, tried on cheap samples first. One mismatch ends a profile.
#include <algorithm>
#include <set>

#include "lab/diagnosis/diagnosis.h"
#include "lab/diagnosis/profile_outputs.h"

namespace touchstone::lab {
namespace {

using exact::Profile;
using exact::RoundingPlace;

// Multiply-adds that a search may take, about 10 ns each. What lies beyond is left out, the
// largest samples first.
constexpr double kBudget = 1e8;

using PlaceSet = std::set<RoundingPlace>;

// Which places a kernel may leave out: any where there are few, else one or all.
std::vector<PlaceSet> PlacesLeftOut(const OpSpec& op, bool storage_rounds) {
  std::vector<RoundingPlace> places;
  for (const auto& [place, state] : AllPlaces(op, exact::Place::kOn)) places.push_back(place);
  std::vector<PlaceSet> all = {{}};
  if (!storage_rounds || places.empty()) return all;
  if (places.size() <= 3) {
    for (unsigned chosen = 1; chosen < 1u << places.size(); ++chosen) {
      PlaceSet set;
      for (size_t i = 0; i < places.size(); ++i) {
        if ((chosen >> i & 1u) != 0) set.insert(places[i]);
      }
      all.push_back(set);
    }
    return all;
  }
  for (const RoundingPlace place : places) all.push_back({place});
  all.emplace_back(places.begin(), places.end());
  return all;
}

// Where functions, divisions and roots come from, the contract's first.
std::vector<Profile> Arithmetics() {
  using exact::Functions;
  return {{},
          {.functions = Functions::kBinary32Library},
          {.reciprocal_division = true},
          {.root_rounded_once = true},
          {.functions = Functions::kBinary32Library, .reciprocal_division = true},
          {.reciprocal_division = true, .root_rounded_once = true}};
}

// A block that holds the longest sum is the one chain that another profile names.
bool IsOneChain(const Profile& profile, int64_t longest) {
  return profile.order == exact::Order::kBlocked && profile.lanes == 1 && profile.width >= longest;
}

std::vector<Profile> Candidates(const OpSpec& op, bool storage_rounds, int64_t longest) {
  const std::vector<PlaceSet> left_out = PlacesLeftOut(op, storage_rounds);
  const bool many_places = left_out.size() > 4;
  std::vector<Profile> all;
  for (const Profile& base : exact::ProfilePanel()) {
    if (IsOneChain(base, longest)) continue;
    for (const PlaceSet& places : left_out) {
      for (const Profile& arithmetic : Arithmetics()) {
        const bool plain = exact::ProfileWords(arithmetic).empty();
        if (!plain && (!exact::Sound(base) || (many_places && !places.empty()))) continue;
        Profile profile = base;
        profile.left_out = places;
        profile.functions = arithmetic.functions;
        profile.reciprocal_division = arithmetic.reciprocal_division;
        profile.root_rounded_once = arithmetic.root_rounded_once;
        profile.name = exact::ProfileText(profile);
        all.push_back(std::move(profile));
      }
    }
  }
  return all;
}

// Its choices that are not the contract's, places one by one.
std::set<std::string> ChoicesOf(const Profile& profile) {
  Profile others = profile;
  others.left_out.clear();
  const std::vector<std::string> words = exact::ProfileWords(others);
  std::set<std::string> choices(words.begin(), words.end());
  for (const RoundingPlace place : profile.left_out) choices.insert("without=" + Name(place));
  return choices;
}

// A match that makes every choice of another one, and more, explains nothing more.
std::vector<std::string> PlainestNames(const std::vector<Profile>& matches) {
  std::vector<std::set<std::string>> choices;
  for (const Profile& profile : matches) choices.push_back(ChoicesOf(profile));
  std::vector<std::string> names;
  for (size_t i = 0; i < matches.size(); ++i) {
    const bool needless = std::any_of(choices.begin(), choices.end(), [&](const auto& other) {
      return other.size() < choices[i].size() &&
             std::includes(choices[i].begin(), choices[i].end(), other.begin(), other.end());
    });
    if (!needless) names.push_back(matches[i].name);
  }
  return names;
}

bool Explains(const Profile& profile, const Sample& sample, bool any_zero) {
  return SameOutputs(sample.c, ProfileOutputs(sample.c, sample.inputs, profile), sample.got,
                     any_zero);
}

std::vector<std::string> Names(const std::vector<Sample>& samples, bool any_zero) {
  std::vector<std::pair<double, const Sample*>> by_work;
  bool storage_rounds = false;
  int64_t longest = 0;
  for (const Sample& sample : samples) {
    const double work = WorkOf(sample.c);
    if (work > 0.0) by_work.emplace_back(work, &sample);
    storage_rounds |= sample.c.recipe != Dtype::kF32;
    for (const auto& [letter, size] : sample.c.sizes) longest = std::max(longest, size);
  }
  if (by_work.empty()) return {};
  std::stable_sort(by_work.begin(), by_work.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });

  std::vector<Profile> left = Candidates(*by_work.front().second->c.op, storage_rounds, longest);
  double spent = 0.0;
  for (const auto& [work, sample] : by_work) {
    spent += work * static_cast<double>(left.size());
    if (spent > kBudget)
      return sample == by_work.front().second ? std::vector<std::string>{} : PlainestNames(left);
    std::erase_if(left,
                  [&, which = sample](const Profile& p) { return !Explains(p, *which, any_zero); });
    if (left.empty()) break;
  }
  return PlainestNames(left);
}

}  // namespace

MatchingProfile MatchingProfiles(const std::vector<Sample>& samples) {
  MatchingProfile found{Names(samples, false)};
  if (!found.names.empty()) return found;
  found.names = Names(samples, true);
  found.but_for_zeros = !found.names.empty();
  return found;
}

}  // namespace touchstone::lab
