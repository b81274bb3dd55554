// Combine: y = RN(sum of a token's rows). Of n rows, n - 1 additions in any order; the last one is
// one IEEE operation on two partial sums, whose errors are together at most
//
//   (n - 2) u sum |row|        (Jeannerod and Rump: no higher-order term; a sum never underflows)
//
// One row, the published case, is exact.
#include <algorithm>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

std::vector<std::vector<int64_t>> RowsOfTokens(const Integers& row_token, int64_t T) {
  std::vector<std::vector<int64_t>> rows(static_cast<size_t>(T));
  for (size_t r = 0; r < row_token.size(); ++r) {
    rows.at(static_cast<size_t>(row_token[r])).push_back(static_cast<int64_t>(r));
  }
  return rows;
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(combine) {
  const Enclosure& x = in.real("rows");
  const auto rows = RowsOfTokens(in.integer("row_token"), in.size('T'));
  Enclosure y = Exactly(Matrix::Zero(in.size('T'), x.cols()));
  for (int64_t t = 0; t < y.rows(); ++t) {
    const auto& mine = rows[static_cast<size_t>(t)];
    if (mine.empty()) continue;
    Enclosure sum = Exactly(Matrix::Zero(1, x.cols()));
    Matrix size = Matrix::Zero(1, x.cols());  // sum |row| of the finite ones
    for (const int64_t r : mine) {
      sum.value += x.value.row(r);
      sum.lower += x.lower.row(r);
      sum.upper += x.upper.row(r);
      sum.undecidable = sum.undecidable || x.undecidable.row(r);
      size += x.value.row(r).isFinite().select(x.lower.row(r).abs().max(x.upper.row(r).abs()),
                                               Matrix::Zero(1, x.cols()));
    }
    const double before_last = static_cast<double>(mine.size()) - 2.0;
    if (before_last > 0.0) {
      sum.lower -= before_last * (kUnit * size + FlushedSum());
      sum.upper += before_last * (kUnit * size + FlushedSum());
      // Finite rows may add up to an infinity, which a row that is the other one makes a NaN.
      sum.undecidable = sum.undecidable || (size > kOverflow && !sum.value.isNaN());
    }
    Settle(&sum);
    if (mine.size() > 1) sum = Rounded(sum, LastOperation(in.storage));
    y.value.row(t) = sum.value;
    y.lower.row(t) = sum.lower;
    y.upper.row(t) = sum.upper;
    y.undecidable.row(t) = sum.undecidable;
  }
  out->reals["y"] = y;
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(combine) {
  const FloatMatrix& x = in.real("rows");
  const auto rows = RowsOfTokens(in.integer("row_token"), in.size('T'));
  FloatMatrix y(in.size('T'), x.cols());
  for (int64_t t = 0; t < y.rows(); ++t) {
    const auto& mine = rows[static_cast<size_t>(t)];
    for (int64_t c = 0; c < y.cols(); ++c) {
      const float sum = profile.Sum(static_cast<int64_t>(mine.size()),
                                    [&](int64_t i) { return x(mine[static_cast<size_t>(i)], c); });
      y(t, c) = profile.Output(sum, in.output);
    }
  }
  out->reals["y"] = y;
}
