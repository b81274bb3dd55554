// Eigen's matrix product as a kernel of op linear.
#include <Eigen/Dense>

#include "tests/strangers/linear_call.h"

namespace {

using touchstone::strangers::LinearCall;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

int Run(const touchstone_call* call) {
  LinearCall linear(*call);
  const Eigen::Map<const Matrix> x(linear.x.data(), linear.T, linear.C);
  const Eigen::Map<const Matrix> weight(linear.weight.data(), linear.F, linear.C);
  Eigen::Map<Matrix>(linear.y.data(), linear.T, linear.F).noalias() = x * weight.transpose();
  linear.Store(*call);
  return 0;
}

}  // namespace

TOUCHSTONE_KERNEL(linear) = touchstone::strangers::OnProcessor("Eigen product", Run);
