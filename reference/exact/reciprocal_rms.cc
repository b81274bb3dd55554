#include "reference/exact/reciprocal_rms.h"

namespace touchstone::exact {

Enclosure ReciprocalRms(const Enclosure& x, double eps) {
  const double n = static_cast<double>(x.cols());
  const double rho = 1.01 * ((n + 5.0) * kUnit / 2.0 + 2.0 * kFunctionError);
  const Matrix zero = Matrix::Zero(x.rows(), x.cols());
  const Matrix smallest = x.lower.max(zero) - x.upper.min(zero);  // 0 where the interval holds 0
  const Matrix largest = x.lower.abs().max(x.upper.abs());
  const auto mean_square = [n](const Matrix& a) -> Matrix {
    return a.square().rowwise().sum() / n;
  };
  const auto reciprocal_root = [eps](const Matrix& mean) -> Matrix {
    return 1.0 / (mean + eps).sqrt();
  };

  Enclosure r = Exactly(reciprocal_root(mean_square(x.value)));
  r.lower = reciprocal_root(mean_square(largest) + 2.0 * Underflow()) * (1.0 - rho);
  r.upper = reciprocal_root((mean_square(smallest) - 2.0 * Underflow()).max(0.0)) * (1.0 + rho);
  // A row with an infinity has r = 0 whatever the order; so it stays judged.
  r.undecidable = x.undecidable.rowwise().any() ||
                  (mean_square(largest) * n > kOverflow && mean_square(x.value).isFinite());
  Settle(&r);
  return r;
}

}  // namespace touchstone::exact
