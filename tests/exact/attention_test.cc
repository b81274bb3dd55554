// A sound kernel that the bound must hold: the scale joins q before the scores, each rounded, even
// where the unscaled scores are exact in every order.
#include <gtest/gtest.h>

#include <cmath>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

// Two keys, all ones and (D, 0, ... 0): equal scores D Q, and values 1 and -1, so that o = 0.
TEST(AttentionBound, HoldsAKernelThatScalesTheQueryFirst) {
  for (const auto& [D, Q] : {std::pair{128, 34.0}, std::pair{256, 36.0}, std::pair{1024, 50.0}}) {
    for (const double unit : {1.0, 1.4426950408889634}) {  // exp, and exp2 of scores times log2(e)
      Matrix q = Matrix::Constant(1, D, Q), keys = Matrix::Zero(2, D), values = Matrix::Zero(2, D);
      keys.row(0).setConstant(1.0);
      keys(1, 0) = D;
      values.row(0).setConstant(1.0);
      values.row(1).setConstant(-1.0);
      Operands<Enclosure> in;
      in.reals = {{"q", Exactly(q)}, {"keys", Exactly(keys)}, {"values", Exactly(values)}};
      in.integers["positions"] = {1};
      in.attributes["chunk"] = 0;
      in.sizes = {{'T', 1}, {'S', 2}, {'H', 1}, {'G', 1}, {'D', D}};
      Results<Enclosure> out;
      FindSecondReference("attention").enclose(in, &out);

      const float alpha = static_cast<float>(1.0 / std::sqrt(static_cast<double>(D)));
      const float scaled =
          static_cast<float>(Q) * static_cast<float>(static_cast<double>(alpha) * unit);
      float s0 = 0.0f;
      for (int d = 0; d < D; ++d) s0 = std::fma(scaled, 1.0f, s0);
      const float s1 = scaled * static_cast<float>(D), m = std::max(s0, s1);
      const auto power = [unit = unit](float x) {
        return static_cast<float>(std::exp(static_cast<double>(x) / unit));
      };
      const float p0 = power(s0 - m), p1 = power(s1 - m);
      const double y = static_cast<double>((p0 - p1) / (p0 + p1));
      EXPECT_LE(out.reals.at("y").lower(0, 0), y) << D;
      EXPECT_GE(out.reals.at("y").upper(0, 0), y) << D;
      EXPECT_LT(out.reals.at("y").upper(0, 0), 0.2) << "a bound that says nothing";
    }
  }
}

}  // namespace
}  // namespace touchstone::exact
