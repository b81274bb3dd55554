// The default build is for x86-64-v3. On an older processor it must say so and end with exit code
// 3, before the first instruction that the processor does not have.
#include <cstdio>
#include <cstdlib>

#ifdef TOUCHSTONE_NEEDS_V3
namespace {

// Before the constructors of static objects, which are compiled for x86-64-v3.
__attribute__((constructor(101))) void RequireV3() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    return;
  }
  std::fputs(
      "touchstone: this build needs a processor with AVX2, FMA and BMI2 (x86-64-v3); the preset "
      "'portable' gives the same bits on any: TOUCHSTONE_PRESET=portable ./touchstone ...\n",
      stderr);
  std::_Exit(3);
}

}  // namespace
#endif
