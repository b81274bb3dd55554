#include "lab/diagnosis/ulp_histogram.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

namespace touchstone::lab {
namespace {

constexpr int kBins = 34;  // 0, 1, 2, 3-4, 5-8, ...

// The number of the bin of a distance: 0, 1, then one for each power of two that it does not
// exceed.
size_t BinOf(int64_t distance) {
  if (distance <= 1) return static_cast<size_t>(distance);
  return static_cast<size_t>(std::bit_width(static_cast<uint64_t>(distance - 1))) + 1;
}

std::string LabelOf(size_t bin) {
  if (bin <= 2) return fmt::format("{}", bin);
  return fmt::format("{}-{}", (int64_t{1} << (bin - 2)) + 1, int64_t{1} << (bin - 1));
}

}  // namespace

int64_t UlpDistance(double a, double b, Dtype dtype) {
  const auto rank = [dtype](double x) {
    const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(std::fabs(x)));
    return static_cast<int64_t>(dtype == Dtype::kBf16 ? bits >> 16 : bits);
  };
  return std::abs(rank(a) - rank(b));
}

std::vector<UlpBin> UlpHistogram(const Suspect& suspect) {
  std::vector<int64_t> by_distance(kBins, 0);
  int64_t other_sign = 0, not_finite = 0;
  for (const auto& [name, wrong] : suspect.wrong) {
    const Tensor& got = suspect.got.at(name);
    const Tensor& right = suspect.right.at(name);
    if (got.dtype == Dtype::kI64) continue;
    for (int64_t i = 0; i < got.count(); ++i) {
      const double x = got.Real(i), y = right.Real(i);
      if (SameBits(got, i, right, i)) {
        ++by_distance[0];
      } else if (!std::isfinite(x) || !std::isfinite(y)) {
        ++not_finite;
      } else if (std::signbit(x) != std::signbit(y)) {
        ++other_sign;
      } else {
        ++by_distance[BinOf(UlpDistance(x, y, got.dtype))];
      }
    }
  }
  std::vector<UlpBin> bins;
  for (size_t bin = 0; bin < by_distance.size(); ++bin) {
    if (by_distance[bin] > 0) bins.push_back({LabelOf(bin), by_distance[bin]});
  }
  if (other_sign > 0) bins.push_back({"other sign", other_sign});
  if (not_finite > 0) bins.push_back({"NaN or infinite on one side", not_finite});
  return bins;
}

}  // namespace touchstone::lab
