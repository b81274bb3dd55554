// Which profiles are tried: the honest kernels of every bound, and the panel of the lab.
#include "reference/exact/profile.h"

namespace touchstone::exact {
namespace {

// The rounding places that the contract has inside its ops and between the steps of its chains.
const std::set<RoundingPlace>& InnerPlaces() {
  static const std::set<RoundingPlace> places = [] {
    std::set<RoundingPlace> all;
    for (int i = 0; i < kRoundingPlaces; ++i) {
      const RoundingPlace place = static_cast<RoundingPlace>(i);
      if (!OutsideContract(place)) all.insert(place);
    }
    return all;
  }();
  return places;
}

Profile Chain(Order order, bool fused = true) { return {.order = order, .fused = fused}; }

Profile Lanes(int64_t width, bool fused = true, Fold fold = Fold::kHalves,
              Rest rest = Rest::kJoins) {
  return {.order = Order::kLanes, .width = width, .fold = fold, .rest = rest, .fused = fused};
}

Profile Blocks(int64_t width, bool fused = true, Last last = Last::kShort) {
  return {.order = Order::kBlocked, .width = width, .last = last, .fused = fused};
}

// Orders that many kernels have, without naming one.
std::vector<Profile> CommonOrders() {
  std::vector<Profile> all = {{}};
  for (const Order order : {Order::kAscending, Order::kDescending, Order::kPairwise}) {
    for (const bool fused : {true, false}) all.push_back(Chain(order, fused));
  }
  for (const bool fused : {true, false}) {
    for (const int64_t width : {2, 4, 8, 16, 32, 64, 128, 256}) {
      all.push_back(Lanes(width, fused));
    }
    for (const int64_t width : {4, 8, 16}) {
      all.push_back(Lanes(width, fused, Fold::kAscending));
      all.push_back(Lanes(width, fused, Fold::kPairs));
    }
    for (const int64_t width : {8, 16, 32, 64}) {
      all.push_back(Lanes(width, fused, Fold::kHalves, Rest::kAfterFold));
    }
  }
  for (const int64_t width : {2, 4, 8, 16}) {
    all.push_back({.order = Order::kSplit, .width = width});
  }
  for (const bool fused : {true, false}) {
    for (const int64_t width : {4, 8, 16, 32, 64, 128, 256, 512, 1024}) {
      all.push_back(Blocks(width, fused));
    }
  }
  return all;
}

// The inner loops of matrix products, as measured (docs/chapters/profiles.md).
std::vector<Profile> OrdersOfLibraries() {
  std::vector<Profile> all = {
      Blocks(256, true, Last::kLargerHalf),  // oneDNN 2.6, sgemm on AVX2
      Blocks(384, true, Last::kLargerHalf), Blocks(256, true, Last::kEven),
      Blocks(288, true, Last::kEven),  // Eigen 3.4 with AVX2 and FMA, 32 KiB of L1
      Blocks(320, true, Last::kEven),
  };
  for (const int64_t width : {256, 320, 384, 448, 512, 768}) {
    all.push_back(Blocks(width, true, Last::kHalf));  // OpenBLAS 0.3.21: 320 on Haswell and Zen
  }
  // OpenBLAS 0.3.21 on Haswell and Zen, its narrow tiles: two chains, of even and odd k, and what
  // is left of eight joins the first.
  all.push_back({.order = Order::kBlocked,
                 .width = 320,
                 .lanes = 2,
                 .rest = Rest::kFirstLane,
                 .round = 8,
                 .last = Last::kHalf});
  // BLIS 0.9 with AVX2, both matrices contiguous along k.
  for (const int64_t width : {256, 512}) {
    all.push_back({.order = Order::kBlocked,
                   .width = width,
                   .lanes = 8,
                   .fold = Fold::kPairs,
                   .rest = Rest::kFirstLane});
  }
  return all;
}

// What no sound binary32 kernel does.
std::vector<Profile> Deviations() {
  return {
      {.narrowing = Narrowing::kTruncated},
      {.narrowing = Narrowing::kAway},
      {.flush_inputs = true},
      {.flush_results = true},
      {.flush_inputs = true, .flush_results = true},
      {.operand = Operand::kTf32},
      {.operand = Operand::kTf32Truncated},
      {.operand = Operand::kBf16},
      {.partial = PartialFormat::kBf16},
      {.partial = PartialFormat::kF16},
      {.partial = PartialFormat::kBf16, .partial_at = PartialAt::kBlock},
      {.partial = PartialFormat::kF16, .partial_at = PartialAt::kBlock},
  };
}

std::vector<Profile> WithDeviations() {
  const std::vector<Profile> orders = {{},
                                       Chain(Order::kAscending),
                                       Chain(Order::kAscending, false),
                                       Chain(Order::kPairwise),
                                       Lanes(8),
                                       Lanes(16),
                                       Lanes(32),
                                       Blocks(8),
                                       Blocks(16),
                                       Blocks(32),
                                       Blocks(64)};
  std::vector<Profile> all;
  for (const Profile& deviation : Deviations()) {
    for (const Profile& order : orders) {
      all.push_back(deviation);
      all.back().order = order.order;
      all.back().width = order.width;
      all.back().fused = order.fused;
    }
  }
  return all;
}

}  // namespace

const std::vector<Profile>& HonestProfiles() {
  static const std::vector<Profile> profiles = [] {
    const std::set<RoundingPlace>& inner = InnerPlaces();
    std::vector<Profile> all(10);
    all[0] = {.name = "contract"};
    all[1] = {.name = "ascending", .order = Order::kAscending};
    all[2] = {.name = "ascending, unfused", .order = Order::kAscending, .fused = false};
    all[3] = {.name = "descending", .order = Order::kDescending};
    all[4] = {.name = "pairwise", .order = Order::kPairwise};
    all[5] = {.name = "pairwise, unfused, no inner rounding",
              .order = Order::kPairwise,
              .fused = false,
              .left_out = inner};
    all[6] = {.name = "16 lanes, library functions",
              .order = Order::kLanes,
              .width = 16,
              .functions = Functions::kBinary32Library};
    all[7] = {.name = "split in 8, functions off by an ulp",
              .order = Order::kSplit,
              .width = 8,
              .functions = Functions::kTwoUlp};
    all[8] = {.name = "blocks of 32, unfused, no inner rounding",
              .order = Order::kBlocked,
              .width = 32,
              .fused = false,
              .left_out = inner};
    all[9] = {.name = "descending, unfused, functions off by an ulp",
              .order = Order::kDescending,
              .fused = false,
              .functions = Functions::kTwoUlp,
              .left_out = inner};
    return all;
  }();
  return profiles;
}

const std::vector<Profile>& ProfilePanel() {
  static const std::vector<Profile> panel = [] {
    std::vector<Profile> all;
    for (const auto& part : {CommonOrders(), OrdersOfLibraries(), WithDeviations()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    for (Profile& profile : all) profile.name = ProfileText(profile);
    return all;
  }();
  return panel;
}

bool Sound(const Profile& profile) {
  return profile.partial == PartialFormat::kF32 && profile.operand == Operand::kStored &&
         !profile.flush_inputs && !profile.flush_results &&
         profile.narrowing == Narrowing::kNearestEven && profile.added.empty() &&
         !profile.fast_exponential;
}

}  // namespace touchstone::exact
