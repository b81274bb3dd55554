#include "reference/formats/view.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

namespace touchstone {
namespace {

std::string MessageOf(const auto& work) {
  try {
    work();
  } catch (const ContractViolation& violation) {
    return violation.what();
  }
  return "nothing was thrown";
}

std::vector<int> Ascending(size_t count) {
  std::vector<int> values(count);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST(View, PackedIsRowMajor) {
  std::vector<int> memory = Ascending(2 * 3 * 4);
  const auto x = Packed<'T', 'H', 'D'>(memory.data(), 2, 3, 4);
  EXPECT_EQ(x.shape, (std::array<int64_t, 3>{2, 3, 4}));
  EXPECT_EQ(x.stride, (std::array<int64_t, 3>{12, 4, 1}));
  for (int t = 0; t < 2; ++t) {
    for (int h = 0; h < 3; ++h) {
      for (int d = 0; d < 4; ++d) EXPECT_EQ(x(t, h, d), 12 * t + 4 * h + d);
    }
  }
  EXPECT_EQ(&x(1, 2, 3), &memory.back());
  x(1, 2, 3) = -1;
  EXPECT_EQ(memory.back(), -1);
}

TEST(View, StridesCountElements) {
  std::vector<int> memory = Ascending(12);
  // A (3, 4) matrix seen as its transpose, its rows in reverse, and one of its columns.
  const View<int, 'C', 'T'> transposed{memory.data(), {4, 3}, {1, 4}};
  EXPECT_EQ(transposed(1, 2), 9);
  const View<int, 'T', 'C'> reversed{memory.data() + 8, {3, 4}, {-4, 1}};
  EXPECT_EQ(reversed(0, 0), 8);
  EXPECT_EQ(reversed(2, 3), 3);
  const View<int, 'T'> column{memory.data() + 1, {3}, {4}};
  EXPECT_EQ(column(2), 9);
  // Stride 0: one row for every token.
  const View<int, 'T', 'C'> repeated{memory.data(), {100, 4}, {0, 1}};
  EXPECT_EQ(repeated(99, 3), 3);
}

TEST(View, AMutableViewIsAReadableOne) {
  std::vector<float> memory(6);
  const auto x = Packed<'T', 'C'>(memory.data(), 2, 3);
  const View<const float, 'T', 'C'> readable = x;
  EXPECT_EQ(readable.data, memory.data());
  EXPECT_EQ(readable.stride, x.stride);
  using Mutable = View<float, 'T', 'C'>;
  using Readable = View<const float, 'T', 'C'>;
  using OtherLetters = View<const float, 'C', 'T'>;
  static_assert(std::is_convertible_v<Mutable, Readable>);
  static_assert(!std::is_convertible_v<Readable, Mutable>);
  static_assert(!std::is_convertible_v<Mutable, OtherLetters>);
}

TEST(View, RankZeroIsOneElement) {
  float value = 3.0f;
  const View<float> scalar{&value, {}, {}};
  EXPECT_EQ(scalar(), 3.0f);
}

TEST(View, CarriesItsLetters) {
  using X = View<float, 'T', 'J', '2'>;
  static_assert(X::Carries('T') && X::Carries('J') && X::Carries('2'));
  static_assert(!X::Carries('C') && !View<float>::Carries('T'));
}

TEST(Extent, IsWhatAllViewsShare) {
  float memory[12];
  const auto x = Packed<'T', 'C'>(memory, 3, 4);
  const auto weight = Packed<'C'>(memory, 4);
  EXPECT_EQ(Extent<'T'>(x), 3);
  EXPECT_EQ(Extent<'T'>(weight, x), 3);  // a view without the letter has no say
  EXPECT_EQ(Extent<'C'>(x, weight, x), 4);
  EXPECT_EQ(Extent<'T'>(Packed<'T', 'C'>(memory, 0, 4)), 0);
}

TEST(Extent, AMismatchNamesTheLetterAndTheView) {
  float memory[12];
  const auto x = Packed<'T', 'C'>(memory, 3, 4);
  const auto weight = Packed<'C'>(memory, 5);
  const auto y = Packed<'T', 'C'>(memory, 2, 4);
  EXPECT_EQ(MessageOf([&] { Extent<'C'>(x, weight, y); }), "extent C of view 2 is 5, expected 4");
  EXPECT_EQ(MessageOf([&] { Extent<'T'>(x, weight, y); }), "extent T of view 3 is 2, expected 3");
  const auto square = Packed<'D', 'D'>(memory, 3, 4);
  EXPECT_EQ(MessageOf([&] { Extent<'D'>(square); }), "extent D of view 1 is 4, expected 3");
}

TEST(Extent, ANegativeOneIsRefused) {
  float memory[1];
  const auto x = Packed<'T', 'C'>(memory, -1, 4);
  EXPECT_EQ(MessageOf([&] { Extent<'T'>(x); }), "extent T of view 1 is -1, expected 0 or more");
  const auto y = Packed<'T', 'C'>(memory, 3, 4);
  EXPECT_EQ(MessageOf([&] { Extent<'T'>(y, x); }), "extent T of view 2 is -1, expected 3");
}

TEST(Extent, ADigitIsItsOwnExtent) {
  float memory[12];
  EXPECT_EQ(Extent<'2'>(Packed<'J', '2'>(memory, 6, 2)), 2);
  const auto table = Packed<'J', '2'>(memory, 4, 3);
  EXPECT_EQ(MessageOf([&] { Extent<'2'>(table); }), "extent 2 of view 1 is 3, expected 2");
}

TEST(View, AnIndexOutsideIsRefusedWhereChecked) {
#ifdef TOUCHSTONE_CHECK_INDEX
  float memory[12];
  const auto x = Packed<'T', 'C'>(memory, 3, 4);
  EXPECT_NO_THROW(x(2, 3));
  for (const auto& [t, c] : {std::pair{-1, 0}, {3, 0}, {0, -1}, {0, 4}}) {
    EXPECT_THROW(x(t, c), ContractViolation) << t << ", " << c;
  }
#else
  // Preset sanitize checks every index; elsewhere the check would cost more than the op.
  GTEST_SKIP() << "built without TOUCHSTONE_CHECK_INDEX";
#endif
}

}  // namespace
}  // namespace touchstone
