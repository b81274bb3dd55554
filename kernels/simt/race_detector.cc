#include "kernels/simt/race_detector.h"

#include <algorithm>
#include <bit>

#include "kernels/simt/execution_model.h"

namespace touchstone::simt::race {
namespace {

constexpr size_t kMostFindings = 8;  // of a launch

std::string Coordinates(uint3 at) {
  return "(" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) + ")";
}

unsigned Rank() { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }

}  // namespace

Detector& TheDetector() {
  static Detector* const detector = new Detector;
  return *detector;
}

// ---- memory ------------------------------------------------------------------------------------

// Each cell stands for several from now on: what is known of it is known of each.
void Region::Refine(size_t smaller) {
  const size_t parts = cell_bytes / smaller;
  std::vector<Cell> finer((bytes + smaller - 1) / smaller);
  for (size_t i = 0; i < finer.size(); ++i) finer[i] = cells[i / parts];
  cells = std::move(finer);
  cell_bytes = smaller;
}

void Detector::Add(uintptr_t begin, size_t bytes, bool shared) {
  recent_ = {};
  Region& region = regions_[begin];
  region = {begin, bytes, shared};
  region.cells.resize((bytes + region.cell_bytes - 1) / region.cell_bytes);
}

void Detector::Remove(uintptr_t begin) {
  recent_ = {};
  regions_.erase(begin);
}

Region* Detector::Find(uintptr_t address) {
  for (Region* region : recent_) {
    if (region != nullptr && address - region->begin < region->bytes) return region;
  }
  auto after = regions_.upper_bound(address);
  if (after == regions_.begin()) return nullptr;
  Region& region = std::prev(after)->second;
  if (address - region.begin >= region.bytes) return nullptr;
  recent_[next_recent_++ % recent_.size()] = &region;
  return &region;
}

// The cells of these bytes; false where they are neither shared nor device memory.
bool Detector::CellsOf(uintptr_t address, size_t bytes, Span* span) {
  Region* const region = Find(address);
  if (region == nullptr) return false;
  const size_t offset = address - region->begin;
  const size_t end = std::min(offset + bytes, region->bytes);
  const size_t multiple_of = size_t{1} << std::countr_zero(offset | bytes | region->cell_bytes);
  if (multiple_of < region->cell_bytes) region->Refine(multiple_of);
  *span = {region, offset / region->cell_bytes, (end - 1) / region->cell_bytes};
  return true;
}

void Detector::HostWrite(uintptr_t begin, size_t bytes) {
  Span span;
  if (bytes == 0 || !CellsOf(begin, bytes, &span)) return;
  for (size_t i = span.first; i <= span.last; ++i) span.region->cells[i].write = {.time = time_};
}

// ---- order -------------------------------------------------------------------------------------

void Detector::BeginLaunch() {
  in_kernel_ = true;
  launch_ = ++time_;
  blocks_.clear();
  known_.clear();
  found_in_launch_ = 0;
}

void Detector::BeginBlock() {
  block_ = barrier_ = ++time_;
  blocks_.emplace_back(time_, blockIdx);
}

void Detector::WarpBarrier(unsigned warp, unsigned mask) {
  ++time_;
  std::array<uint64_t, 32> joined = {};
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    for (unsigned j = 0; j < 32; ++j) joined[j] = std::max(joined[j], seen_[warp * 32 + lane][j]);
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) != 0) joined[lane] = time_;
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) != 0) seen_[warp * 32 + lane] = joined;
  }
}

bool Detector::Unwritten(const Region& region, size_t cell) const {
  const uint64_t time = region.cells[cell].write.time;
  return region.shared ? time < block_ : time == 0;
}

bool Detector::Ordered(const Stamp& old, const Stamp& now, bool shared) const {
  if (old.time < launch_) return true;
  if (old.time < block_) return shared;  // the other block's shared memory was another
  if (old.time < barrier_ || old.thread == now.thread) return true;
  return old.thread / 32 == now.thread / 32 && old.time < seen_[now.thread][old.thread % 32];
}

Stamp Detector::Now(Place place, bool atomic) const {
  return {time_, place, static_cast<uint16_t>(Rank()), atomic};
}

// ---- accesses ----------------------------------------------------------------------------------

void Detector::NoteRead(Cell* cell, const Stamp& now) const {
  const Stamp& old = cell->read;
  if (old.time >= launch_ && old.time < block_) {
    cell->block_read = old;
  } else if (old.time >= barrier_ && old.thread != now.thread) {
    (old.thread / 32 == now.thread / 32 ? cell->lane_read : cell->warp_read) = old;
  }
  cell->read = now;
}

void Detector::Read(Region* region, size_t i, const Stamp& now) {
  Cell& cell = region->cells[i];
  const Stamp& write = cell.write;
  if (Unwritten(*region, i)) {
    ReportUnwritten(*region, i, now);
  } else if (write.under_way && write.time >= block_) {
    ReportRace(*region, i, "reads", now, "copies to", write);
  } else if (!(write.atomic && now.atomic) && !Ordered(write, now, region->shared)) {
    ReportRace(*region, i, "reads", now, "wrote", write);
  }
  if (cell.read.time != now.time || cell.read.thread != now.thread) NoteRead(&cell, now);
}

