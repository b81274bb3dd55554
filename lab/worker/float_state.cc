#include "lab/worker/float_state.h"

#include <cfenv>

#include "lab/worker/protocol.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace touchstone::lab {

void ResetFloatState() { std::fesetenv(FE_DFL_ENV); }

uint32_t ChangedFloatState() {
  uint32_t changed = 0;
  if (std::fegetround() != FE_TONEAREST) changed |= kRoundsOtherwise;
#if defined(__x86_64__)
  const uint32_t modes = _mm_getcsr();
  constexpr uint32_t kFlushBits = 0x8040, kRoundingBits = 0x6000, kMasks = 0x1f80;
  if ((modes & kFlushBits) != 0) changed |= kFlushes;
  if ((modes & kRoundingBits) != 0) changed |= kRoundsOtherwise;
  if ((modes & kMasks) != kMasks) changed |= kTraps;
#elif defined(__aarch64__)
  uint64_t modes;
  __asm__ volatile("mrs %0, fpcr" : "=r"(modes));
  if ((modes >> 24 & 1) != 0) changed |= kFlushes;
  if ((modes >> 8 & 0x9f) != 0) changed |= kTraps;
#endif
  return changed;
}

}  // namespace touchstone::lab
