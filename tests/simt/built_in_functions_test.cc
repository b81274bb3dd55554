// CUDA's built-in functions under the execution model, against what CUDA's manual says of each, by
// loops over the lanes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/simt/simt.cuh"

namespace touchstone::simt {
namespace {

const Policy kPolicies[] = {{Order::kForward, CopyLanding::kLate, 0},
                            {Order::kReverse, CopyLanding::kEarly, 0},
                            {Order::kRandom, CopyLanding::kRandom, 3}};

template <typename... Parameters, typename... Arguments>
void OneWarp(void (*kernel)(Parameters...), Arguments... arguments) {
  Launch({.grid = dim3(1), .block = dim3(32)}, kernel, arguments...);
}

struct Shuffled {
  unsigned by_index[32], up[32], down[32], across[32];
};

TEST(BuiltInFunctions, ShufflesOfEveryWidthAndDistance) {
  for (const Policy& policy : kPolicies) {
    CurrentPolicy() = policy;
    for (int width = 1; width <= 32; width *= 2) {
      for (int by = 0; by < 32; ++by) {
        Shuffled got = {};
        OneWarp(
            +[](int w, int d, Shuffled* out) {
              const unsigned lane = threadIdx.x, value = 100 + lane, u = static_cast<unsigned>(d);
              out->by_index[lane] = __shfl_sync(kWholeWarp, value, d, w);
              out->up[lane] = __shfl_up_sync(kWholeWarp, value, u, w);
              out->down[lane] = __shfl_down_sync(kWholeWarp, value, u, w);
              out->across[lane] = __shfl_xor_sync(kWholeWarp, value, d, w);
            },
            width, by, &got);
        for (int lane = 0; lane < 32; ++lane) {
          const int begin = lane / width * width, end = begin + width;
          const auto value = [](int of) { return 100u + static_cast<unsigned>(of); };
          EXPECT_EQ(got.by_index[lane], value(begin + by % width));
          EXPECT_EQ(got.up[lane], value(lane - by >= begin ? lane - by : lane));
          EXPECT_EQ(got.down[lane], value(lane + by < end ? lane + by : lane));
          EXPECT_EQ(got.across[lane], value((lane ^ by) < end ? lane ^ by : lane));
        }
      }
    }
  }
  CurrentPolicy() = {};
}

TEST(BuiltInFunctions, ShufflesCarryEveryType) {
  struct Got {
    float f[32];
    double d[32];
    int64_t i[32];
    int negative[32];
  };
  Got got = {};
  OneWarp(
      +[](Got* out) {
        const unsigned lane = threadIdx.x;
        out->f[lane] = __shfl_xor_sync(kWholeWarp, 0.5f * static_cast<float>(lane), 1);
        out->d[lane] = __shfl_xor_sync(kWholeWarp, 0.1 * lane, 1);
        out->i[lane] = __shfl_xor_sync(kWholeWarp, (int64_t{1} << 40) + lane, 1);
        out->negative[lane] = __shfl_down_sync(kWholeWarp, -static_cast<int>(lane), 1);
      },
      &got);
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(got.f[lane], 0.5f * static_cast<float>(lane ^ 1));
    EXPECT_EQ(got.d[lane], 0.1 * (lane ^ 1));
    EXPECT_EQ(got.i[lane], (int64_t{1} << 40) + (lane ^ 1));
    EXPECT_EQ(got.negative[lane], -static_cast<int>(std::min(lane + 1, 31u)));
  }
}

// What CUDA leaves undefined is loud here.
TEST(BuiltInFunctions, AShuffleFromOutsideTheMaskGivesAllBits) {
  unsigned got[32] = {};
  OneWarp(
      +[](unsigned* out) {
        const unsigned lane = threadIdx.x;
        if (lane < 16) out[lane] = __shfl_sync(0x0000ffffu, lane, static_cast<int>(lane) + 8);
      },
      got);
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(got[lane], lane < 8 ? lane + 8 : lane < 16 ? 0xffffffffu : 0u);
  }
}

TEST(BuiltInFunctions, VotesAndReductionsOfAMask) {
  struct Got {
    unsigned ballot[32], add[32], most[32], least[32];
    int any[32], all[32], any_of_none[32], all_of_all[32];
  };
  for (const Policy& policy : kPolicies) {
    CurrentPolicy() = policy;
    for (const unsigned mask : {0xffffffffu, 0x0000ffffu, 0xa5a5a5a5u, 0x80000000u, 1u}) {
      Got got = {};
      OneWarp(
          +[](unsigned lanes, Got* out) {
            const unsigned lane = threadIdx.x;
            if ((lanes >> lane & 1) == 0) return;
            const unsigned value = (lane * 7 + 5) % 32 + (lane << 27);
            out->ballot[lane] = __ballot_sync(lanes, lane % 3 == 0 ? 4 : 0);
            out->any[lane] = __any_sync(lanes, lane == 31);
            out->all[lane] = __all_sync(lanes, lane != 5);
            out->any_of_none[lane] = __any_sync(lanes, 0);
            out->all_of_all[lane] = __all_sync(lanes, 1);
            out->add[lane] = __reduce_add_sync(lanes, value);
            out->most[lane] = __reduce_max_sync(lanes, value);
            out->least[lane] = __reduce_min_sync(lanes, value);
          },
          mask, &got);
      unsigned ballot = 0, add = 0, most = 0, least = std::numeric_limits<unsigned>::max();
      for (unsigned lane = 0; lane < 32; ++lane) {
        if ((mask >> lane & 1) == 0) continue;
        const unsigned value = (lane * 7 + 5) % 32 + (lane << 27);
        ballot |= lane % 3 == 0 ? 1u << lane : 0;
        add += value;
        most = std::max(most, value);
        least = std::min(least, value);
      }
      for (unsigned lane = 0; lane < 32; ++lane) {
        if ((mask >> lane & 1) == 0) continue;
        EXPECT_EQ(got.ballot[lane], ballot);
        EXPECT_EQ(got.any[lane] != 0, mask >> 31 != 0);
        EXPECT_EQ(got.all[lane] != 0, (mask >> 5 & 1) == 0);
        EXPECT_EQ(got.any_of_none[lane], 0);
        EXPECT_NE(got.all_of_all[lane], 0);
        EXPECT_EQ(got.add[lane], add);
        EXPECT_EQ(got.most[lane], most);
        EXPECT_EQ(got.least[lane], least);
      }
    }
  }
  CurrentPolicy() = {};
}

