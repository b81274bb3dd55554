// What libfmt.so and libhwy.so define, for a program that is linked without them: Debian has
// neither as a static library. Of fmt the sources are among its headers. Of Highway four functions
// are used; the battery asks nothing of the candidates that call them.
#include <fmt/format-inl.h>
#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <cstdlib>

FMT_BEGIN_NAMESPACE
namespace detail {

template auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;
template void buffer<char>::append(const char*, const char*);

}  // namespace detail
FMT_END_NAMESPACE

namespace hwy {

int64_t SupportedTargets() { return __builtin_cpu_supports("avx2") != 0 ? HWY_AVX2 : HWY_SSE4; }
ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}
void* AllocateAlignedBytes(size_t bytes, AllocPtr, void*) {
  void* memory = nullptr;
  return posix_memalign(&memory, HWY_ALIGNMENT, bytes) == 0 ? memory : nullptr;
}
void FreeAlignedBytes(const void* memory, FreePtr, void*) { std::free(const_cast<void*>(memory)); }

}  // namespace hwy
