// What a kernel does to its tensors on the device, as kernels/model/staged_call.h sees it, under
// the execution model. Each wrong kernel differs from the right one in one line.
#include "kernels/model/staged_call.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/simt/simt.cuh"
#include "reference/formats/bf16.h"

namespace touchstone::kernels {
namespace {

// y = x + 1, elements [first, last) of T * C, by one block.
template <typename Storage>
__global__ void AddOne(const Storage* x, Storage* y, int64_t first, int64_t last) {
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) {
    y[i] = Narrow<Storage>(i < 0 || x == nullptr ? 0.0f : Widen(x[i]) + 1.0f);
  }
}

template <typename Storage, int kBefore, int kAfter>
void Shifted(View<const Storage, 'T', 'C'> x, View<Storage, 'T', 'C'> y, int) {
  const int64_t count = Extent<'T'>(x, y) * Extent<'C'>(x, y);
  const bool reads = kBefore == 0 && kAfter <= 0;
  simt::Launch({.grid = dim3(1), .block = dim3(32)}, AddOne<Storage>, reads ? x.data : nullptr,
               y.data, int64_t{-kBefore}, count + kAfter);
}

template <typename Storage>
void WritesInput(View<const Storage, 'T', 'C'> x, View<Storage, 'T', 'C'> y, int) {
  Shifted<Storage, 0, 0>(x, y, 0);
  auto* input = const_cast<Storage*>(x.data);
  simt::Launch({.grid = dim3(1), .block = dim3(1)}, AddOne<Storage>, x.data, input, int64_t{2},
               int64_t{3});
}

// Right, but for an element past the end of y that gets kByte in every byte.
template <typename Storage>
__global__ void FillOne(Storage* y, int64_t i, int byte) {
  std::memset(static_cast<void*>(&y[i]), byte, sizeof *y);
}

template <typename Storage, int kByte>
void FillsPast(View<const Storage, 'T', 'C'> x, View<Storage, 'T', 'C'> y, int) {
  Shifted<Storage, 0, 0>(x, y, 0);
  simt::Launch({.grid = dim3(1), .block = dim3(1)}, FillOne<Storage>, y.data,
               Extent<'T'>(x, y) * Extent<'C'>(x, y), kByte);
}

template <typename Storage, auto kFunction>
struct Trial {
  static constexpr int64_t kT = 3, kC = 5;
  std::vector<Storage> x, y;
  std::string said;
  double seconds = -1.0;

  Trial() : x(kT * kC), y(kT * kC) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = Narrow<Storage>(static_cast<float>(i));
    std::fill(y.begin(), y.end(), Narrow<Storage>(-7.0f));
    SecondsOfLastCall() = -1.0;
    try {
      Staged<kFunction>::Call(Packed<'T', 'C'>(std::as_const(x).data(), kT, kC),
                              Packed<'T', 'C'>(y.data(), kT, kC), 1);
      seconds = SecondsOfLastCall();
    } catch (const simt::ExecutionError& error) {
      said = error.what();
    }
  }
};

template <typename Storage>
class StagedCall : public testing::Test {};
using Storages = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(StagedCall, Storages);

TYPED_TEST(StagedCall, ARightKernelGivesItsResults) {
  const Trial<TypeParam, Shifted<TypeParam, 0, 0>> right;
  EXPECT_EQ(right.said, "");
  for (size_t i = 0; i < right.y.size(); ++i) {
    EXPECT_EQ(Widen(right.y[i]), static_cast<float>(i) + 1.0f);
  }
  EXPECT_GE(right.seconds, 0.0) << "the call was not timed";
}

TYPED_TEST(StagedCall, OneElementBeyondIsSeen) {
  const Trial<TypeParam, Shifted<TypeParam, 0, 1>> past;
  const std::string bytes = std::to_string(sizeof(TypeParam));
  EXPECT_EQ(past.said,
            "writes " + bytes + " bytes past the end of argument 2 (TC), the nearest 0 bytes away");
  EXPECT_EQ(Widen(past.y[0]), -7.0f) << "results of a breach came back";
  const Trial<TypeParam, Shifted<TypeParam, 1, 0>> before;
  EXPECT_EQ(before.said, "writes " + bytes +
                             " bytes before the beginning of argument 2 (TC), the nearest 0 bytes "
                             "away");
}

// Whoever writes the bits of a band is seen in the call before or after.
TYPED_TEST(StagedCall, TheBitsOfABandAreSeenInOneOfTwoCalls) {
  const Trial<TypeParam, FillsPast<TypeParam, 0xff>> ones[2];
  EXPECT_NE(ones[0].said.empty(), ones[1].said.empty()) << ones[0].said << ones[1].said;
  const Trial<TypeParam, FillsPast<TypeParam, 0x7f>> large[2];
  EXPECT_NE(large[0].said.empty(), large[1].said.empty()) << large[0].said << large[1].said;
  const std::string bytes = std::to_string(sizeof(TypeParam));
  EXPECT_EQ(large[0].said + large[1].said,
            "writes " + bytes + " bytes past the end of argument 2 (TC), the nearest 0 bytes away");
}

TYPED_TEST(StagedCall, AChangedInputIsSeen) {
  EXPECT_EQ((Trial<TypeParam, WritesInput<TypeParam>>().said),
            "changes its input argument 1 (TC), first element 2");
}

// What was never written is the host's poison, in either filling.
TYPED_TEST(StagedCall, AnElementThatIsNotWrittenKeepsThePoison) {
  const Trial<TypeParam, Shifted<TypeParam, 0, -1>> misses;
  EXPECT_EQ(misses.said, "");
  EXPECT_EQ(Widen(misses.y.back()), -7.0f);
}

// Elements between those of a view that is not dense are neither read nor written.
TEST(StagedCall, StridesAreTheHosts) {
  std::vector<float> x(12, -1.0f), y(12, -7.0f);
  View<const float, 'T', 'C'> in{x.data(), {2, 3}, {6, 2}};
  View<float, 'T', 'C'> out{y.data(), {2, 3}, {6, 2}};
  for (int t = 0; t < 2; ++t) {
    for (int c = 0; c < 3; ++c) x[static_cast<size_t>(6 * t + 2 * c)] = static_cast<float>(t + c);
  }
  Staged<Shifted<float, 0, 0>>::Call(in, out, 1);
  EXPECT_EQ(y, (std::vector<float>{1, -7, 2, -7, 3, -7, 2, -7, 3, -7, 4, -7}));
  EXPECT_THROW((Staged<Shifted<float, 0, 1>>::Call(in, out, 1)), simt::ExecutionError);
}

// A tensor without elements has guard bands too.
TEST(StagedCall, AWriteToAnEmptyTensorIsSeen) {
  const View<const float, 'T', 'C'> in{nullptr, {0, 3}, {3, 1}};
  const View<float, 'T', 'C'> out{nullptr, {0, 3}, {3, 1}};
  Staged<Shifted<float, 0, 0>>::Call(in, out, 1);
  EXPECT_THROW((Staged<Shifted<float, 0, 2>>::Call(in, out, 1)), simt::ExecutionError);
}

}  // namespace
}  // namespace touchstone::kernels
