#include "kernels/simt/fiber.h"

#ifdef TOUCHSTONE_SIMT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace touchstone::simt {
namespace {

#ifdef TOUCHSTONE_SIMT_ASAN
// The OS thread's own stack, which a switch back to it must name.
thread_local const void* os_stack = nullptr;
thread_local size_t os_stack_bytes = 0;
#endif

#ifndef TOUCHSTONE_SIMT_UCONTEXT
// Saves the registers that a call must keep; all others are dead across it.
[[gnu::naked, gnu::noinline]] void SwitchStack(void** /*save*/, void* /*load*/) {
  asm volatile(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n"
      "movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n"
      "ret\n");
}
#endif

}  // namespace

void Prepare(Fiber* fiber, void (*entry)()) {
#ifdef TOUCHSTONE_SIMT_ASAN
  // The frames of an abandoned thread were never left: what guarded them is still marked.
  __asan_unpoison_memory_region(fiber->stack, kStackBytes);
  fiber->shadow_stack = nullptr;
#endif
#ifdef TOUCHSTONE_SIMT_UCONTEXT
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = kStackBytes;
  makecontext(&fiber->context, entry, 0);
#else
  // The first switch pops six registers and returns to `entry`, the stack as at a call.
  auto* slot = reinterpret_cast<void**>(fiber->stack + kStackBytes - 16);
  *slot = reinterpret_cast<void*>(entry);
  fiber->stack_pointer = slot - 6;
#endif
}

void SwitchTo(Fiber* from, Fiber* to) {
#ifdef TOUCHSTONE_SIMT_ASAN
  __sanitizer_start_switch_fiber(&from->shadow_stack, to->stack != nullptr ? to->stack : os_stack,
                                 to->stack != nullptr ? kStackBytes : os_stack_bytes);
#endif
#ifdef TOUCHSTONE_SIMT_UCONTEXT
  swapcontext(&from->context, &to->context);
#else
  SwitchStack(&from->stack_pointer, to->stack_pointer);
#endif
#ifdef TOUCHSTONE_SIMT_ASAN
  __sanitizer_finish_switch_fiber(from->shadow_stack, nullptr, nullptr);
#endif
}

void OnFiberStart() {
#ifdef TOUCHSTONE_SIMT_ASAN
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (os_stack == nullptr) {
    os_stack = bottom;
    os_stack_bytes = bytes;
  }
#endif
}

}  // namespace touchstone::simt
