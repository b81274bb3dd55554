// A stack to run on and the switch between two of them: by hand on x86-64 with System V's calling
// convention (a few nanoseconds), elsewhere ucontext (a system call each).
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define TOUCHSTONE_SIMT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOUCHSTONE_SIMT_ASAN 1
#endif
#endif

#if !defined(__x86_64__)
#define TOUCHSTONE_SIMT_UCONTEXT 1
#include <ucontext.h>
#endif

namespace touchstone::simt {

inline constexpr size_t kStackBytes = 128 * 1024;

struct Fiber {
  char* stack = nullptr;  // kStackBytes, the lowest page a guard; null: the OS thread's own stack
#ifdef TOUCHSTONE_SIMT_UCONTEXT
  ucontext_t context = {};
#else
  void* stack_pointer = nullptr;
#endif
  void* shadow_stack = nullptr;  // the address sanitizer's
};

// Makes the fiber begin at `entry`, which must not return.
void Prepare(Fiber* fiber, void (*entry)());
void SwitchTo(Fiber* from, Fiber* to);
// To be called by `entry` first.
void OnFiberStart();

}  // namespace touchstone::simt
