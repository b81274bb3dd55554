// A profile as words: one table of keys, read in both directions.
#include <algorithm>
#include <charconv>
#include <sstream>
#include <stdexcept>

#include "reference/exact/profile.h"

namespace touchstone::exact {
namespace {

// Larger widths would only cost memory; no kernel has them.
constexpr int64_t kMostLanes = int64_t{1} << 16;
constexpr int64_t kWidest = int64_t{1} << 30;

struct Key {
  std::string name;
  std::string expected;                              // of a value, for messages
  std::string (*show)(const Profile& profile);       // empty: as in the contract
  bool (*read)(const std::string& value, Profile*);  // false: no such value
};

// The names of an enumeration's values, in their order.
template <typename Enum>
std::string NameOf(Enum value, const std::vector<std::string>& names) {
  return names.at(static_cast<size_t>(value));
}

template <typename Enum>
bool Named(const std::string& name, const std::vector<std::string>& names, Enum* value) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return false;
  *value = static_cast<Enum>(found - names.begin());
  return true;
}

const std::vector<std::string> kOrders = {"contract", "ascending", "descending", "pairwise",
                                          "lanes",    "split",     "blocked"};
const std::vector<std::string> kFolds = {"halves", "ascending", "pairs"};
const std::vector<std::string> kRests = {"joins", "first_lane", "after_fold"};
const std::vector<std::string> kLasts = {"short", "half", "larger_half", "even"};
const std::vector<std::string> kFormats = {"f32", "bf16", "f16"};
const std::vector<std::string> kPartialAts = {"sum", "block"};
const std::vector<std::string> kOperands = {"stored", "tf32", "tf32_truncated", "bf16"};
const std::vector<std::string> kNarrowings = {"nearest_even", "truncated", "away"};
const std::vector<std::string> kFunctions = {"correct", "library", "two_ulp"};

bool HasWidth(Order order) { return order >= Order::kLanes; }
bool PowerOfTwo(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

// "name" or "name:17"; the number stays as it is where there is none.
bool NameAndNumber(const std::string& value, std::string* name, int64_t most, int64_t* number) {
  const size_t colon = value.find(':');
  *name = value.substr(0, colon);
  if (colon == std::string::npos) return true;
  const char* first = value.data() + colon + 1;
  const char* last = value.data() + value.size();
  const auto [end, error] = std::from_chars(first, last, *number);
  return error == std::errc() && end == last && 1 <= *number && *number <= most;
}

std::string ShowOrder(const Profile& p) {
  if (p.order == Order::kContract) return "";
  return NameOf(p.order, kOrders) + (HasWidth(p.order) ? ":" + std::to_string(p.width) : "");
}

bool ReadOrder(const std::string& value, Profile* p) {
  std::string name;
  p->width = 0;
  if (!NameAndNumber(value, &name, kWidest, &p->width)) return false;
  if (!Named(name, kOrders, &p->order)) return false;
  if (p->order == Order::kLanes && p->width > kMostLanes) return false;
  return HasWidth(p->order) == (p->width > 0);
}

std::string ShowInside(const Profile& p) {
  return p.lanes > 1 ? "lanes:" + std::to_string(p.lanes) : "";
}

bool ReadInside(const std::string& value, Profile* p) {
  std::string name;
  p->lanes = 0;
  if (value == "chain") p->lanes = 1;
  return value == "chain" ||
         (NameAndNumber(value, &name, kMostLanes, &p->lanes) && name == "lanes" && p->lanes > 0);
}

std::string ShowRest(const Profile& p) {
  if (p.rest == Rest::kJoins) return "";
  return NameOf(p.rest, kRests) + (p.round > 0 ? ":" + std::to_string(p.round) : "");
}

bool ReadRest(const std::string& value, Profile* p) {
  std::string name;
  p->round = 0;
  return NameAndNumber(value, &name, kWidest, &p->round) && Named(name, kRests, &p->rest) &&
         (p->round == 0 || p->rest != Rest::kJoins);
}

std::string ShowPartial(const Profile& p) {
  if (p.partial == PartialFormat::kF32) return "";
  return NameOf(p.partial, kFormats) +
         (p.partial_at == PartialAt::kBlock ? ":" + NameOf(p.partial_at, kPartialAts) : "");
}

bool ReadPartial(const std::string& value, Profile* p) {
  const size_t colon = value.find(':');
  p->partial_at = PartialAt::kEverySum;
  if (!Named(value.substr(0, colon), kFormats, &p->partial)) return false;
  if (colon == std::string::npos) return true;
  return p->partial != PartialFormat::kF32 &&
         Named(value.substr(colon + 1), kPartialAts, &p->partial_at);
}

std::string ShowFlush(const Profile& p) {
  if (p.flush_inputs && p.flush_results) return "both";
  return p.flush_inputs ? "inputs" : p.flush_results ? "results" : "";
}

bool ReadFlush(const std::string& value, Profile* p) {
  p->flush_inputs = value == "inputs" || value == "both";
  p->flush_results = value == "results" || value == "both";
  return p->flush_inputs || p->flush_results || value == "none";
}

std::string ShowPlaces(const std::set<RoundingPlace>& places) {
  std::string text;
  for (const RoundingPlace place : places) text += (text.empty() ? "" : ",") + Name(place);
  return text;
}

bool ReadPlaces(const std::string& value, bool outside, std::set<RoundingPlace>* places) {
  std::istringstream words(value);
  for (std::string word; std::getline(words, word, ',');) {
    bool found = false;
    for (int i = 0; i < kRoundingPlaces; ++i) {
      const RoundingPlace place = static_cast<RoundingPlace>(i);
      if (Name(place) != word || OutsideContract(place) != outside) continue;
      places->insert(place);
      found = true;
    }
    if (!found) return false;
  }
  return !places->empty() && !value.ends_with(',');
}

std::string PlaceNames(bool outside) {
  std::string text;
  for (int i = 0; i < kRoundingPlaces; ++i) {
    const RoundingPlace place = static_cast<RoundingPlace>(i);
    if (OutsideContract(place) == outside) text += (text.empty() ? "" : ", ") + Name(place);
  }
  return text;
}

// A key whose value is one of an enumeration's names.
template <auto kMember, const std::vector<std::string>& kNames>
Key Choice(const std::string& name) {
  std::string expected;
  for (const std::string& value : kNames) expected += (expected.empty() ? "" : ", ") + value;
  return {
      name, expected,
      [](const Profile& p) {
        return p.*kMember == Profile{}.*kMember ? "" : NameOf(p.*kMember, kNames);
      },
      [](const std::string& value, Profile* p) { return Named(value, kNames, &(p->*kMember)); }};
}

const std::vector<std::string> kFused = {"no", "yes"};
const std::vector<std::string> kDivisions = {"quotient", "reciprocal"};
const std::vector<std::string> kRoots = {"root_then_quotient", "once"};
const std::vector<std::string> kExponentials = {"as_functions", "fast"};

const std::vector<Key>& Keys() {
  static const std::vector<Key> keys = {
      {"order", "contract, ascending, descending, pairwise, lanes:N, split:N, blocked:N", ShowOrder,
       ReadOrder},
      {"inside", "chain, lanes:N", ShowInside, ReadInside},
      Choice<&Profile::fold, kFolds>("fold"),
      {"rest", "joins, first_lane, after_fold, first_lane:N, after_fold:N", ShowRest, ReadRest},
      Choice<&Profile::last, kLasts>("last"),
      Choice<&Profile::fused, kFused>("fused"),
      {"partial", "f32, bf16, f16, bf16:block, f16:block", ShowPartial, ReadPartial},
      Choice<&Profile::operand, kOperands>("operands"),
      {"flush", "none, inputs, results, both", ShowFlush, ReadFlush},
      Choice<&Profile::narrowing, kNarrowings>("output"),
      Choice<&Profile::functions, kFunctions>("functions"),
      Choice<&Profile::fast_exponential, kExponentials>("exp"),
      Choice<&Profile::reciprocal_division, kDivisions>("division"),
      Choice<&Profile::root_rounded_once, kRoots>("root"),
      {"without", PlaceNames(false), [](const Profile& p) { return ShowPlaces(p.left_out); },
       [](const std::string& value, Profile* p) { return ReadPlaces(value, false, &p->left_out); }},
      {"with", PlaceNames(true), [](const Profile& p) { return ShowPlaces(p.added); },
       [](const std::string& value, Profile* p) { return ReadPlaces(value, true, &p->added); }},
  };
  return keys;
}

// What one key alone cannot say.
void RequireConsistent(const Profile& p) {
  const int64_t lanes = p.order == Order::kLanes ? p.width : p.lanes;
  if (p.lanes > 1 && p.order != Order::kBlocked && p.order != Order::kSplit) {
    throw std::invalid_argument("profile: inside= needs order=blocked:N or order=split:N");
  }
  if (p.last != Last::kShort && p.order != Order::kBlocked) {
    throw std::invalid_argument("profile: last= needs order=blocked:N");
  }
  if (p.last == Last::kEven && p.width % 8 != 0) {
    throw std::invalid_argument("profile: last=even needs blocks of a multiple of 8");
  }
  if (p.fold != Fold::kAscending && !PowerOfTwo(lanes) && lanes > 0) {
    throw std::invalid_argument("profile: " + std::to_string(lanes) +
                                " lanes need fold=ascending; other folds need a power of two");
  }
  if (p.round > 0 && (lanes < 1 || p.round % lanes != 0)) {
    throw std::invalid_argument("profile: the number after rest= must be a multiple of the lanes");
  }
}

}  // namespace

std::vector<std::string> ProfileWords(const Profile& profile) {
  std::vector<std::string> words;
  for (const Key& key : Keys()) {
    const std::string value = key.show(profile);
    if (!value.empty()) words.push_back(key.name + "=" + value);
  }
  return words;
}

std::string ProfileText(const Profile& profile) {
  std::string text;
  for (const std::string& word : ProfileWords(profile)) text += (text.empty() ? "" : " ") + word;
  return text.empty() ? "contract" : text;
}

Profile ProfileFromText(const std::string& text) {
  for (const Profile& honest : HonestProfiles()) {
    if (honest.name == text) return honest;
  }
  Profile profile;
  std::set<std::string> seen;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const auto key = std::find_if(Keys().begin(), Keys().end(),
                                  [&](const Key& candidate) { return candidate.name == name; });
    if (equals == std::string::npos || key == Keys().end()) {
      std::string names;
      for (const Key& known : Keys()) names += (names.empty() ? "" : ", ") + known.name;
      throw std::invalid_argument("profile: '" + word +
                                  "' is no word of a profile; expected KEY=VALUE with a key of " +
                                  names + "; or the name of an honest profile, as 'contract'");
    }
    if (!seen.insert(name).second) {
      throw std::invalid_argument("profile: " + name + "= is there twice");
    }
    if (!key->read(word.substr(equals + 1), &profile)) {
      throw std::invalid_argument("profile: '" + word + "': expected one of " + key->expected);
    }
  }
  if (seen.empty()) {
    throw std::invalid_argument(
        "profile: it is empty; expected words as 'order=pairwise fused=no'");
  }
  RequireConsistent(profile);
  profile.name = ProfileText(profile);
  return profile;
}

}  // namespace touchstone::exact
