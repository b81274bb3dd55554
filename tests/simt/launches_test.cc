// Launches of the execution model: its limits, its schedules, its memory, and what it says where a
// kernel breaks CUDA's rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/ptx/cp_async.cuh"
#include "kernels/simt/simt.cuh"

namespace touchstone::simt {
namespace {

constexpr char kHere[] = "launches_test.cc:";

// The error that a launch ends with; "" where it ends well.
template <typename... Parameters, typename... Arguments>
std::string ErrorOf(const LaunchConfig& config, void (*kernel)(Parameters...),
                    Arguments... arguments) {
  try {
    Launch(config, kernel, arguments...);
  } catch (const ExecutionError& error) {
    return error.what();
  }
  return "";
}

std::string ErrorOfBlock(unsigned threads, void (*kernel)()) {
  return ErrorOf({.grid = dim3(1), .block = dim3(threads)}, kernel);
}

std::string At(int line) { return "(" + (kHere + std::to_string(line)) + ")"; }

void Nothing() {}

// ---- limits

TEST(Launches, AsManyThreadsAsABlockMayHave) {
  EXPECT_EQ(ErrorOf({.grid = dim3(1), .block = dim3(1024)}, Nothing), "");
  EXPECT_EQ(ErrorOf({.grid = dim3(1), .block = dim3(4, 4, 64)}, Nothing), "");
  EXPECT_EQ(ErrorOf({.grid = dim3(1), .block = dim3(1025)}, Nothing),
            "a launch with 1025 threads in a block, 1 to 1024 expected (64 at most in z)");
  EXPECT_EQ(ErrorOf({.grid = dim3(1), .block = dim3(32, 0)}, Nothing),
            "a launch with 0 threads in a block, 1 to 1024 expected (64 at most in z)");
  EXPECT_EQ(ErrorOf({.grid = dim3(1), .block = dim3(1, 1, 65)}, Nothing),
            "a launch with 65 threads in a block, 1 to 1024 expected (64 at most in z)");
}

TEST(Launches, AsManyBlocksAsAGridMayHave) {
  EXPECT_EQ(ErrorOf({.grid = dim3(1, 2, 3), .block = dim3(1)}, Nothing), "");
  for (const dim3 grid : {dim3(0), dim3(1, 65536), dim3(1, 1, 65536), dim3(0x80000000u)}) {
    EXPECT_EQ(ErrorOf({.grid = grid, .block = dim3(1)}, Nothing),
              "a launch with a grid of (" + std::to_string(grid.x) + "," + std::to_string(grid.y) +
                  "," + std::to_string(grid.z) +
                  ") blocks, from 1 to 2147483647, 65535 and 65535 expected");
  }
}

struct Large {
  char bytes[200 * 1024];
};
struct Small {
  char bytes[27 * 1024];
};

TEST(Launches, AsMuchSharedMemoryAsABlockMayHave) {
  EXPECT_EQ(ErrorOf({.grid = dim3(1), .block = dim3(1), .dynamic_shared = 227 * 1024}, Nothing),
            "");
  EXPECT_EQ(ErrorOf({.grid = dim3(1), .block = dim3(1), .dynamic_shared = 227 * 1024 + 1}, Nothing),
            "a launch with 232449 bytes of dynamic shared memory, 232448 at most");
  // Objects and dynamic memory of a block count together; those of an earlier launch do not.
  const auto both = +[] {
    Shared<Large>().bytes[0] = 1;
    Shared<Small>().bytes[0] = 1;
    if (blockDim.x > 1 && threadIdx.x == 0) DynamicShared<char>()[0] = 1;
  };
  EXPECT_EQ(ErrorOf({.grid = dim3(2), .block = dim3(1)}, both), "");
  EXPECT_EQ(ErrorOf({.grid = dim3(1), .block = dim3(2), .dynamic_shared = 1}, both),
            "232449 bytes of shared memory, 232448 at most, in block (0,0,0) thread (0,0,0) "
            "(the launch)");
  EXPECT_EQ(ErrorOf({.grid = dim3(2), .block = dim3(1)}, both), "");
}

// ---- rules: the line before each kernel is known

constexpr int kTrap = __LINE__;
void Trap() { Require(blockIdx.x != 2 || threadIdx.x != 5 || threadIdx.y != 1); }

TEST(Launches, ATrapNamesBlockThreadAndLine) {
  EXPECT_EQ(ErrorOf({.grid = dim3(3), .block = dim3(8, 2)}, Trap),
            "trap in block (2,0,0) thread (5,1,0) " + At(kTrap + 1));
}

constexpr int kBarrierOfSome = __LINE__;
void BarrierOfSome() {
  if (threadIdx.x < 40) __syncthreads();
}

TEST(Launches, ABarrierThatSomeDoNotReach) {
  EXPECT_EQ(ErrorOfBlock(64, BarrierOfSome),
            "some threads of the block have exited, the others wait at __syncthreads in block "
            "(0,0,0) thread (63,0,0) " +
                At(kBarrierOfSome + 2));
}

constexpr int kTwoBarriers = __LINE__;
void TwoBarriers() {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST(Launches, TwoDifferentBarriers) {
  EXPECT_EQ(ErrorOfBlock(64, TwoBarriers),
            "another __syncthreads than the block's other threads wait at " + At(kTwoBarriers + 3) +
                " is reached in block (0,0,0) thread (40,0,0) " + At(kTwoBarriers + 5));
}

constexpr int kDeadlock = __LINE__;
void Deadlock() {
  if (threadIdx.x < 16) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

TEST(Launches, ADeadlockSaysWhoWaitsWhere) {
  EXPECT_EQ(ErrorOfBlock(32, Deadlock),
            "deadlock in block (0,0,0): thread (0,0,0) waits in __syncwarp " + At(kDeadlock + 3) +
                ", thread (16,0,0) waits in __syncthreads " + At(kDeadlock + 5) +
                ", 0 of 32 threads have exited");
}

constexpr int kMasks = __LINE__;
void LaneOutsideItsMask() { __syncwarp(0xfffffffe); }
void MaskOfMoreThanTheBlock() { __any_sync(0xffffffff, 1); }
void MaskOfAnExitedLane() {
  if (threadIdx.x != 0) __shfl_sync(0xffffffff, 1, 0);
}
void ExitOfAWaitedForLane() {
  if (threadIdx.x != 31) __shfl_sync(0xffffffff, 1, 0);
}

TEST(Launches, LanesOutsideTheirMask) {
  EXPECT_EQ(
      ErrorOfBlock(32, LaneOutsideItsMask),
      "__syncwarp by a lane outside its mask in block (0,0,0) thread (0,0,0) " + At(kMasks + 1));
  EXPECT_EQ(ErrorOfBlock(16, MaskOfMoreThanTheBlock),
            "__ballot_sync names lane 16, which has exited or never was, in block (0,0,0) thread "
            "(0,0,0) " +
                At(kMasks + 2));
  EXPECT_EQ(ErrorOfBlock(32, MaskOfAnExitedLane),
            "__shfl_sync names lane 0, which has exited or never was, in block (0,0,0) thread "
            "(1,0,0) " +
                At(kMasks + 4));
  EXPECT_EQ(ErrorOfBlock(32, ExitOfAWaitedForLane),
            "a thread exits that the mask of __shfl_sync names in block (0,0,0) thread (31,0,0) " +
                At(kMasks + 7));
}

constexpr int kTwoCollectives = __LINE__;
void TwoCollectives() {
  if (threadIdx.x < 31) {
    __syncwarp();
  } else {
    __shfl_sync(0xffffffff, 1, 0);
  }
}

TEST(Launches, DifferentCollectivesOfOneMask) {
  EXPECT_EQ(ErrorOfBlock(32, TwoCollectives),
            "lanes of one mask wait in different collectives: __syncwarp " +
                At(kTwoCollectives + 3) + " and __shfl_sync in block (0,0,0) thread (31,0,0) " +
                At(kTwoCollectives + 5));
}

TEST(Launches, ALaunchAfterAnAbandonedOneIsWhole) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(ErrorOfBlock(
                  1024,
                  +[] {
                    __syncthreads();
                    Require(threadIdx.x != 512);
                    __syncthreads();
                  }),
              "");
    int passed = 0;
    Launch(
        {.grid = dim3(2), .block = dim3(1024)},
        +[](int* count) {
          __syncthreads();
          atomicAdd(count, 1);
        },
        &passed);
    EXPECT_EQ(passed, 2048);
  }
}

// ---- schedules

struct Trace {
  unsigned count;
  unsigned thread[512];  // block * 64 + thread, in the order in which they ran
};

std::vector<unsigned> OrderOf(const Policy& policy) {
  CurrentPolicy() = policy;
  Trace trace = {};
  Launch(
      {.grid = dim3(4), .block = dim3(64)},
      +[](Trace* out) {
        for (int phase = 0; phase < 2; ++phase) {
          out->thread[out->count++] = blockIdx.x * 64 + threadIdx.x;
          __syncthreads();
        }
      },
      &trace);
  CurrentPolicy() = {};
  return {trace.thread, trace.thread + trace.count};
}

TEST(Schedules, ForwardIsAscendingAndReverseDescending) {
  const std::vector<unsigned> forward = OrderOf({Order::kForward});
  std::vector<unsigned> wanted;
  for (unsigned block = 0; block < 4; ++block) {
    for (unsigned i = 0; i < 128; ++i) wanted.push_back(block * 64 + i % 64);
  }
  EXPECT_EQ(forward, wanted);
  std::reverse(wanted.begin(), wanted.end());
  EXPECT_EQ(OrderOf({Order::kReverse}), wanted);
}

TEST(Schedules, RandomIsOfItsSeed) {
  const auto random = [](uint64_t seed) {
    return OrderOf({Order::kRandom, CopyLanding::kRandom, seed});
  };
  const std::vector<unsigned> seven = random(7);
  EXPECT_EQ(random(7), seven);
  EXPECT_NE(random(8), seven);
  EXPECT_NE(random(0), OrderOf({Order::kForward}));
  EXPECT_NE(random(0), OrderOf({Order::kReverse}));
  // Every thread of every block runs, twice.
  std::vector<unsigned> sorted = seven;
  std::sort(sorted.begin(), sorted.end());
  ASSERT_EQ(sorted.size(), 512u);
  for (unsigned i = 0; i < 512; ++i) EXPECT_EQ(sorted[i], i / 2);
}

// ---- memory

TEST(Memory, SharedMemoryIsFullOfNansWhenABlockBegins) {
  struct Row {
    float value[32];
  };
  float got[64] = {};
  Launch(
      {.grid = dim3(2), .block = dim3(32), .dynamic_shared = 32 * sizeof(float)},
      +[](float* out) {
        float& fixed = Shared<Row>().value[threadIdx.x];
        float& dynamic = DynamicShared<float>()[threadIdx.x];
        out[blockIdx.x * 32 + threadIdx.x] = fixed + dynamic;
        fixed = dynamic = 1.0f;  // the next block's is another
      },
      got);
  for (const float value : got) EXPECT_TRUE(std::isnan(value));
}

TEST(Memory, AllThreadsOfABlockShareAnObjectOfAType) {
  struct Cell {
    unsigned value;
  };
  struct Other {
    unsigned value;
  };
  unsigned got[64] = {};
  Launch(
      {.grid = dim3(1), .block = dim3(64)},
      +[](unsigned* out) {
        if (threadIdx.x == 17) Shared<Cell>().value = 5;
        if (threadIdx.x == 18) Shared<Other>().value = 6;
        __syncthreads();
        out[threadIdx.x] = Shared<Cell>().value * 10 + Shared<Other>().value;
      },
      got);
  for (const unsigned value : got) EXPECT_EQ(value, 56u);
}

TEST(Memory, ADeviceBufferBeginsAsNans) {
  const DeviceBuffer<float> buffer(3), none(0);
  float values[3] = {};
  CopyToHost(values, buffer.data(), sizeof(values));
  for (const float value : values) EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 256, 0u);
  EXPECT_EQ(none.data(), nullptr);
}

struct Tile {
  alignas(16) float value[8];
};

// One thread copies two groups and reads both tiles after each wait: two, one, none under way.
std::vector<float> TilesAfterWaits(CopyLanding landing) {
  CurrentPolicy() = {Order::kForward, landing, 0};
  alignas(16) float in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> seen(12);
  Launch(
      {.grid = dim3(1), .block = dim3(1)},
      +[](const float* from, float* out) {
        float* tile = Shared<Tile>().value;
        ptx::CpAsync16(tile, from);
        ptx::CpAsyncCommit();
        ptx::CpAsync16(tile + 4, from + 4, 8);  // 8 bytes, then zeros
        ptx::CpAsyncCommit();
        for (const int left : {2, 1, 0}) {
          left == 2   ? ptx::CpAsyncWait<2>()
          : left == 1 ? ptx::CpAsyncWait<1>()
                      : ptx::CpAsyncWait<0>();
          for (const int i : {0, 3, 5, 7}) *out++ = tile[i];
        }
      },
      static_cast<const float*>(in), seen.data());
  CurrentPolicy() = {};
  return seen;
}

TEST(Copies, LandLateAtTheWaitThatAsksForThem) {
  const std::vector<float> seen = TilesAfterWaits(CopyLanding::kLate);
  for (const int i : {0, 1, 2, 3, 6, 7}) EXPECT_TRUE(std::isnan(seen[static_cast<size_t>(i)])) << i;
  EXPECT_EQ(std::vector<float>(seen.begin() + 4, seen.begin() + 6), (std::vector<float>{1, 4}));
  EXPECT_EQ(std::vector<float>(seen.begin() + 8, seen.end()), (std::vector<float>{1, 4, 6, 0}));
}

TEST(Copies, LandEarlyAtTheirIssue) {
  const std::vector<float> once = {1, 4, 6, 0};
  std::vector<float> wanted;
  for (int i = 0; i < 3; ++i) wanted.insert(wanted.end(), once.begin(), once.end());
  EXPECT_EQ(TilesAfterWaits(CopyLanding::kEarly), wanted);
}

// Whenever it would have landed.
TEST(Copies, AThreadMustWaitForItsOwn) {
  for (const CopyLanding landing :
       {CopyLanding::kEarly, CopyLanding::kLate, CopyLanding::kRandom}) {
    CurrentPolicy() = {Order::kForward, landing, 5};
    alignas(16) float in[4] = {};
    EXPECT_EQ(ErrorOf(
                  {.grid = dim3(1), .block = dim3(2)},
                  +[](const float* from) {
                    if (threadIdx.x == 1) ptx::CpAsync16(Shared<Tile>().value, from);
                  },
                  static_cast<const float*>(in)),
              "a thread ends before its asynchronous copies were waited for in block (0,0,0) "
              "thread (1,0,0) (the kernel's end)");
  }
  CurrentPolicy() = {};
}

TEST(Copies, BothAddressesAreMultiplesOf16) {
  alignas(16) float in[8] = {};
  EXPECT_EQ(ErrorOf(
                {.grid = dim3(1), .block = dim3(1)},
                +[](const float* from) { ptx::CpAsync16(Shared<Tile>().value, from + 1); },
                static_cast<const float*>(in)),
            "a misaligned or overlong asynchronous copy in block (0,0,0) thread (0,0,0) "
            "(cp_async.cuh)");
}

}  // namespace
}  // namespace touchstone::simt
