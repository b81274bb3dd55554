#include "lab/kernel/guarded_arena.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "lab/worker/protocol.h"
#include "reference/formats/require.h"

namespace touchstone::lab {
namespace {

constexpr size_t kLeastGuard = 4096, kMostGuard = 65536, kPage = 4096;
// Above this, memory that a smaller case does not need goes back to the system.
constexpr size_t kKeptBytes = size_t{1} << 30;

constexpr std::byte GuardOf(Poison poison) {
  return poison == Poison::kNan ? std::byte{0xff} : std::byte{0x7f};
}

[[noreturn]] void Fail(const char* what) {
  throw std::runtime_error(
      fmt::format("no memory to share with a kernel: {}: {}", what, strerror(errno)));
}

size_t RoundUp(size_t x, size_t step) { return (x + step - 1) / step * step; }

bool IsWhole(const std::byte* from, size_t bytes, std::byte guard) {
  // Each byte is the one before it.
  return bytes == 0 || (*from == guard && std::memcmp(from, from + 1, bytes - 1) == 0);
}

struct Damage {
  size_t first = 0, last = 0, count = 0;
};

Damage DamageOf(const std::byte* from, size_t bytes, std::byte guard) {
  Damage damage;
  for (size_t i = 0; i < bytes; ++i) {
    if (from[i] == guard) continue;
    if (damage.count++ == 0) damage.first = i;
    damage.last = i;
  }
  return damage;
}

std::string Bytes(size_t n) { return fmt::format("{} byte{}", n, n == 1 ? "" : "s"); }

}  // namespace

GuardedArena::GuardedArena() : fd_(memfd_create("touchstone", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (fd_ < 0) Fail("memfd_create");
  // Who holds the descriptor cannot take the memory away from under the lab.
  if (fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK) != 0) {
    close(fd_);
    Fail("F_ADD_SEALS");
  }
  void* base =
      mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
  if (base == MAP_FAILED) {
    close(fd_);
    Fail("mmap");
  }
  base_ = static_cast<std::byte*>(base);
}

GuardedArena::~GuardedArena() {
  munmap(base_, kArenaBytes);
  close(fd_);
}

void GuardedArena::Begin() { blocks_.clear(); }

size_t GuardedArena::Add(const std::string& name, size_t bytes, size_t alignment,
                         size_t row_bytes) {
  const size_t guard = std::clamp(RoundUp(row_bytes, 64), kLeastGuard, kMostGuard);
  Block block;
  block.name = name;
  block.before = End();
  block.offset = RoundUp(block.before + guard, alignment);
  block.bytes = bytes;
  TOUCHSTONE_REQUIRE(bytes < kArenaBytes && block.offset + bytes + guard < kArenaBytes);
  block.after = block.offset + bytes + guard;
  blocks_.push_back(std::move(block));
  return blocks_.size() - 1;
}

void GuardedArena::Finish(Poison poison) {
  const size_t needed = RoundUp(End(), kPage);
  if (needed > file_bytes_) {
    if (ftruncate(fd_, static_cast<off_t>(needed)) != 0) Fail("ftruncate");
    file_bytes_ = needed;
  }
  if (touched_bytes_ > kKeptBytes && needed < touched_bytes_ / 4) Release(needed);
  touched_bytes_ = std::max(touched_bytes_, needed);
  const std::byte guard = GuardOf(poison);
  if (blocks_ == filled_ && guard == guard_) return;
  for (const Block& block : blocks_) {
    const size_t end = block.offset + block.bytes;
    std::fill_n(base_ + block.before, block.offset - block.before, guard);
    std::fill_n(base_ + end, block.after - end, guard);
  }
  guard_ = guard;
  filled_ = blocks_;
}

// The file keeps its length, and pages that are touched again come back.
void GuardedArena::Release(size_t from) {
  if (fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
                static_cast<off_t>(file_bytes_ - from)) != 0) {
    Fail("fallocate");
  }
  touched_bytes_ = 0;
}

std::vector<std::string> GuardedArena::Breaches() {
  std::vector<std::string> breaches;
  for (const Block& block : blocks_) {
    const std::byte* before = base_ + block.before;
    const size_t before_bytes = block.offset - block.before;
    if (!IsWhole(before, before_bytes, guard_)) {
      const Damage damage = DamageOf(before, before_bytes, guard_);
      breaches.push_back(
          fmt::format("writes {} before the beginning of {}, the nearest {} before it",
                      Bytes(damage.count), block.name, Bytes(before_bytes - damage.last - 1)));
    }
    const size_t end = block.offset + block.bytes;
    if (!IsWhole(base_ + end, block.after - end, guard_)) {
      const Damage damage = DamageOf(base_ + end, block.after - end, guard_);
      breaches.push_back(fmt::format("writes {} past the end of {}, the first {} after it",
                                     Bytes(damage.count), block.name, Bytes(damage.first)));
    }
  }
  if (!breaches.empty()) filled_.clear();
  return breaches;
}

}  // namespace touchstone::lab
