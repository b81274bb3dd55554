#include "bench/judgement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "lab/chain.h"

namespace touchstone::bench {
namespace {

constexpr int64_t kTokens = 4, kOutputs = 64;

// `count` of [0, extent), spread, first and last among them.
std::vector<int64_t> Spread(int64_t extent, int64_t count) {
  std::vector<int64_t> chosen;
  count = std::min(extent, count);
  for (int64_t i = 0; i < count; ++i) {
    chosen.push_back(count == 1 ? 0 : i * (extent - 1) / (count - 1));
  }
  return chosen;
}

using Rows = std::map<char, std::vector<int64_t>>;  // by letter

// The chosen indices of the axes that `rows` names, all of the others.
Tensor PartOf(const Tensor& whole, const std::string& dims, const Rows& rows) {
  Tensor part = whole;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const auto found = rows.find(dims[axis]);
    if (found == rows.end()) continue;
    Tensor next;
    next.dtype = part.dtype;
    next.shape = part.shape;
    next.shape[axis] = static_cast<int64_t>(found->second.size());
    size_t inner = ElementBytes(part.dtype), outer = 1;
    for (size_t i = axis + 1; i < dims.size(); ++i) inner *= static_cast<size_t>(part.shape[i]);
    for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(part.shape[i]);
    const size_t extent = static_cast<size_t>(part.shape[axis]);
    for (size_t o = 0; o < outer; ++o) {
      for (const int64_t index : found->second) {
        const auto begin =
            part.data.begin() +
            static_cast<std::ptrdiff_t>((o * extent + static_cast<size_t>(index)) * inner);
        next.data.insert(next.data.end(), begin, begin + static_cast<std::ptrdiff_t>(inner));
      }
    }
    part = std::move(next);
  }
  return part;
}

Tensor RoundedTo(Dtype storage, const Tensor& tensor) {
  if (tensor.dtype == storage) return tensor;
  Tensor rounded(storage, tensor.shape);
  for (int64_t i = 0; i < tensor.count(); ++i) rounded.SetReal(i, tensor.values<float>()[i]);
  return rounded;
}

Rows RowsOf(const lab::Case& c) {
  Rows rows{{'T', Spread(c.size('T'), kTokens)}};
  if (c.op->name == "linear") rows['F'] = Spread(c.size('F'), kOutputs);
  return rows;
}

}  // namespace

Judge::Judge(const Copies& copies) : whole_(copies.c()), part_(copies.c()) {
  const Rows rows = RowsOf(part_);
  for (const auto& [letter, chosen] : rows) {
    part_.sizes[letter] = static_cast<int64_t>(chosen.size());
  }
  for (const auto& [name, tensor] : copies.at(0)) {
    part_inputs_.emplace(name, PartOf(tensor, part_.op->argument(name).dims, rows));
  }
  expected_ = lab::Enclose(part_, part_inputs_, lab::AllPlaces(*part_.op, exact::Place::kHull));
}

Judged Judge::Of(const Contender& contender) {
  if (!contender.not_run.empty()) return {lab::Verdict::kNotRun, contender.not_run};
  std::memset(contender.y->data.data(), 0xff, contender.y->data.size());
  contender.call(0);
  const Tensor got = RoundedTo(whole_.recipe, *contender.y);

  const std::string& dims = part_.op->argument("y").dims;
  lab::Tensors part = part_inputs_;
  part.at("y") = PartOf(got, dims, RowsOf(whole_));
  lab::Comparison comparison = lab::CompareWithExpected(part_, part, expected_);
  Judged judged{lab::Verdict::kWithinBound, {}, comparison.compared, comparison.largest_ratio};
  if (contender.ours && comparison.Passed()) {
    if (reference_.shape.empty()) {
      reference_ = got;
    } else {
      comparison = lab::CompareBits("y", dims, got, reference_);
      judged.verdict = lab::Verdict::kBitExact;
      judged.compared = comparison.compared;
    }
  }
  if (!comparison.Passed()) {
    judged.verdict = lab::Verdict::kFailed;
    judged.reason = !comparison.first
                        ? "nothing could be compared"
                        : fmt::format("{} of {} elements, first {}: {}, not {}", comparison.outside,
                                      comparison.compared, comparison.first->at,
                                      comparison.first->got, comparison.first->wanted);
  }
  return judged;
}

}  // namespace touchstone::bench