void Detector::Write(Region* region, size_t i, const Stamp& now) {
  Cell& cell = region->cells[i];
  const Stamp& write = cell.write;
  if (write.under_way && write.time >= block_) {
    ReportRace(*region, i, "writes", now, "copies to", write);
  } else if (!(write.atomic && now.atomic) && !Ordered(write, now, region->shared)) {
    ReportRace(*region, i, "writes", now, "wrote", write);
  } else {
    for (const Stamp* read : {&cell.read, &cell.lane_read, &cell.warp_read, &cell.block_read}) {
      if ((read->atomic && now.atomic) || Ordered(*read, now, region->shared)) continue;
      ReportRace(*region, i, "writes", now, "read", *read);
      break;
    }
  }
  cell.write = now;
}

void Detector::Touch(uintptr_t address, size_t bytes, Access access, const void* pc) {
  if (address - stacks_.first < stacks_.second - stacks_.first || bytes == 0) return;
  Span span;
  if (!CellsOf(address, bytes, &span)) return;
  const bool writes = access != Access::kRead && access != Access::kAtomicRead;
  const bool atomic = access != Access::kRead && access != Access::kWrite;
  if (!in_kernel_) {
    if (span.region->shared) return;  // of an earlier launch: any memory now
    if (!IsNew('h', PlaceOf(pc), 0)) return;
    findings_.push_back({std::string("host code ") + (writes ? "writes" : "reads") +
                             Bytes(*span.region, span.first) + "@0 itself",
                         {PlaceOf(pc), 0}});
    return;
  }
  const Stamp now = Now(PlaceOf(pc), atomic);
  for (size_t i = span.first; i <= span.last; ++i) {
    if (access == Access::kAtomicUpdate && Unwritten(*span.region, i)) {
      ReportUnwritten(*span.region, i, now);
    }
    writes ? Write(span.region, i, now) : Read(span.region, i, now);
  }
}

// The copy may read and write at any time until it is waited for.
void Detector::BeginCopy(uintptr_t to, uintptr_t from, size_t bytes, size_t filled, Place place) {
  Stamp now = Now(place, false);
  Span span;
  if (filled > 0 && CellsOf(from, filled, &span)) {
    for (size_t i = span.first; i <= span.last; ++i) Read(span.region, i, now);
  }
  if (!CellsOf(to, bytes, &span)) return;
  now.under_way = true;
  for (size_t i = span.first; i <= span.last; ++i) Write(span.region, i, now);
}

void Detector::EndCopy(uintptr_t to, uintptr_t from, size_t bytes, size_t filled) {
  Span span;
  if (filled > 0 && CellsOf(from, filled, &span)) {
    for (size_t i = span.first; i <= span.last; ++i) {
      Cell& cell = span.region->cells[i];
      NoteRead(&cell, Now(cell.read.place, false));
    }
  }
  if (!CellsOf(to, bytes, &span)) return;
  for (size_t i = span.first; i <= span.last; ++i) {
    Stamp& write = span.region->cells[i].write;
    write = Now(write.place, false);
  }
}

// ---- findings ----------------------------------------------------------------------------------

std::string Detector::Thread(const Stamp& stamp) const {
  // The last block that had begun by then.
  const auto after =
      std::upper_bound(blocks_.begin(), blocks_.end(), stamp.time,
                       [](uint64_t time, const auto& block) { return time < block.first; });
  const unsigned x = stamp.thread % blockDim.x, rest = stamp.thread / blockDim.x;
  return "block " + Coordinates(std::prev(after)->second) + " thread " +
         Coordinates({x, rest % blockDim.y, rest / blockDim.y});
}

std::string Detector::Bytes(const Region& region, size_t cell) const {
  return " byte " + std::to_string(cell * region.cell_bytes) + " of " +
         (region.shared ? "shared memory" : "a device buffer") + " of " +
         std::to_string(region.bytes) + " bytes";
}

// Whether it is to be told: each pair of places once a launch, and not too many.
bool Detector::IsNew(char kind, Place place, Place other) {
  if (found_in_launch_ == kMostFindings || !known_.emplace(kind, place, other).second) return false;
  ++found_in_launch_;
  return true;
}

void Detector::ReportUnwritten(const Region& region, size_t cell, const Stamp& now) {
  if (!IsNew('u', now.place, 0)) return;
  findings_.push_back({"unwritten: " + Thread(now) + " reads" + Bytes(region, cell) +
                           "@0, which nobody has written",
                       {now.place, 0}});
}

void Detector::ReportRace(const Region& region, size_t cell, const char* does, const Stamp& now,
                          const char* did, const Stamp& old) {
  if (!IsNew('r', now.place, old.place)) return;
  const char* missing = old.under_way                        ? "not waited for"
                        : old.time < block_                  ? "two blocks of one launch"
                        : old.thread / 32 == now.thread / 32 ? "no __syncwarp between"
                                                             : "no __syncthreads between";
  findings_.push_back({"race: " + Thread(now) + " " + does + Bytes(region, cell) + "@0, which " +
                           Thread(old) + " " + did + "@1: " + missing,
                       {now.place, old.place}});
}

std::vector<std::string> Detector::TakeFindings() {
  std::vector<std::string> lines;
  for (const Finding& finding : findings_) {
    std::string line = finding.text;
    for (const int i : {0, 1}) {
      const size_t at = line.find(i == 0 ? "@0" : "@1");
      if (at != std::string::npos) line.replace(at, 2, ShowPlace(finding.places[i]));
    }
    lines.push_back(std::move(line));
  }
  findings_.clear();
  return lines;
}

}  // namespace touchstone::simt::race
