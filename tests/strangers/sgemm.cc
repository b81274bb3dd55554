// A BLAS's sgemm as a kernel of op linear; which BLAS is the link line's choice.
#include "tests/strangers/linear_call.h"

extern "C" void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n,
                       const int* k, const float* alpha, const float* a, const int* lda,
                       const float* b, const int* ldb, const float* beta, float* c, const int* ldc);

namespace {

using touchstone::strangers::LinearCall;

// BLAS stores columns: what is (T, F) by rows is (F, T) by columns.
int Run(const touchstone_call* call) {
  LinearCall linear(*call);
  if (linear.T > 0 && linear.F > 0 && linear.C > 0) {
    const int T = static_cast<int>(linear.T), C = static_cast<int>(linear.C);
    const int F = static_cast<int>(linear.F);
    const float one = 1.0f, zero = 0.0f;
    sgemm_("T", "N", &F, &T, &C, &one, linear.weight.data(), &C, linear.x.data(), &C, &zero,
           linear.y.data(), &F);
  }
  linear.Store(*call);
  return 0;
}

}  // namespace

TOUCHSTONE_KERNEL(linear) = touchstone::strangers::OnProcessor(STRANGER, Run);
