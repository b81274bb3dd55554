// The functions that a compiler calls before every access of a file compiled with
// -fsanitize=thread, in place of the sanitizer's own run time, and those of race.h.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/simt/race.h"
#include "kernels/simt/race_detector.h"

namespace touchstone::simt::race {
namespace {

uintptr_t Address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

}  // namespace

void OnLaunchBegin() { TheDetector().BeginLaunch(); }
void OnLaunchEnd() { TheDetector().EndLaunch(); }
void OnBlockBegin() { TheDetector().BeginBlock(); }
void OnBlockBarrier() { TheDetector().BlockBarrier(); }
void OnWarpBarrier(unsigned warp, unsigned mask) { TheDetector().WarpBarrier(warp, mask); }
void OnCopyBegin(const void* to, const void* from, size_t bytes, size_t filled, const void* pc) {
  TheDetector().BeginCopy(Address(to), Address(from), bytes, filled, PlaceOf(pc));
}
void OnCopyEnd(const void* to, const void* from, size_t bytes, size_t filled) {
  TheDetector().EndCopy(Address(to), Address(from), bytes, filled);
}
void OnStacks(const void* begin, size_t bytes) {
  TheDetector().IgnoreStacks(Address(begin), bytes);
}
void OnSharedMemory(const void* begin, size_t bytes) {
  TheDetector().Add(Address(begin), bytes, true);
}
void OnAllocate(const void* begin, size_t bytes) {
  TheDetector().Add(Address(begin), bytes, false);
}
void OnFree(const void* begin) { TheDetector().Remove(Address(begin)); }
void OnHostWrite(const void* begin, size_t bytes) {
  TheDetector().HostWrite(Address(begin), bytes);
}
std::vector<std::string> TakeFindings() { return TheDetector().TakeFindings(); }

}  // namespace touchstone::simt::race

// A hook that is missing here does not link, so that a compiler's new one is noticed.
#define TOUCH(p, bytes, access)                                                           \
  ::touchstone::simt::race::TheDetector().Touch(reinterpret_cast<uintptr_t>(p), bytes,    \
                                                ::touchstone::simt::race::Access::access, \
                                                __builtin_return_address(0))

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_read(void**) {}
void __tsan_vptr_update(void**, void*) {}

#define ACCESSES(bytes)                                                  \
  void __tsan_read##bytes(void* p) { TOUCH(p, bytes, kRead); }           \
  void __tsan_write##bytes(void* p) { TOUCH(p, bytes, kWrite); }         \
  void __tsan_unaligned_read##bytes(void* p) { TOUCH(p, bytes, kRead); } \
  void __tsan_unaligned_write##bytes(void* p) { TOUCH(p, bytes, kWrite); }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void* p, size_t bytes) { TOUCH(p, bytes, kRead); }
void __tsan_write_range(void* p, size_t bytes) { TOUCH(p, bytes, kWrite); }
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  TOUCH(from, bytes, kRead);
  TOUCH(to, bytes, kWrite);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  TOUCH(from, bytes, kRead);
  TOUCH(to, bytes, kWrite);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
  TOUCH(to, bytes, kWrite);
  return std::memset(to, value, bytes);
}

// One OS thread runs all CUDA threads, so that plain accesses are atomic.
#define ATOMICS(bits, T)                                                                     \
  T __tsan_atomic##bits##_load(const T* p, int) {                                            \
    TOUCH(p, sizeof(T), kAtomicRead);                                                        \
    return *p;                                                                               \
  }                                                                                          \
  void __tsan_atomic##bits##_store(T* p, T value, int) {                                     \
    TOUCH(p, sizeof(T), kAtomicWrite);                                                       \
    *p = value;                                                                              \
  }                                                                                          \
  T __tsan_atomic##bits##_exchange(T* p, T value, int) {                                     \
    TOUCH(p, sizeof(T), kAtomicWrite);                                                       \
    return std::exchange(*p, value);                                                         \
  }                                                                                          \
  T __tsan_atomic##bits##_fetch_add(T* p, T value, int) {                                    \
    TOUCH(p, sizeof(T), kAtomicUpdate);                                                      \
    return std::exchange(*p, *p + value);                                                    \
  }                                                                                          \
  bool __tsan_atomic##bits##_compare_exchange_strong(T* p, T* expected, T value, int, int) { \
    TOUCH(p, sizeof(T), kAtomicUpdate);                                                      \
    if (*p != *expected) {                                                                   \
      *expected = *p;                                                                        \
      return false;                                                                          \
    }                                                                                        \
    *p = value;                                                                              \
    return true;                                                                             \
  }                                                                                          \
  T __tsan_atomic##bits##_compare_exchange_val(T* p, T expected, T value, int, int) {        \
    TOUCH(p, sizeof(T), kAtomicUpdate);                                                      \
    return *p == expected ? std::exchange(*p, value) : *p;                                   \
  }
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

}  // extern "C"
