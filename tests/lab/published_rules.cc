#include "tests/lab/published_rules.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace touchstone::lab {
namespace {

bool Is16Bit(const JudgedOutput& o) { return o.dtype == Dtype::kBf16; }

template <typename Accept>
bool Every(const JudgedOutput& o, Accept accept) {
  for (size_t i = 0; i < o.got.size(); ++i) {
    if (!accept(o.got[i], o.right[i], i)) return false;
  }
  return true;
}

// |got - right| <= absolute + relative |right|, equal values and pairs of NaN first.
bool AllClose(const JudgedOutput& o, double absolute, double relative) {
  return Every(o, [&](double got, double right, size_t) {
    if (got == right || (std::isnan(got) && std::isnan(right))) return true;
    return std::fabs(got - right) <= absolute + relative * std::fabs(right);
  });
}

bool Torch(const JudgedOutput& o) { return AllClose(o, 1e-5, Is16Bit(o) ? 1.6e-2 : 1.3e-6); }

bool KernelBench(const JudgedOutput& o) {
  const double tolerance = Is16Bit(o) ? 1e-2 : 1e-4;
  return AllClose(o, tolerance, tolerance);
}

// Written as rejection, so that a NaN is accepted.
bool LlmC(const JudgedOutput& o) {
  return Every(o, [](double got, double right, size_t) {
    return !(std::fabs(right - got) > 1e-4 + std::fabs(right) * 0.079);
  });
}

bool RelativelyEqual(const JudgedOutput& o, double epsilon, double floor) {
  return Every(o, [&](double got, double right, size_t) {
    if (got == right) return true;
    const double sum = std::fabs(got) + std::fabs(right), error = std::fabs(got - right);
    const bool small = got == 0.0 || right == 0.0 || sum < floor;
    return error < epsilon * (small ? floor : sum);
  });
}

bool CutlassProfiler(const JudgedOutput& o) { return RelativelyEqual(o, 0.05, 1.0 / 256.0); }

bool CutlassTest(const JudgedOutput& o) {
  return RelativelyEqual(o, 0.1, std::numeric_limits<float>::min());
}

bool FlashInferBench(const JudgedOutput& o, double matched) {
  size_t bad = 0;
  for (size_t i = 0; i < o.got.size(); ++i) {
    if (!std::isfinite(o.got[i])) return false;
    const double error = std::fabs(o.got[i] - o.right[i]);
    bad += error > 1e-2 && error / (std::fabs(o.right[i]) + 1e-8) > 1e-2 ? 1 : 0;
  }
  return static_cast<double>(bad) <= (1.0 - matched) * static_cast<double>(o.got.size());
}

bool FlashInferBenchAll(const JudgedOutput& o) { return FlashInferBench(o, 1.0); }
bool FlashInferBenchMoe(const JudgedOutput& o) { return FlashInferBench(o, 0.95); }

bool DeepGemm(const JudgedOutput& o, double limit) {
  double product = 0.0, squares = 0.0;
  for (size_t i = 0; i < o.got.size(); ++i) {
    product += o.got[i] * o.right[i];
    squares += o.got[i] * o.got[i] + o.right[i] * o.right[i];
  }
  if (squares == 0.0) return true;
  return 1.0 - 2.0 * product / squares < limit;
}

bool DeepGemmFp8(const JudgedOutput& o) { return DeepGemm(o, 1e-3); }
bool DeepGemmBf16(const JudgedOutput& o) { return DeepGemm(o, 1e-5); }

bool LlamaCpp(const JudgedOutput& o) {
  double error = 0.0, size = 0.0;
  for (size_t i = 0; i < o.got.size(); ++i) {
    if (std::isnan(o.got[i])) return false;
    error += (o.right[i] - o.got[i]) * (o.right[i] - o.got[i]);
    size += o.right[i] * o.right[i];
  }
  return size == 0.0 ? error == 0.0 : error / size <= 5e-4;
}

bool FlashAttention(const JudgedOutput& o) {
  return Every(o, [&](double got, double, size_t i) {
    return got == o.real[i] || std::fabs(got - o.real[i]) <= 2.0 * o.plain_error;
  });
}

bool FlashInferFuzz(const JudgedOutput& o) {
  double largest = 0.0;
  for (const double real : o.real) largest = std::max(largest, std::fabs(real));
  return Every(o, [&](double got, double, size_t i) {
    return std::fabs(got - o.real[i]) <= 1.5e-2 * largest + 1e-3 + 1e-2 * std::fabs(o.real[i]);
  });
}

// Machine epsilon as the harnesses use it: twice the unit roundoff.
double Epsilon(const JudgedOutput& o) { return Is16Bit(o) ? 0x1p-7 : 0x1p-23; }

bool HipDnn(const JudgedOutput& o) {
  const double sum = static_cast<double>(o.terms) * o.largest_a * o.largest_b;
  const double growth = 2.0 * static_cast<double>(o.terms) * 0x1p-23;
  const double tolerance = growth / (1.0 - growth) * sum + sum * Epsilon(o);
  return Every(
      o, [&](double got, double, size_t i) { return std::fabs(got - o.real[i]) <= tolerance; });
}

bool Dmmch(const JudgedOutput& o) {
  return Every(o, [&](double got, double, size_t i) {
    const double error = std::fabs(got - o.real[i]);
    return error == 0.0 || error / Epsilon(o) / o.magnitude[i] < 16.0;
  });
}

}  // namespace

