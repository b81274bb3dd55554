// Runs the CUDA starters on the processor: threads of a block are fibers that take turns at
// __syncthreads, blocks run one after the other. The test writes `kernel<<<blocks, threads, bytes,
// stream>>>(arguments)` as `Launch(blocks, threads, stream, kernel-as-a-function)`. It shows that
// the arithmetic and the indices are right, and nothing about a GPU.
#pragma once

#include <ucontext.h>

#include <bit>
#include <cmath>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __shared__ static

struct uint3 {
  unsigned x, y, z;
};
inline uint3 threadIdx, blockIdx;

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess = 0 };
inline cudaError_t cudaGetLastError() { return cudaSuccess; }

inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }

// One block: fiber i is thread i; `main_` goes round them until all have returned.
class BlockOfFibers {
 public:
  void Run(unsigned threads, const std::function<void()>& body) {
    body_ = &body;
    fibers_.resize(threads);
    stacks_.resize(threads);
    finished_.assign(threads, false);
    for (unsigned i = 0; i < threads; ++i) {
      stacks_[i].resize(kStackBytes);
      getcontext(&fibers_[i]);
      fibers_[i].uc_stack.ss_sp = stacks_[i].data();
      fibers_[i].uc_stack.ss_size = kStackBytes;
      fibers_[i].uc_link = &main_;
      makecontext(&fibers_[i], Enter, 0);
    }
    for (unsigned left = threads; left > 0;) {
      for (unsigned i = 0; i < threads; ++i) {
        if (finished_[i]) continue;
        threadIdx = {i, 0, 0};
        swapcontext(&main_, &fibers_[i]);
        if (finished_[i]) --left;
      }
    }
  }
  void Yield() { swapcontext(&fibers_[threadIdx.x], &main_); }

  static BlockOfFibers& Only() {
    static BlockOfFibers block;
    return block;
  }

 private:
  static constexpr size_t kStackBytes = 32768;

  static void Enter() {
    (*Only().body_)();
    Only().finished_[threadIdx.x] = true;
  }

  const std::function<void()>* body_ = nullptr;
  ucontext_t main_ = {};
  std::vector<ucontext_t> fibers_;
  std::vector<std::vector<char>> stacks_;
  std::vector<bool> finished_;
};

inline void __syncthreads() { BlockOfFibers::Only().Yield(); }

inline void Launch(unsigned blocks, unsigned threads, cudaStream_t,
                   const std::function<void()>& body) {
  for (unsigned b = 0; b < blocks; ++b) {
    blockIdx = {b, 0, 0};
    BlockOfFibers::Only().Run(threads, body);
  }
}