// Two masks of one warp are under way at a time, each at a line of its own.
TEST(BuiltInFunctions, MasksThatShareNoLaneDoNotWaitForEachOther) {
  unsigned got[32] = {};
  OneWarp(
      +[](unsigned* out) {
        const unsigned lane = threadIdx.x;
        if (lane % 2 == 0) {
          out[lane] = __reduce_add_sync(0x55555555u, 1u);
        } else {
          __syncwarp(0xaaaaaaaau);
          out[lane] = __ballot_sync(0xaaaaaaaau, 1);
        }
      },
      got);
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(got[lane], lane % 2 == 0 ? 16u : 0xaaaaaaaau);
  }
}

TEST(BuiltInFunctions, AtomicsReturnWhatWasThere) {
  struct Got {
    int sum;
    unsigned count, most, owner;
    unsigned long long wide;
    unsigned before[32];
    unsigned won;
  };
  for (const Policy& policy : kPolicies) {
    CurrentPolicy() = policy;
    Got got = {};
    got.owner = 77;
    OneWarp(
        +[](Got* out) {
          const unsigned lane = threadIdx.x;
          atomicAdd(&out->sum, -static_cast<int>(lane));
          atomicAdd(&out->wide, (1ull << 40) + lane);
          out->before[lane] = atomicAdd(&out->count, 1u);
          atomicMax(&out->most, lane * 5 % 32);
          if (atomicCAS(&out->owner, 77u, lane) == 77u) atomicAdd(&out->won, 1u);
        },
        &got);
    EXPECT_EQ(got.sum, -496);
    EXPECT_EQ(got.wide, (32ull << 40) + 496);
    EXPECT_EQ(got.count, 32u);
    EXPECT_EQ(got.most, 31u);
    EXPECT_EQ(got.won, 1u);
    EXPECT_LT(got.owner, 32u);
    std::sort(got.before, got.before + 32);
    for (unsigned lane = 0; lane < 32; ++lane) EXPECT_EQ(got.before[lane], lane);
  }
  CurrentPolicy() = {};
}

TEST(BuiltInFunctions, Bits) {
  EXPECT_EQ(__popc(0xf0f0u), 8);
  EXPECT_EQ(__ffs(0u), 0);
  EXPECT_EQ(__ffs(8u), 4);
  EXPECT_EQ(__clz(0u), 32);
  EXPECT_EQ(__clz(1u), 31);
  EXPECT_EQ(__float_as_uint(1.0f), 0x3f800000u);
  EXPECT_EQ(__uint_as_float(0xc0000000u), -2.0f);
}

// Every thread passes a barrier only after all have come to it.
TEST(BuiltInFunctions, ABarrierSeparatesWhatLiesBeforeItFromWhatComesAfter) {
  struct Got {
    unsigned came, early;
  };
  for (const Policy& policy : kPolicies) {
    CurrentPolicy() = policy;
    Got got = {};
    Launch(
        {.grid = dim3(1), .block = dim3(96)},
        +[](Got* out) {
          for (unsigned round = 1; round <= 5; ++round) {
            atomicAdd(&out->came, 1u);
            __syncthreads();
            if (out->came != 96 * round) atomicAdd(&out->early, 1u);
            __syncthreads();
          }
        },
        &got);
    EXPECT_EQ(got.came, 480u);
    EXPECT_EQ(got.early, 0u);
  }
  CurrentPolicy() = {};
}

TEST(BuiltInFunctions, ThreadsAndBlocksHaveCudasCoordinates) {
  std::vector<int> seen(2 * 3 * 2 * 4 * 2 * 3);
  Launch(
      {.grid = dim3(2, 3, 2), .block = dim3(4, 2, 3)},
      +[](int* times) {
        const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
        const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        times[block * 24 + thread] += static_cast<int>(__ballot_sync(0xffffff, 1) & 1) +
                                      static_cast<int>(LaneId() == thread % 32) * 10;
      },
      seen.data());
  for (const int times : seen) EXPECT_EQ(times, 11);
}

}  // namespace
}  // namespace touchstone::simt
