#include "reference/formats/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace touchstone {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

TEST(Tensor, OwnsZeroedMemoryOfItsShape) {
  const Tensor x(Dtype::kBf16, {2, 3, 4});
  EXPECT_EQ(x.count(), 24);
  EXPECT_EQ(x.data.size(), 48u);
  for (const std::byte byte : x.data) EXPECT_EQ(byte, std::byte{0});
  EXPECT_EQ(Tensor(Dtype::kF32, {5}).data.size(), 20u);
  EXPECT_EQ(Tensor(Dtype::kI64, {5}).data.size(), 40u);
  EXPECT_EQ(Tensor(Dtype::kE4m3, {5}).data.size(), 5u);
}

TEST(Tensor, AScalarIsOneElementAndAnEmptyExtentNone) {
  EXPECT_EQ(Tensor(Dtype::kF32, {}).count(), 1);
  EXPECT_EQ(Tensor(Dtype::kF32, {}).data.size(), 4u);
  EXPECT_EQ(Tensor(Dtype::kF32, {3, 0, 4}).count(), 0);
  EXPECT_EQ(Tensor(Dtype::kF32, {3, 0, 4}).data.size(), 0u);
}

// Extents come from files of outside.
TEST(Tensor, ShapesThatNoMemoryHasAreRefused) {
  EXPECT_THROW(Tensor(Dtype::kF32, {-1}), ContractViolation);
  EXPECT_THROW(Tensor(Dtype::kF32, {-2, -2}), ContractViolation);
  EXPECT_THROW(Tensor(Dtype::kF32, {0, -1}), ContractViolation);
  EXPECT_THROW(Tensor(Dtype::kF32, {int64_t{1} << 62}), ContractViolation);
  EXPECT_THROW(Tensor(Dtype::kE4m3, {int64_t{1} << 32, int64_t{1} << 32}), ContractViolation);
  EXPECT_THROW(Tensor(Dtype::kE4m3, {kMost, 2}), ContractViolation);
  EXPECT_EQ(Tensor(Dtype::kF32, {0, kMost, kMost}).data.size(), 0u);
}

TEST(Tensor, ValuesNeedTheRightType) {
  Tensor x(Dtype::kF32, {2});
  EXPECT_NO_THROW(x.values<float>());
  EXPECT_THROW(x.values<Bf16>(), ContractViolation);
  EXPECT_THROW(x.values<int64_t>(), ContractViolation);
  const Tensor reserved(Dtype::kE4m3, {2});
  EXPECT_THROW(reserved.values<float>(), ContractViolation);
}

TEST(Tensor, AsIsADenseView) {
  Tensor x(Dtype::kF32, {2, 3});
  const auto view = x.As<float, 'T', 'C'>();
  EXPECT_EQ(view.shape, (std::array<int64_t, 2>{2, 3}));
  EXPECT_EQ(view.stride, (std::array<int64_t, 2>{3, 1}));
  view(1, 2) = 5.0f;
  EXPECT_EQ(x.values<float>()[5], 5.0f);
  const Tensor& constant = x;
  EXPECT_EQ((constant.As<float, 'T', 'C'>()(1, 2)), 5.0f);
  EXPECT_EQ((x.As<const float, 'T', 'C'>()(1, 2)), 5.0f);  // readable, from a mutable tensor
  Tensor b(Dtype::kBf16, {1});
  EXPECT_EQ((b.As<const Bf16, 'T'>()(0)), Bf16{0});
}

TEST(Tensor, AsNeedsTheRightRankTypeAndMemory) {
  Tensor x(Dtype::kF32, {2, 3});
  EXPECT_THROW((x.As<float, 'T'>()), ContractViolation);
  EXPECT_THROW((x.As<float, 'T', 'H', 'D'>()), ContractViolation);
  EXPECT_THROW((x.As<Bf16, 'T', 'C'>()), ContractViolation);
  x.shape = {3, 3};
  EXPECT_THROW((x.As<float, 'T', 'C'>()), ContractViolation);
}

TEST(Tensor, RealIsExact) {
  Tensor x(Dtype::kF32, {2});
  x.values<float>()[1] = 0x1.fffffcp-127f;
  EXPECT_EQ(x.Real(1), 0x1.fffffcp-127);
  Tensor b(Dtype::kBf16, {3});
  b.values<Bf16>()[0] = Bf16{0x0001};
  b.values<Bf16>()[1] = Bf16{0xff80};
  b.values<Bf16>()[2] = Bf16{0x7fc0};
  EXPECT_EQ(b.Real(0), 0x1p-133);
  EXPECT_EQ(b.Real(1), -INFINITY);
  EXPECT_TRUE(std::isnan(b.Real(2)));
  Tensor i(Dtype::kI64, {1});
  i.values<int64_t>()[0] = -(int64_t{1} << 53);
  EXPECT_EQ(i.Real(0), -0x1p53);
  EXPECT_THROW(Tensor(Dtype::kInt4, {1}).Real(0), ContractViolation);
}

TEST(Tensor, SetRealRoundsOnceToStorage) {
  Tensor x(Dtype::kF32, {1});
  x.SetReal(0, 1.0f + 0x3p-8f);
  EXPECT_EQ(x.Real(0), 1.0 + 0x3p-8);
  Tensor b(Dtype::kBf16, {1});
  b.SetReal(0, 1.0f + 0x3p-8f);
  EXPECT_EQ(b.Real(0), 1.0 + 0x1p-6);
  Tensor i(Dtype::kI64, {1});
  EXPECT_THROW(i.SetReal(0, 1.0f), ContractViolation);
}

}  // namespace
}  // namespace touchstone
