#include "kernels/cublas/product.h"

#include <dlfcn.h>

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "kernels/simt/simt.cuh"
#include "reference/formats/require.h"

namespace touchstone::kernels::cublas {
namespace {

// As cublas_api.h declares them; handles are pointers, enumerations int.
struct Library {
  int (*create)(void** handle) = nullptr;
  int (*set_stream)(void* handle, cudaStream_t stream) = nullptr;
  int (*set_math)(void* handle, int mode) = nullptr;
  int (*version)(void* handle, int* version) = nullptr;
  const char* (*text)(int status) = nullptr;
  int (*product)(void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha,
                 const void* a, cudaDataType a_type, int lda, const void* b, cudaDataType b_type,
                 int ldb, const void* beta, void* c, cudaDataType c_type, int ldc, int compute,
                 int algorithm) = nullptr;
  int (*grouped)(void* handle, const int* op_a, const int* op_b, const int* m, const int* n,
                 const int* k, const void* alpha, const void* const* a, cudaDataType a_type,
                 const int* lda, const void* const* b, cudaDataType b_type, const int* ldb,
                 const void* beta, void* const* c, cudaDataType c_type, const int* ldc, int groups,
                 const int* group_sizes, int compute) = nullptr;
  void* handle = nullptr;
  std::string complaint = {};
};

constexpr int kPlain = 0, kTransposed = 1;          // cublasOperation_t
constexpr int kCompute32F = 68, kDefaultGemm = -1;  // cublasComputeType_t, cublasGemmAlgo_t
constexpr int kNoReducedSums = 16;                  // of cublasMath_t: no partial sums in bf16

template <typename Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

Library Open() {
  Library all;
  void* library = nullptr;
  // TOUCHSTONE_CUBLAS names another file than the loader would find.
  const char* named = std::getenv("TOUCHSTONE_CUBLAS");
  const std::vector<const char*> names =
      named != nullptr ? std::vector<const char*>{named}
                       : std::vector<const char*>{"libcublas.so.13", "libcublas.so.12"};
  for (const char* name : names) {
    if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  if (library == nullptr) {
    all.complaint = std::string("there is no cuBLAS here (") + names.front() + ")";
  } else if (!Find(library, "cublasCreate_v2", &all.create) ||
             !Find(library, "cublasSetStream_v2", &all.set_stream) ||
             !Find(library, "cublasSetMathMode", &all.set_math) ||
             !Find(library, "cublasGetVersion_v2", &all.version) ||
             !Find(library, "cublasGetStatusString", &all.text) ||
             !Find(library, "cublasGemmEx", &all.product) ||
             !Find(library, "cublasGemmGroupedBatchedEx", &all.grouped)) {
    all.complaint = "cuBLAS lacks a function that is needed (12.5 or later has all)";
  } else if (int status = all.create(&all.handle);
             status != 0 || (status = all.set_math(all.handle, kNoReducedSums)) != 0) {
    all.complaint = std::string("cuBLAS: ") + all.text(status);
  }
  return all;
}

const Library& Opened() {
  static const Library library = Open();
  return library;
}

// Ready for a call on this thread's stream.
const Library& Ready() {
  if (const char* why = WhyNot(); why != nullptr) throw simt::ExecutionError(why);
  const Library& library = Opened();
  library.set_stream(library.handle, simt::CurrentStream());
  return library;
}

void Check(const Library& library, int status, const char* call) {
  if (status != 0) throw simt::ExecutionError(std::string(call) + ": " + library.text(status));
}

int Int(int64_t x) {
  TOUCHSTONE_REQUIRE(x >= 0 && x <= std::numeric_limits<int>::max());
  return static_cast<int>(x);
}

template <typename Storage>
constexpr cudaDataType kType = sizeof(Storage) == sizeof(float) ? CUDA_R_32F : CUDA_R_16BF;

// cuBLAS's matrices are column-major: y^T = weight x^T.
template <typename Storage>
void Run(const Storage* x, const Storage* weight, int64_t rows, int64_t columns, int64_t depth,
         Storage* y) {
  if (rows == 0 || columns == 0) return;
  if (depth == 0) {
    simt::Check(cudaMemsetAsync(y, 0, sizeof(Storage) * rows * columns, simt::CurrentStream()),
                "cudaMemsetAsync");
    return;
  }
  const float one = 1.0f, zero = 0.0f;
  const Library& library = Ready();
  Check(library,
        library.product(library.handle, kTransposed, kPlain, Int(columns), Int(rows), Int(depth),
                        &one, weight, kType<Storage>, Int(depth), x, kType<Storage>, Int(depth),
                        &zero, y, kType<Storage>, Int(columns), kCompute32F, kDefaultGemm),
        "cublasGemmEx");
}

template <typename Storage>
void RunGrouped(const Storage* x, const Storage* weight, const int64_t* offsets, int64_t groups,
                int64_t columns, int64_t depth, Storage* y) {
  if (columns == 0 || depth == 0) {
    Run(x, weight, offsets[groups], columns, depth, y);
    return;
  }
  // A group of one product for each block that has rows.
  std::vector<const void*> weights, xs, ys;
  std::vector<int> n;
  for (int64_t g = 0; g < groups; ++g) {
    if (offsets[g] == offsets[g + 1]) continue;
    n.push_back(Int(offsets[g + 1] - offsets[g]));
    weights.push_back(weight + g * columns * depth);
    xs.push_back(x + offsets[g] * depth);
    ys.push_back(y + offsets[g] * columns);
  }
  if (n.empty()) return;
  const size_t count = n.size(), bytes = count * sizeof(void*);
  const std::vector<int> transposed(count, kTransposed), plain(count, kPlain), ones(count, 1);
  const std::vector<int> m(count, Int(columns)), k(count, Int(depth));
  const std::vector<float> alpha(count, 1.0f), beta(count, 0.0f);
  simt::DeviceBuffer<const void*> pointers(static_cast<int64_t>(3 * count));
  simt::CopyToDevice(pointers.data(), weights.data(), bytes);
  simt::CopyToDevice(pointers.data() + count, xs.data(), bytes);
  simt::CopyToDevice(pointers.data() + 2 * count, ys.data(), bytes);
  const Library& library = Ready();
  Check(library,
        library.grouped(library.handle, transposed.data(), plain.data(), m.data(), n.data(),
                        k.data(), alpha.data(), pointers.data(), kType<Storage>, k.data(),
                        pointers.data() + count, kType<Storage>, k.data(), beta.data(),
                        const_cast<void* const*>(pointers.data() + 2 * count), kType<Storage>,
                        m.data(), Int(static_cast<int64_t>(count)), ones.data(), kCompute32F),
        "cublasGemmGroupedBatchedEx");
}

}  // namespace

const char* WhyNot() {
  const Library& library = Opened();
  return library.complaint.empty() ? nullptr : library.complaint.c_str();
}

std::string Version() {
  const Library& library = Ready();
  int number = 0;
  Check(library, library.version(library.handle, &number), "cublasGetVersion");
  return "cuBLAS " + std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) +
         "." + std::to_string(number % 100);
}

void Product(const float* x, const float* weight, int64_t rows, int64_t columns, int64_t depth,
             float* y) {
  Run(x, weight, rows, columns, depth, y);
}
void Product(const Bf16* x, const Bf16* weight, int64_t rows, int64_t columns, int64_t depth,
             Bf16* y) {
  Run(x, weight, rows, columns, depth, y);
}

void GroupedProduct(const float* x, const float* weight, const int64_t* offsets, int64_t groups,
                    int64_t columns, int64_t depth, float* y) {
  RunGrouped(x, weight, offsets, groups, columns, depth, y);
}
void GroupedProduct(const Bf16* x, const Bf16* weight, const int64_t* offsets, int64_t groups,
                    int64_t columns, int64_t depth, Bf16* y) {
  RunGrouped(x, weight, offsets, groups, columns, depth, y);
}

}  // namespace touchstone::kernels::cublas
