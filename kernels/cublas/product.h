// Products of matrices by cuBLAS, for the bounded candidates that are about it and for the bench,
// whose rival it is. Its library is opened when it is first asked for, and its functions are
// declared in product.cu, so that neither building nor loading the kernels needs it.
//
// Matrices are dense and row-major, on the device. bf16 is multiplied by tensor cores and summed in
// binary32, in an order that is cuBLAS's own; binary32 without TF32.
#pragma once

#include <cstdint>
#include <string>

#include "reference/formats/bf16.h"

namespace touchstone::kernels::cublas {

// Why cuBLAS cannot be used here, else null.
const char* WhyNot();

// "cuBLAS 13.0.1". Where it can be used.
std::string Version();

// y (rows, columns) = x (rows, depth) weight (columns, depth)^T.
void Product(const float* x, const float* weight, int64_t rows, int64_t columns, int64_t depth,
             float* y);
void Product(const Bf16* x, const Bf16* weight, int64_t rows, int64_t columns, int64_t depth,
             Bf16* y);

// The same for each of `groups` blocks of rows with a weight (columns, depth) of its own: block g
// is the rows [offsets[g], offsets[g + 1]). offsets lie on the host.
void GroupedProduct(const float* x, const float* weight, const int64_t* offsets, int64_t groups,
                    int64_t columns, int64_t depth, float* y);
void GroupedProduct(const Bf16* x, const Bf16* weight, const int64_t* offsets, int64_t groups,
                    int64_t columns, int64_t depth, Bf16* y);

}  // namespace touchstone::kernels::cublas
