#include "lab/diff/decisions.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace touchstone::lab {
namespace {

std::vector<int64_t> Row(const Tensor& rows, int64_t t) {
  const int64_t width = rows.shape.back();
  const int64_t* row = rows.values<int64_t>() + t * width;
  return {row, row + width};
}

// Those of `in` that are not in `out`.
std::vector<int64_t> Without(const std::vector<int64_t>& in, const std::vector<int64_t>& out) {
  std::vector<int64_t> rest;
  for (const int64_t e : in) {
    if (std::find(out.begin(), out.end(), e) == out.end()) rest.push_back(e);
  }
  return rest;
}

std::optional<double> Margin(const RecordedSide& side, const std::string& logits, int64_t sequence,
                             int64_t token, int64_t from, int64_t to) {
  if (!side.Has(logits)) return std::nullopt;
  const Tensor row = side.Rows(logits, sequence, token, 1);
  const bool are_there = std::min(from, to) >= 0 && std::max(from, to) < row.count();
  if (!are_there) return std::nullopt;
  return row.Real(from) - row.Real(to);
}

// Rule N6: a NaN beats all, then the lowest index among equals.
int64_t Argmax(const double* row, int64_t width) {
  int64_t best = 0;
  for (int64_t v = 0; v < width; ++v) {
    if (std::isnan(row[v])) return v;
    if (row[v] > row[best]) best = v;
  }
  return best;
}

}  // namespace

std::vector<double> Reals(const Tensor& rows) {
  std::vector<double> reals(static_cast<size_t>(rows.count()));
  const auto widen = [&reals](const auto* from, const auto& convert) {
    std::transform(from, from + reals.size(), reals.begin(), convert);
  };
  switch (rows.dtype) {
    case Dtype::kF32:
      widen(rows.values<float>(), [](float x) { return static_cast<double>(x); });
      break;
    case Dtype::kBf16:
      widen(rows.values<Bf16>(), [](Bf16 x) { return static_cast<double>(Widen(x)); });
      break;
    default:  // expert numbers
      widen(rows.values<int64_t>(), [](int64_t x) { return static_cast<double>(x); });
  }
  return reals;
}

void ForEachBlock(const TextInputs& inputs, int64_t row_elements,
                  const std::function<void(int64_t, int64_t, int64_t)>& visit) {
  constexpr int64_t kElements = 1 << 20;
  const int64_t rows = std::max(int64_t{1}, kElements / std::max(int64_t{1}, row_elements));
  for (int64_t b = 0; b < inputs.batch; ++b) {
    const int64_t length = inputs.lengths[static_cast<size_t>(b)];
    for (int64_t t = 0; t < length; t += rows) visit(b, t, std::min(rows, length - t));
  }
}

void AddExpertChanges(const RecordedSide& a, const RecordedSide& b, const std::string& chosen,
                      int64_t layer, TraceDiff* diff) {
  const std::string logits =
      chosen.substr(0, chosen.size() - std::strlen("chosen")) + "router_logits";
  const auto visit = [&](int64_t sequence, int64_t first, int64_t count) {
    const Tensor rows_a = a.Rows(chosen, sequence, first, count);
    const Tensor rows_b = b.Rows(chosen, sequence, first, count);
    for (int64_t t = 0; t < count; ++t) {
      ++diff->choices;
      const std::vector<int64_t> in_a = Row(rows_a, t), in_b = Row(rows_b, t);
      ExpertChange change{layer, sequence, first + t, Without(in_a, in_b), Without(in_b, in_a),
                          {},    {}};
      if (change.from.empty() && change.to.empty()) continue;
      ++diff->expert_changes;
      if (diff->experts.size() == TraceDiff::kListed) continue;
      if (!change.from.empty() && !change.to.empty()) {
        const int64_t from = change.from[0], to = change.to[0];
        change.margin_a = Margin(a, logits, sequence, first + t, from, to);
        change.margin_b = Margin(b, logits, sequence, first + t, from, to);
      }
      diff->experts.push_back(std::move(change));
    }
  };
  ForEachBlock(a.recording.inputs(), a.RowShape(chosen).back(), visit);
}

void AddArgmaxChanges(const RecordedSide& a, const RecordedSide& b, const std::string& logits,
                      TraceDiff* diff) {
  const auto visit = [&](int64_t sequence, int64_t first, int64_t count) {
    const std::vector<double> rows_a = Reals(a.Rows(logits, sequence, first, count));
    const std::vector<double> rows_b = Reals(b.Rows(logits, sequence, first, count));
    const int64_t width = static_cast<int64_t>(rows_a.size()) / count;
    for (int64_t t = 0; t < count; ++t) {
      const double *in_a = rows_a.data() + t * width, *in_b = rows_b.data() + t * width;
      ++diff->argmaxes;
      const int64_t from = Argmax(in_a, width), to = Argmax(in_b, width);
      if (from == to) continue;
      ++diff->argmax_changes;
      if (diff->argmax.size() == TraceDiff::kListed) continue;
      diff->argmax.push_back(
          {sequence, first + t, from, to, in_a[from] - in_a[to], in_b[from] - in_b[to]});
    }
  };
  ForEachBlock(a.recording.inputs(), a.RowShape(logits).back(), visit);
}

}  // namespace touchstone::lab
