// The host function of every kernel under kernels/, for those who put all of them into a table.
// kernels.def has a row for each file; all_ops.h has the reference's functions, whose types they
// have.
#pragma once

#include "all_ops.h"

#define CANDIDATE(folder, op, Function, algorithm) \
  namespace touchstone::folder::op {               \
  decltype(Function<float>) algorithm;             \
  decltype(Function<Bf16>) algorithm;              \
  }
#define CANDIDATE_F32(folder, op, Function, algorithm) \
  namespace touchstone::folder::op {                   \
  decltype(Function) algorithm;                        \
  }
#define CANDIDATE_CUBLAS CANDIDATE
#include "kernels.def"
#undef CANDIDATE
#undef CANDIDATE_F32
#undef CANDIDATE_CUBLAS