const std::vector<PublishedRule>& PublishedRules() {
  static const std::vector<PublishedRule> rules = {
      {"torch.testing", "|o-r| <= 1e-5 + 1.6e-2 |r| (f32: 1.3e-6)", "PyTorch, default tolerances",
       false, Torch},
      {"KernelBench", "|o-r| <= 1e-2 + 1e-2 |r| (f32: 1e-4)", "eval.py", false, KernelBench},
      {"llm.c", "|o-r| <= 1e-4 + 0.079 |r|, a NaN passes", "dev/cuda/common.h", false, LlmC},
      {"CUTLASS profiler", "relative difference 0.05", "tools/profiler/src/options.cu", false,
       CutlassProfiler},
      {"CUTLASS unit test", "relative difference 0.1", "gemm_testbed_3x.hpp", false, CutlassTest},
      {"flashinfer-bench", "wrong only if |o-r| > 1e-2 and |o-r| > 1e-2 |r|", "bench/utils.py",
       false, FlashInferBenchAll},
      {"flashinfer-bench MoE", "the same for 95 % of the elements", "eval_config.yaml", false,
       FlashInferBenchMoe},
      {"DeepGEMM fp8", "1 - 2 o.r / (o.o + r.r) < 1e-3", "deep_gemm/testing/numeric.py", false,
       DeepGemmFp8},
      {"DeepGEMM bf16", "1 - 2 o.r / (o.o + r.r) < 1e-5", "deep_gemm/testing/numeric.py", false,
       DeepGemmBf16},
      {"llama.cpp", "sum (o-r)^2 / sum r^2 <= 5e-4", "test-backend-ops.cpp", false, LlamaCpp},
      {"FlashAttention", "largest error <= 2 x that of a plain kernel", "tests/test_flash_attn.py",
       false, FlashAttention},
      {"FlashInfer fuzz", "|o-c| <= 1.5e-2 max|c| + 1e-3 + 1e-2 |c|",
       "tests/gemm/test_unified_gemm_fuzz.py", false, FlashInferFuzz},
      {"hipDNN", "|o-c| <= one bound from K max|a| max|b|", "DynamicTolerances.hpp", true, HipDnn},
      {"BLAS DMMCH", "|o-c| < 16 eps sum |a b|", "BLAS/TESTING/dblat3.f", true, Dmmch},
  };
  return rules;
}

}  // namespace touchstone::lab
