// Who touched which bytes, and whether anything orders it with who touched them before.
//
// Time is a count that every barrier raises. A byte's cell keeps the last write and four reads,
// each stamped with time and thread. Two accesses of one launch by different threads, not both
// atomic and not both reads, are ordered if and only if
//
//   of one block   a __syncthreads lies between them
//   of one warp    or a chain of __syncwarp whose masks lead from the one to the other. Shuffles
//                  and votes order no memory: CUDA promises that of __syncwarp alone
//   of two blocks  never
//
// so that one run is enough, whatever its schedule. It also tells a read of memory that nobody has
// written, and an access to bytes that an asynchronous copy was issued for and not waited for.
//
// What it may miss: a cell keeps the latest read, one by another lane of that warp, one by another
// warp and one by another block; a fifth reader may hide one of them. What lies outside shared
// memory and device memory is the address sanitizer's matter. Runs on one OS thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/simt/vector_types.h"

namespace touchstone::simt::race {

enum class Access { kRead, kWrite, kAtomicRead, kAtomicWrite, kAtomicUpdate };

// A place in the program, from the return address of a hook: short, since cells hold five.
using Place = int32_t;
Place PlaceOf(const void* pc);
// " (row_in_registers.cu:57)" by addr2line, or "" where it cannot be told.
std::string ShowPlace(Place place);

struct Stamp {
  uint64_t time = 0;  // 0: never
  Place place = 0;
  uint16_t thread = 0;  // rank in its block
  bool atomic = false;
  bool under_way = false;  // an asynchronous copy that was not waited for
};

struct Cell {
  Stamp write;
  // The latest, and the latest by another lane of its warp, by another warp, by another block.
  Stamp read, lane_read, warp_read, block_read;
};

// Shared memory of a block or a buffer of device memory. A cell stands for as many bytes as every
// access so far was a multiple of.
struct Region {
  uintptr_t begin = 0;
  size_t bytes = 0;
  bool shared = false;
  size_t cell_bytes = 16;
  std::vector<Cell> cells = {};

  void Refine(size_t smaller);
};

class Detector {
 public:
  void BeginLaunch();
  void EndLaunch() { in_kernel_ = false; }
  void BeginBlock();
  void BlockBarrier() { barrier_ = ++time_; }
  void WarpBarrier(unsigned warp, unsigned mask);
  void BeginCopy(uintptr_t to, uintptr_t from, size_t bytes, size_t filled, Place place);
  void EndCopy(uintptr_t to, uintptr_t from, size_t bytes, size_t filled);

  void IgnoreStacks(uintptr_t begin, size_t bytes) { stacks_ = {begin, begin + bytes}; }
  void Add(uintptr_t begin, size_t bytes, bool shared);
  void Remove(uintptr_t begin);
  void HostWrite(uintptr_t begin, size_t bytes);

  void Touch(uintptr_t address, size_t bytes, Access access, const void* pc);
  std::vector<std::string> TakeFindings();

 private:
  struct Finding {
    std::string text;  // with @0 and @1 for its places
    Place places[2];
  };
  struct Span {  // cells of a region
    Region* region;
    size_t first, last;
  };

  Region* Find(uintptr_t address);
  bool CellsOf(uintptr_t address, size_t bytes, Span* span);
  bool Unwritten(const Region& region, size_t cell) const;
  bool Ordered(const Stamp& old, const Stamp& now, bool shared) const;
  void Read(Region* region, size_t cell, const Stamp& now);
  void Write(Region* region, size_t cell, const Stamp& now);
  void NoteRead(Cell* cell, const Stamp& now) const;
  Stamp Now(Place place, bool atomic) const;

  std::string Thread(const Stamp& stamp) const;
  std::string Bytes(const Region& region, size_t cell) const;
  void ReportRace(const Region& region, size_t cell, const char* does, const Stamp& now,
                  const char* did, const Stamp& old);
  void ReportUnwritten(const Region& region, size_t cell, const Stamp& now);
  bool IsNew(char kind, Place place, Place other);

  bool in_kernel_ = false;
  // A launch, a block and a barrier begin a time of their own.
  uint64_t time_ = 1, launch_ = 0, block_ = 0, barrier_ = 0;
  // seen_[i][j]: what lane j of the warp did before this time, thread i has seen.
  std::array<std::array<uint64_t, 32>, 1024> seen_ = {};
  std::vector<std::pair<uint64_t, uint3>> blocks_;  // of the launch, and when each began

  std::pair<uintptr_t, uintptr_t> stacks_ = {0, 0};
  std::map<uintptr_t, Region> regions_;  // by begin
  std::array<Region*, 4> recent_ = {};
  size_t next_recent_ = 0;

  size_t found_in_launch_ = 0;
  std::set<std::tuple<char, Place, Place>> known_;  // of the launch: what, by one letter
  std::vector<Finding> findings_;
};

Detector& TheDetector();

}  // namespace touchstone::simt::race
