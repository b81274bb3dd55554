// Kernels with one mistake each, and the same kernels without it. A function returns what the host
// then reads; it is what the kernel should give where the mistake happens not to show.
#pragma once

#include <vector>

namespace touchstone::simt::planted {

constexpr int kThreads = 64;  // of a block, two warps

std::vector<float> MissingSyncthreads(bool planted);
std::vector<float> MissingSyncwarp(bool planted);
std::vector<float> SyncwarpOfHalf(bool planted);
std::vector<float> ShuffleForSyncwarp(bool planted);
std::vector<float> MissingWait(bool planted);
std::vector<float> OverwrittenCopy(bool planted);
std::vector<float> WrongMask(bool planted);
std::vector<float> UnwrittenShared(bool planted);
std::vector<float> UnwrittenDevice(bool planted);
std::vector<float> BlocksRace(bool planted);
std::vector<float> PlainBesideAtomic(bool planted);
std::vector<float> DivergentBarrier(bool planted);
std::vector<float> HostAccess(bool planted);
std::vector<float> OutOfShared(bool planted);
std::vector<float> OutOfDevice(bool planted);

}  // namespace touchstone::simt::planted
