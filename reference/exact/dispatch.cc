// Dispatch: rows = RN(x score), one IEEE product. Rounding is monotone, so a binary32 product of
// factors that are enclosed lies between the rounded ends of their product; unrounded ends join
// them for a product in wider arithmetic. Factors that are known exactly have one right value.
// Which row is whose is arithmetic of integers: the pairs (expert, token), ascending.
#include <algorithm>
#include <utility>
#include <vector>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

// A row of the experts' input: the pair of expert and token that it is, and which of the token's
// experts that is. Sorted, they are the rows in order.
struct Row {
  int64_t expert, token, place;
};

std::vector<Row> SortedRows(const Integers& chosen, int64_t T, int64_t A) {
  std::vector<Row> rows;
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t a = 0; a < A; ++a) {
      rows.push_back({chosen.at(static_cast<size_t>(t * A + a)), t, a});
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Row& i, const Row& j) {
    return std::pair(i.expert, i.token) < std::pair(j.expert, j.token);
  });
  return rows;
}

// row_token and offsets of those rows.
void AddIntegers(const std::vector<Row>& rows, int64_t E, std::map<std::string, Choices>* choices) {
  Integers row_token, offsets(static_cast<size_t>(E + 1), 0);
  for (const Row& row : rows) {
    row_token.push_back(row.token);
    for (int64_t e = row.expert; e < E; ++e) ++offsets.at(static_cast<size_t>(e + 1));
  }
  (*choices)["row_token"] = Certain(row_token);
  (*choices)["offsets"] = Certain(offsets);
}

// An end this large may be stored as infinity and, times zero, give a NaN; the value is finite.
Mask MayBeStoredAsInfinity(const Enclosure& x) {
  return x.lower != x.upper && x.lower.abs().max(x.upper.abs()) > kOverflow;
}

Enclosure OneProduct(const Enclosure& x, const Enclosure& score) {
  Enclosure y = Multiply(x, score, 0.0);  // exact in binary64 at the ends
  const auto rounded = [](double product) { return RoundReal(product, Dtype::kF32); };
  y.lower = y.lower.min(y.lower.unaryExpr(rounded));
  y.upper = y.upper.max(y.upper.unaryExpr(rounded));
  Settle(&y);
  return y;
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(dispatch) {
  Enclosure x = in.real("x"), scores = in.real("scores");
  x.undecidable = x.undecidable || MayBeStoredAsInfinity(x);
  scores.undecidable = scores.undecidable || MayBeStoredAsInfinity(scores);
  const std::vector<Row> rows = SortedRows(in.integer("chosen"), in.size('T'), in.size('A'));

  Enclosure y = Exactly(Matrix::Zero(static_cast<int64_t>(rows.size()), x.cols()));
  for (int64_t r = 0; r < y.rows(); ++r) {
    const auto [expert, t, a] = rows[static_cast<size_t>(r)];
    const Enclosure x_t{x.value.row(t), x.lower.row(t), x.upper.row(t), x.undecidable.row(t)};
    const Enclosure score{scores.value.block(t, a, 1, 1), scores.lower.block(t, a, 1, 1),
                          scores.upper.block(t, a, 1, 1), scores.undecidable.block(t, a, 1, 1)};
    const Enclosure product = OneProduct(x_t, score);
    y.value.row(r) = product.value;
    y.lower.row(r) = product.lower;
    y.upper.row(r) = product.upper;
    y.undecidable.row(r) = product.undecidable;
  }
  out->reals["rows"] = y;
  AddIntegers(rows, in.size('E'), &out->choices);
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(dispatch) {
  const FloatMatrix& x = in.real("x");
  const FloatMatrix& scores = in.real("scores");
  const std::vector<Row> rows = SortedRows(in.integer("chosen"), in.size('T'), in.size('A'));
  FloatMatrix y(static_cast<int64_t>(rows.size()), x.cols());
  for (int64_t r = 0; r < y.rows(); ++r) {
    const Row& row = rows[static_cast<size_t>(r)];
    for (int64_t c = 0; c < y.cols(); ++c) {
      y(r, c) = profile.Output(x(row.token, c) * scores(row.token, row.place), in.output);
    }
  }
  out->reals["rows"] = y;
  AddIntegers(rows, in.size('E'), &out->choices);
}
