// Rows of recording.h's tensors.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "lab/recording/activation.h"
#include "lab/recording/recording.h"
#include "reference/formats/require.h"

namespace touchstone::lab {
namespace {

size_t RowBytes(const Tensor& rows) {
  return rows.shape[0] == 0 ? 0 : rows.data.size() / static_cast<size_t>(rows.shape[0]);
}

// (H, T, D) to (T, H, D), of the tokens first to first + count - 1.
Tensor TokensFirst(const Tensor& heads, int64_t first, int64_t count) {
  const int64_t H = heads.shape[0], T = heads.shape[1], D = heads.shape[2];
  Tensor rows(heads.dtype, {count, H, D});
  const size_t bytes = static_cast<size_t>(D) * ElementBytes(heads.dtype);
  if (bytes == 0) return rows;
  for (int64_t t = 0; t < count; ++t) {
    for (int64_t h = 0; h < H; ++h) {
      std::memcpy(rows.data.data() + static_cast<size_t>(t * H + h) * bytes,
                  heads.data.data() + static_cast<size_t>(h * T + first + t) * bytes, bytes);
    }
  }
  return rows;
}

}  // namespace

Tensor Recording::ReadSource(const Source& source, int64_t sequence, int64_t first,
                             int64_t count) const {
  TOUCHSTONE_REQUIRE(sequence >= 0 && sequence < inputs_.batch);
  const int64_t length = inputs_.lengths[static_cast<size_t>(sequence)];
  TOUCHSTONE_REQUIRE(first >= 0 && count >= 0 && first <= length - count);
  if (source.heads_first) {
    const int64_t heads = source.extents[0];
    return TokensFirst(reader_.ReadRows(source.dataset, 2, sequence * heads, heads), first, count);
  }
  const int64_t begin = source.one_for_all ? 0 : sequence * inputs_.tokens;
  Tensor rows = reader_.ReadRows(source.dataset, source.leading, begin + first, count);
  rows.shape.assign(1, count);
  rows.shape.insert(rows.shape.end(), source.extents.begin(), source.extents.end());
  if (!source.projector.empty()) PlaceImages(source, sequence, first, &rows);
  return rows;
}

void Recording::PlaceImages(const Source& source, int64_t sequence, int64_t first,
                            Tensor* rows) const {
  int64_t before = 0;  // image tokens of earlier sequences and tokens
  for (int64_t b = 0; b < sequence; ++b) {
    const std::vector<int64_t> ids = inputs_.ids_of(b);
    before += std::count(ids.begin(), ids.end(), image_token_);
  }
  const std::vector<int64_t> ids = inputs_.ids_of(sequence);
  const auto begin = ids.begin() + first, end = begin + rows->shape[0];
  before += std::count(ids.begin(), begin, image_token_);
  const Tensor images =
      reader_.ReadRows(source.projector, 1, before, std::count(begin, end, image_token_));
  const size_t bytes = RowBytes(*rows);
  const std::byte* from = images.data.data();
  for (auto id = begin; id != end; ++id) {
    if (*id != image_token_) continue;
    std::memcpy(rows->data.data() + static_cast<size_t>(id - begin) * bytes, from, bytes);
    from += bytes;
  }
}

// Best first: by score, then by logit where it is recorded (two logits may have one sigmoid, and
// that of a very small one is 0), then the lower number. Whether the others' scores are 0 is for a
// judge.
Tensor Recording::ChosenFrom(const RecordedRun& run, const std::string& path, int64_t sequence,
                             int64_t first, int64_t count) const {
  const Source& source = SourceOf(run, path);
  const Tensor scores = ReadSource(source, sequence, first, count);
  const int64_t experts = scores.shape.back();
  const std::string router = path.substr(0, path.size() - std::strlen("chosen")) + "router_logits";
  const bool has_logits = Has(run, router);
  const Tensor logits = has_logits ? ReadTokens(run, router, sequence, first, count) : Tensor();
  if (has_logits && logits.shape != scores.shape) {
    throw Bad(source.dataset, "scores of another shape than the router's logits", "the same");
  }
  // Where no configuration says how many, the file's first token does, for all rows.
  int64_t wanted = experts_a_token_;
  if (wanted == 0) {
    const Tensor one = ReadSource(source, 0, 0, 1);
    for (int64_t e = 0; e < experts; ++e) wanted += one.Real(e) == 0.0 ? 0 : 1;
  }
  Tensor chosen(Dtype::kI64, {count, wanted});
  std::vector<int64_t> order(static_cast<size_t>(experts));
  for (int64_t t = 0; t < count; ++t) {
    const auto is_better = [&](int64_t a, int64_t b) {
      const double left = scores.Real(t * experts + a), right = scores.Real(t * experts + b);
      const bool left_nan = left != left, right_nan = right != right;  // a NaN beats all (N6)
      if (left_nan != right_nan) return left_nan;
      if (left > right || left < right) return left > right;
      if (!has_logits) return false;
      return logits.Real(t * experts + a) > logits.Real(t * experts + b);
    };
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(), is_better);
    std::copy_n(order.begin(), wanted, chosen.values<int64_t>() + t * wanted);
  }
  return chosen;
}

void Recording::CheckExperts(const Source& source, int64_t sequence, int64_t first,
                             const Tensor& chosen) const {
  const int64_t* values = chosen.values<int64_t>();
  for (int64_t i = 0; i < chosen.count(); ++i) {
    if (values[i] >= 0 && (experts_ == 0 || values[i] < experts_)) continue;
    const int64_t token = first + i / (chosen.count() / chosen.shape[0]);
    throw Bad(fmt::format("{}[b={} t={}]", source.dataset, sequence, token),
              fmt::format("expert {}", values[i]),
              experts_ == 0 ? "0 or more" : fmt::format("0 to {}", experts_ - 1));
  }
}

Tensor Recording::ReadTokens(const RecordedRun& run, const std::string& path, int64_t sequence,
                             int64_t first, int64_t count) const {
  const Source& source = SourceOf(run, path);
  if (source.is_chosen) return ChosenFrom(run, path, sequence, first, count);
  Tensor rows = ReadSource(source, sequence, first, count);
  if (IsInteger(path)) CheckExperts(source, sequence, first, rows);
  return rows;
}

Tensor Recording::Read(const RecordedRun& run, const std::string& path, int64_t sequence) const {
  TOUCHSTONE_REQUIRE(sequence >= 0 && sequence < inputs_.batch);
  return ReadTokens(run, path, sequence, 0, inputs_.lengths[static_cast<size_t>(sequence)]);
}

Tensor Recording::ReadCopy(const RecordedRun& run, size_t copy, int64_t sequence) const {
  TOUCHSTONE_REQUIRE(copy < run.copies.size() && sequence >= 0 && sequence < inputs_.batch);
  const auto source = copies_.find(run.copies[copy].first);
  TOUCHSTONE_REQUIRE(source != copies_.end());
  return ReadSource(source->second, sequence, 0, inputs_.lengths[static_cast<size_t>(sequence)]);
}

}  // namespace touchstone::lab
