// The race build's view of a run. Kernel files are compiled with -fsanitize=thread, and
// race_hooks.cc gives the compiler's hooks a meaning of its own: the detector (race_detector.h)
// knows CUDA's barriers, warps, blocks and asynchronous copies. In any other build every function
// here is empty.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace touchstone::simt::race {

#ifdef TOUCHSTONE_SIMT_RACE
void OnLaunchBegin();
void OnLaunchEnd();
void OnBlockBegin();
void OnBlockBarrier();
void OnWarpBarrier(unsigned warp, unsigned mask);
// An asynchronous copy of the running thread, from its issue, at `pc`, to the wait that asks for
// it, whenever its bytes land.
void OnCopyBegin(const void* to, const void* from, size_t bytes, size_t filled, const void* pc);
void OnCopyEnd(const void* to, const void* from, size_t bytes, size_t filled);
void OnStacks(const void* begin, size_t bytes);        // a thread's own memory, never shared
void OnSharedMemory(const void* begin, size_t bytes);  // unwritten at each block's begin
void OnAllocate(const void* begin, size_t bytes);      // device memory, unwritten
void OnFree(const void* begin);
void OnHostWrite(const void* begin, size_t bytes);  // into device memory, between launches
// What was found since the last call, a line each; at most 8 of a launch.
std::vector<std::string> TakeFindings();
#else
inline void OnLaunchBegin() {}
inline void OnLaunchEnd() {}
inline void OnBlockBegin() {}
inline void OnBlockBarrier() {}
inline void OnWarpBarrier(unsigned, unsigned) {}
inline void OnCopyBegin(const void*, const void*, size_t, size_t, const void*) {}
inline void OnCopyEnd(const void*, const void*, size_t, size_t) {}
inline void OnStacks(const void*, size_t) {}
inline void OnSharedMemory(const void*, size_t) {}
inline void OnAllocate(const void*, size_t) {}
inline void OnFree(const void*) {}
inline void OnHostWrite(const void*, size_t) {}
inline std::vector<std::string> TakeFindings() { return {}; }
#endif

}  // namespace touchstone::simt::race
