// The memory that the lab and a worker share: tensors between guard bands.
//
// A run's blocks lie in the order in which they are added, from the arena's beginning on: the same
// sizes get the same addresses in the next run, so that a kernel which remembers what it read at an
// address is given other data there. Directly before and after each block lie guard bands of at
// least 4096 bytes. What is read there is seen in the result, and what is written there is found by
// the check, in one of two runs with different poison at least:
//
//   Poison::kNan     0xff in every byte: NaN in f32 and bf16, -1 in i64
//   Poison::kFinite  0x7f in every byte: 2^127.99 in f32 and bf16, 9 * 10^18 in i64, for whoever
//                    ignores a NaN (fmax, a comparison) or writes the other bits
//
// All of this is done by the lab, through its own mapping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lab/kernel/kernel.h"

namespace touchstone::lab {

class GuardedArena {
 public:
  GuardedArena();  // throws std::runtime_error where the system gives no memory
  ~GuardedArena();
  GuardedArena(const GuardedArena&) = delete;
  GuardedArena& operator=(const GuardedArena&) = delete;

  int fd() const { return fd_; }

  // Begins the layout of another run.
  void Begin();
  // Adds a block; returns its index. `row_bytes` is the pitch of its rows: a guard band is at least
  // that wide, but at most 64 KiB.
  size_t Add(const std::string& name, size_t bytes, size_t alignment, size_t row_bytes);
  // Makes the memory, and fills the guard bands where they may not be whole.
  void Finish(Poison poison);

  // What the run's blocks and bands take, from the arena's beginning on.
  size_t bytes() const { return End(); }
  size_t offset(size_t block) const { return blocks_[block].offset; }
  std::byte* data(size_t block) const { return base_ + blocks_[block].offset; }

  // What the guard bands say: "writes 8 bytes past the end of y, the first 0 bytes after it".
  std::vector<std::string> Breaches();

 private:
  struct Block {
    std::string name;
    size_t before = 0, offset = 0, bytes = 0, after = 0;  // `before`: where its first band begins
    bool operator==(const Block&) const = default;
  };
  size_t End() const { return blocks_.empty() ? 0 : blocks_.back().after; }
  void Release(size_t from);

  int fd_ = -1;
  std::byte* base_ = nullptr;
  size_t file_bytes_ = 0, touched_bytes_ = 0;
  std::byte guard_{};                   // in every byte of the bands
  std::vector<Block> blocks_, filled_;  // filled_: the layout whose bands are whole
};

}  // namespace touchstone::lab
