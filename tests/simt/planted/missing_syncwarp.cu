// Lanes of a warp are no longer in step: what one writes another reads only after a __syncwarp that
// names both, and a shuffle is none.
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

enum class Between { kSyncwarp, kNothing, kSyncwarpOfHalf, kShuffle };

__global__ void MirrorWarp(Between between, float* out) {
  auto& row = Shared<Row>();
  const unsigned t = threadIdx.x;
  row.value[t] = static_cast<float>(t);
  if (between == Between::kSyncwarp) __syncwarp();
  if (between == Between::kSyncwarpOfHalf) __syncwarp(t % 32 < 16 ? 0x0000ffff : 0xffff0000);
  if (between == Between::kShuffle) __shfl_sync(kWholeWarp, t, 0);
  out[t] = row.value[t / 32 * 32 + 31 - t % 32];
}

std::vector<float> Mirror(Between between) {
  const DeviceBuffer<float> out(kThreads);
  Launch({.grid = dim3(1), .block = dim3(kThreads)}, MirrorWarp, between, out.data());
  return ReadBack(out, kThreads);
}

}  // namespace

std::vector<float> MissingSyncwarp(bool planted) {
  return Mirror(planted ? Between::kNothing : Between::kSyncwarp);
}
std::vector<float> SyncwarpOfHalf(bool planted) {
  return Mirror(planted ? Between::kSyncwarpOfHalf : Between::kSyncwarp);
}
std::vector<float> ShuffleForSyncwarp(bool planted) {
  return Mirror(planted ? Between::kShuffle : Between::kSyncwarp);
}

}  // namespace touchstone::simt::planted
