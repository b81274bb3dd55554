// Asynchronous copies from global to shared memory, for tiles that are loaded while others are
// computed. PTX ISA 9.0, 9.7.9.25 (sm_80 and later).
//
//   CpAsync16(shared, global, filled)  issues a copy of 16 bytes, both addresses multiples of 16:
//                                      the first `filled` bytes come from global, the rest are
//                                      zero; with filled = 0 global is not read
//   CpAsyncCommit()                    closes the thread's open group of copies
//   CpAsyncWait<kLeft>()               waits until at most the kLeft youngest closed groups of the
//                                      thread are under way
//
// What a thread copied is seen by others after its wait and a barrier.
#pragma once

#include "kernels/simt/simt.cuh"

namespace touchstone::ptx {

#ifdef __CUDACC__

__device__ __forceinline__ void CpAsync16(void* shared, const void* global, unsigned filled = 16) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(address), "l"(global), "r"(filled)
               : "memory");
}
__device__ __forceinline__ void CpAsyncCommit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int kLeft>
__device__ __forceinline__ void CpAsyncWait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}

#else

inline void CpAsync16(void* shared, const void* global, unsigned filled = 16) {
  simt::AsyncCopy(shared, global, 16, filled);
}
inline void CpAsyncCommit() { simt::AsyncCommit(); }
template <int kLeft>
void CpAsyncWait() {
  simt::AsyncWait(kLeft);
}

#endif

}  // namespace touchstone::ptx
