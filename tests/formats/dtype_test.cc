#include "reference/formats/dtype.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace touchstone {
namespace {

constexpr Dtype kAll[] = {Dtype::kF32,  Dtype::kBf16, Dtype::kE4m3, Dtype::kE5m2,
                          Dtype::kE8m0, Dtype::kInt4, Dtype::kI64};

// The spelling is part of every golden file.
TEST(Dtype, Names) {
  EXPECT_EQ(Name(Dtype::kF32), "f32");
  EXPECT_EQ(Name(Dtype::kBf16), "bf16");
  EXPECT_EQ(Name(Dtype::kE4m3), "e4m3");
  EXPECT_EQ(Name(Dtype::kE5m2), "e5m2");
  EXPECT_EQ(Name(Dtype::kE8m0), "e8m0");
  EXPECT_EQ(Name(Dtype::kInt4), "int4");
  EXPECT_EQ(Name(Dtype::kI64), "i64");
}

TEST(Dtype, EveryNameIsItsOwnAndReadsBack) {
  std::set<std::string_view> names;
  for (const Dtype dtype : kAll) {
    EXPECT_TRUE(names.insert(Name(dtype)).second) << Name(dtype);
    EXPECT_EQ(DtypeFromName(Name(dtype)), dtype);
  }
}

TEST(Dtype, OtherNamesAreRefused) {
  for (const char* name :
       {"", "f3", "f32 ", " f32", "F32", "BF16", "bfloat16", "f64", "i32", "unknown", "fp8_e4m3"}) {
    EXPECT_EQ(DtypeFromName(name), std::nullopt) << name;
  }
  EXPECT_EQ(DtypeFromName(std::string_view("f32\0", 4)), std::nullopt);
}

TEST(Dtype, ElementBytes) {
  EXPECT_EQ(ElementBytes(Dtype::kF32), 4u);
  EXPECT_EQ(ElementBytes(Dtype::kBf16), 2u);
  EXPECT_EQ(ElementBytes(Dtype::kI64), 8u);
  for (const Dtype dtype : {Dtype::kE4m3, Dtype::kE5m2, Dtype::kE8m0, Dtype::kInt4}) {
    EXPECT_EQ(ElementBytes(dtype), 1u) << Name(dtype);
  }
}

}  // namespace
}  // namespace touchstone
