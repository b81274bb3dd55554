// Every kernel under kernels/ as something to be judged and timed. Under the execution model, where
// the judging is tested, those that call cuBLAS are left out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/kernels/device_call.h"
#include "bench/kernels/problem.h"
#include "kernels/model/kernel_declarations.cuh"

namespace touchstone::bench {

struct Contender {
  std::string op, algorithm;
  Dtype recipe;
  Forgotten kernel;
  std::unique_ptr<DeviceCall> (*make)(const Problem& problem);
  bool is_bounded;
};

template <typename Function>
std::unique_ptr<DeviceCall> Make(const Problem& problem) {
  return std::make_unique<CallOf<Function>>(problem);
}
template <typename Function>
Contender One(const char* op, const char* algorithm, Dtype recipe, Function* kernel,
              bool is_bounded = false) {
  return {op, algorithm, recipe, reinterpret_cast<Forgotten>(kernel), Make<Function>, is_bounded};
}

inline std::vector<Contender> AllKernels() {
  std::vector<Contender> all;
#define BOTH(op, Function, kernel, algorithm, is_bounded)                                          \
  all.push_back(One<decltype(Function<float>)>(#op, #algorithm, Dtype::kF32, kernel, is_bounded)); \
  all.push_back(One<decltype(Function<Bf16>)>(#op, #algorithm, Dtype::kBf16, kernel, is_bounded));
#define CANDIDATE(folder, op, Function, algorithm) \
  BOTH(op, Function, folder::op::algorithm, algorithm, false)
#ifdef __CUDACC__
#define CANDIDATE_CUBLAS(folder, op, Function, algorithm) \
  BOTH(op, Function, folder::op::algorithm, algorithm, true)
#else
#define CANDIDATE_CUBLAS(folder, op, Function, algorithm)
#endif
#define CANDIDATE_F32(folder, op, Function, algorithm) \
  all.push_back(One<decltype(Function)>(#op, #algorithm, Dtype::kF32, folder::op::algorithm));
#include "kernels.def"
#undef BOTH
#undef CANDIDATE
#undef CANDIDATE_CUBLAS
#undef CANDIDATE_F32
  return all;
}

}  // namespace touchstone::bench
