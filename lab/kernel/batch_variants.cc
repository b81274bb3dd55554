#include "lab/kernel/batch_variants.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>

#include "lab/chain.h"
#include "lab/input_class.h"

namespace touchstone::lab {
namespace {

constexpr int64_t kRowsAlone = 4;    // so many rows of a case are tried alone
constexpr int64_t kPaddingRows = 3;  // appended, all zero

// Where a row of a variant comes from.
enum class From { kCase, kOther, kNan, kZero };
struct Row {
  From from = From::kCase;
  int64_t index = 0;
};

// A tensor as (outer, rows, inner) about one axis, in bytes.
struct Axis {
  size_t outer = 1, rows = 1, inner_bytes = 1;
};

Axis AxisOf(const Tensor& tensor, size_t d) {
  Axis axis;
  axis.inner_bytes = ElementBytes(tensor.dtype);
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    const size_t extent = static_cast<size_t>(tensor.shape[i]);
    (i < d ? axis.outer : i == d ? axis.rows : axis.inner_bytes) *= extent;
  }
  return axis;
}

void CopyBytes(std::byte* to, const std::byte* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

// The rows of one axis; `other` is a tensor of the same shape with other values.
Tensor Gather(const Tensor& own, const Tensor& other, size_t d, const std::vector<Row>& rows) {
  std::vector<int64_t> shape = own.shape;
  shape[d] = static_cast<int64_t>(rows.size());
  Tensor out(own.dtype, shape);
  const Axis axis = AxisOf(own, d);
  // A neighbour's index or position must stay one: only numbers can be NaN, and zero is taken from
  // the other case too.
  const bool is_number = own.dtype != Dtype::kI64;
  for (size_t o = 0; o < axis.outer; ++o) {
    for (size_t r = 0; r < rows.size(); ++r) {
      std::byte* to = out.data.data() + (o * rows.size() + r) * axis.inner_bytes;
      const Row& row = rows[r];
      if (row.from == From::kNan && is_number) {
        for (size_t i = 0; i < axis.inner_bytes; ++i) to[i] = std::byte{0xff};
      } else if (row.from != From::kZero || !is_number) {
        const Tensor& source = row.from == From::kCase ? own : other;
        CopyBytes(to,
                  source.data.data() +
                      (o * axis.rows + static_cast<size_t>(row.index)) * axis.inner_bytes,
                  axis.inner_bytes);
      }
    }
  }
  return out;
}

Tensor RowOf(const Tensor& tensor, size_t d, int64_t row) {
  return Gather(tensor, tensor, d, {{From::kCase, row}});
}

char Lower(char letter) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
}

// The sizes with `rows` rows; false where another letter would change too.
bool WithRows(const Case& c, int64_t rows, Case* out) {
  *out = c;
  out->sizes[c.op->rows] = rows;
  if (c.op->derive) c.op->derive(&out->sizes);
  out->sizes[c.op->rows] = rows;
  for (const auto& [letter, size] : c.sizes) {
    if (letter != c.op->rows && out->sizes.at(letter) != size) return false;
  }
  return true;
}

struct Plan {
  std::string what;
  std::vector<Row> rows;
};

std::vector<Plan> PlansFor(int64_t count, char letter) {
  const auto own = [](int64_t i) { return Row{From::kCase, i}; };
  std::vector<Plan> plans;
  if (count > 1) {
    Plan reversed{"rows reversed", {}};
    for (int64_t i = count; i-- > 0;) reversed.rows.push_back(own(i));
    plans.push_back(std::move(reversed));
    const int64_t alone = std::min(count, kRowsAlone);
    for (int64_t i = 0; i < alone; ++i) {
      const int64_t row = alone == 1 ? 0 : i * (count - 1) / (alone - 1);
      plans.push_back({fmt::format("row {}={} alone", letter, row), {own(row)}});
    }
  }
  Plan others{"each row followed by a row of other values", {}};
  Plan nans{"each row after a row of NaN", {}};
  Plan padded{"rows of zeros appended", {}};
  for (int64_t i = 0; i < count; ++i) {
    others.rows.insert(others.rows.end(), {own(i), {From::kOther, i}});
    nans.rows.insert(nans.rows.end(), {{From::kNan, i}, own(i)});
    padded.rows.push_back(own(i));
  }
  for (int64_t i = 0; i < kPaddingRows; ++i) padded.rows.push_back({From::kZero, i % count});
  plans.insert(plans.end(), {std::move(others), std::move(nans), std::move(padded)});
  return plans;
}

}  // namespace

std::vector<Variant> VariantsOf(const Case& c, const Tensors& inputs) {
  const char letter = c.op->rows;
  if (letter == 0 || !c.sizes.contains(letter) || c.size(letter) == 0) return {};
  const int64_t count = c.size(letter);
  Case other_case = c;
  other_case.seed = c.seed + 1;
  const Tensors others = MakeTensors(other_case);

  std::vector<Variant> variants;
  for (const Plan& plan : PlansFor(count, Lower(letter))) {
    Variant variant{plan.what, c, {}, {}};
    if (!WithRows(c, static_cast<int64_t>(plan.rows.size()), &variant.c)) return {};
    for (const Row& row : plan.rows) {
      variant.rows.push_back(row.from == From::kCase ? row.index : -1);
    }
    for (const Argument& argument : c.op->arguments) {
      if (argument.role == Role::kOut) continue;
      Tensor tensor = inputs.at(argument.name);
      Tensor other = others.at(argument.name);
      for (size_t d = 0; d < argument.dims.size(); ++d) {
        if (argument.dims[d] != letter) continue;
        tensor = Gather(tensor, other, d, plan.rows);
        other = Gather(other, other, d, plan.rows);
      }
      variant.inputs.emplace(argument.name, std::move(tensor));
    }
    variants.push_back(std::move(variant));
  }
  return variants;
}

RowComparison CompareRows(const Variant& variant, const Tensors& got, const Tensors& alone) {
  const char letter = variant.c.op->rows;
  RowComparison result;
  std::vector<bool> differs(variant.rows.size(), false);
  bool compared = false;
  for (const Argument& argument : variant.c.op->arguments) {
    const size_t d = argument.dims.find(letter);
    if (argument.role == Role::kIn || d == std::string::npos) continue;
    compared = true;
    const Tensor& mine = got.at(argument.name);
    const Tensor& before = alone.at(argument.name);
    for (size_t r = 0; r < variant.rows.size(); ++r) {
      if (variant.rows[r] < 0) continue;
      const Tensor here = RowOf(mine, d, static_cast<int64_t>(r));
      const Tensor there = RowOf(before, d, variant.rows[r]);
      const Comparison bits = CompareBits(argument.name, argument.dims, here, there);
      if (bits.outside == 0) continue;
      if (!result.first) {
        result.first = bits.first;
        // The row's own coordinate is 0 in a tensor of one row.
        const std::string in_one_row = fmt::format("{}=0", Lower(letter));
        const size_t at = result.first->at.find(in_one_row);
        if (at != std::string::npos) {
          result.first->at.replace(at, in_one_row.size(), fmt::format("{}={}", Lower(letter), r));
        }
      }
      differs[r] = true;
    }
  }
  if (!compared) return result;
  for (size_t r = 0; r < variant.rows.size(); ++r) {
    if (variant.rows[r] < 0) continue;
    ++result.compared;
    result.different += differs[r] ? 1 : 0;
  }
  return result;
}

}  // namespace touchstone::lab
