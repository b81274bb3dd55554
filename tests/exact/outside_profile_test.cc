// The table of other implementations' choices is complete, and each choice does what it says.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

TEST(OutsideProfiles, EveryChoiceHasOneRowWithASourceAndEveryProfileMakesItsOwn) {
  std::set<OutsideChoice> choices;
  std::set<std::string> names;
  for (const OutsideChoiceRow& row : OutsideChoices()) {
    EXPECT_TRUE(choices.insert(row.choice).second) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.meaning.empty()) << row.name;
    EXPECT_FALSE(row.sources.empty()) << row.name;
    for (const auto& [profile, source] : row.sources) {
      ASSERT_NE(FindOutsideProfile(profile), nullptr) << profile;
      EXPECT_TRUE(FindOutsideProfile(profile)->choices.contains(row.choice)) << profile;
      EXPECT_FALSE(source.empty()) << profile;
    }
  }
  EXPECT_EQ(choices.size(), static_cast<size_t>(OutsideChoice::kPromotion) + 1);
  std::set<std::set<OutsideChoice>> sets;
  for (const OutsideProfile& profile : OutsideProfiles()) {
    EXPECT_TRUE(sets.insert(profile.choices).second) << profile.name << " is another one's double";
  }
  EXPECT_EQ(OutsideProfiles().front().name, "contract");
  EXPECT_TRUE(OutsideProfiles().front().choices.empty());
  EXPECT_EQ(FindOutsideProfile("no such implementation"), nullptr);
}

TEST(OutsideProfiles, NameEveryPlace) {
  for (const OutsideProfile& profile : OutsideProfiles()) {
    for (const bool heated : {false, true}) {
      const auto places = profile.Places(heated);
      EXPECT_EQ(places.size(), static_cast<size_t>(kRoundingPlaces));
      for (const auto& [where, place] : places) EXPECT_NE(place, Place::kHull) << Name(where);
    }
  }
}

TEST(OutsideProfiles, TheContractIsWhatOperandsTakeWhenNothingIsSaid) {
  const Operands<Enclosure> in;
  for (const auto& [where, place] : OutsideProfiles().front().Places(true)) {
    EXPECT_EQ(in.place(where), place) << Name(where);
  }
  EXPECT_EQ(in.place(RoundingPlace::kExponentials), Place::kOff);
  EXPECT_EQ(in.place(RoundingPlace::kQuery), Place::kOn);
}

TEST(OutsideProfiles, PromotionChangesLayersWithATemperatureAlone) {
  const OutsideProfile& meta = *FindOutsideProfile("llama-models");
  EXPECT_EQ(meta.Places(true).at(RoundingPlace::kQuery), Place::kOff);
  EXPECT_EQ(meta.Places(true).at(RoundingPlace::kExponentials), Place::kOff);
  EXPECT_FALSE(meta.FastExponential(true));
  EXPECT_EQ(meta.AttentionStorage(Dtype::kBf16, true), Dtype::kF32);
  EXPECT_EQ(meta.Places(false).at(RoundingPlace::kQuery), Place::kOn);
  EXPECT_EQ(meta.Places(false).at(RoundingPlace::kExponentials), Place::kOn);
  EXPECT_TRUE(meta.FastExponential(false));
  EXPECT_EQ(meta.AttentionStorage(Dtype::kBf16, false), Dtype::kBf16);

  const OutsideProfile rounded = meta.Without(OutsideChoice::kPromotion);
  EXPECT_EQ(rounded.choices, FindOutsideProfile("llama-models-round-q")->choices);
  EXPECT_EQ(rounded.Places(true), rounded.Places(false));
  EXPECT_EQ(rounded.With(OutsideChoice::kPromotion).choices, meta.choices);
}

TEST(OutsideProfiles, AppliedToAKernelTheyAreItsPlaces) {
  const OutsideProfile& eager = *FindOutsideProfile("transformers-eager");
  const Profile kernel = eager.Applied(HonestProfiles()[2], true);
  EXPECT_EQ(kernel.order, Order::kAscending);
  EXPECT_EQ(kernel.added,
            (std::set<RoundingPlace>{RoundingPlace::kScores, RoundingPlace::kScaledScores,
                                     RoundingPlace::kProbabilities}));
  EXPECT_TRUE(kernel.left_out.empty());
  EXPECT_FALSE(kernel.fast_exponential);
  const Profile meta = FindOutsideProfile("llama-models")->Applied(Profile{}, true);
  EXPECT_EQ(meta.left_out, (std::set<RoundingPlace>{RoundingPlace::kQuery}));
  EXPECT_TRUE(meta.added.empty());
}

}  // namespace
}  // namespace touchstone::exact
