// Kernels with one mistake each: every one is found, under every schedule and with the right words,
// and the same kernel without the mistake passes clean. Under the address sanitizer there is no
// race build; it finds the writes out of bounds.
#include <gtest/gtest.h>

#include <cmath>
#include <exception>
#include <numeric>
#include <regex>
#include <string>
#include <vector>

#include "kernels/simt/execution_model.h"
#include "kernels/simt/fiber.h"
#include "kernels/simt/race.h"
#include "tests/simt/planted/planted.h"

namespace touchstone::simt {
namespace {

using Planted = std::vector<float> (*)(bool);

const Policy kSchedules[] = {
    {Order::kForward, CopyLanding::kLate, 0},  {Order::kForward, CopyLanding::kEarly, 0},
    {Order::kReverse, CopyLanding::kLate, 0},  {Order::kReverse, CopyLanding::kEarly, 0},
    {Order::kRandom, CopyLanding::kRandom, 1}, {Order::kRandom, CopyLanding::kRandom, 7}};

struct Outcome {
  std::string error;
  std::vector<std::string> findings;
  std::vector<float> values;
};

Outcome RunPlanted(Planted kernel, bool planted, const Policy& policy) {
  Outcome outcome;
  CurrentPolicy() = policy;
  try {
    outcome.values = kernel(planted);
  } catch (const std::exception& error) {
    outcome.error = error.what();
  }
  CurrentPolicy() = {};
  outcome.findings = race::TakeFindings();
  return outcome;
}

std::vector<float> Values(int count, double (*value)(int)) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(value(i)));
  return values;
}

void ExpectClean(Planted kernel, const std::vector<float>& values) {
  for (const Policy& policy : kSchedules) {
    const Outcome outcome = RunPlanted(kernel, false, policy);
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.findings, std::vector<std::string>());
    EXPECT_EQ(outcome.values, values);
  }
}

// Without the mistake nothing is said. With it, the launch ends with an error of these words.
void ExpectError(Planted kernel, const std::vector<float>& values, const std::string& words) {
  ExpectClean(kernel, values);
  for (const Policy& policy : kSchedules) {
    const Outcome outcome = RunPlanted(kernel, true, policy);
    EXPECT_TRUE(std::regex_search(outcome.error, std::regex(words))) << outcome.error;
  }
}

#ifdef TOUCHSTONE_SIMT_RACE

// Without the mistake nothing is said. With it, some finding has these words, in every schedule.
void ExpectFinding(Planted kernel, const std::vector<float>& values, const std::string& words) {
  ExpectClean(kernel, values);
  for (const Policy& policy : kSchedules) {
    const Outcome outcome = RunPlanted(kernel, true, policy);
    EXPECT_EQ(outcome.error, "");
    bool found = false;
    std::string all;
    for (const std::string& finding : outcome.findings) {
      found = found || std::regex_match(finding, std::regex(words));
      all += finding + "\n";
    }
    EXPECT_TRUE(found) << "expected " << words << "\namong\n" << all;
    EXPECT_LE(outcome.findings.size(), 8u);
  }
}

const char kThread[] = R"(block \(\d,0,0\) thread \(\d+,0,0\))";

std::string Race(const std::string& does, const std::string& where, const std::string& file,
                 const std::string& did, const std::string& missing) {
  const std::string line = R"( \()" + file + R"(\.cu:\d+\))";
  return std::string("race: ") + kThread + " " + does + R"( byte \d+ of )" + where + line +
         ", which " + kThread + " " + did + line + ": " + missing;
}

const std::vector<float> kMirrored = Values(64, [](int i) { return 63.0 - i; });
const std::vector<float> kMirroredWarps =
    Values(64, [](int i) { return i / 32 * 32 + 31.0 - i % 32; });
const std::vector<float> kMirroredSums = Values(64, [](int i) { return 190.0 - 2.0 * i; });

TEST(Planted, MissingSyncthreads) {
  ExpectFinding(planted::MissingSyncthreads, kMirrored,
                "(" +
                    Race("reads", "shared memory of 256 bytes", "missing_syncthreads", "wrote",
                         "no __syncthreads between") +
                    ")|(" +
                    Race("writes", "shared memory of 256 bytes", "missing_syncthreads", "read",
                         "no __syncthreads between") +
                    ")");
}

TEST(Planted, MissingSyncwarp) {
  const std::string words = "(" +
                            Race("reads", "shared memory of 256 bytes", "missing_syncwarp", "wrote",
                                 "no __syncwarp between") +
                            ")|(" +
                            Race("writes", "shared memory of 256 bytes", "missing_syncwarp", "read",
                                 "no __syncwarp between") +
                            ")";
  ExpectFinding(planted::MissingSyncwarp, kMirroredWarps, words);
  // A mask that leaves one of the two out does not order them; a shuffle orders no memory.
  ExpectFinding(planted::SyncwarpOfHalf, kMirroredWarps, words);
  ExpectFinding(planted::ShuffleForSyncwarp, kMirroredWarps, words);
}

TEST(Planted, MissingWait) {
  ExpectFinding(
      planted::MissingWait, kMirroredSums,
      Race("reads", "shared memory of 512 bytes", "missing_wait", "copies to", "not waited for"));
}

TEST(Planted, OverwrittenCopy) {
  ExpectFinding(planted::OverwrittenCopy, kMirroredSums,
                "(" +
                    Race("writes", "shared memory of 256 bytes", "overwritten_copy", "read",
                         "no __sync(threads|warp) between") +
                    ")|(" +
                    Race("reads", "shared memory of 256 bytes", "overwritten_copy", "copies to",
                         "not waited for") +
                    ")|(" +
                    Race("reads", "shared memory of 256 bytes", "overwritten_copy", "wrote",
                         "no __sync(threads|warp) between") +
                    ")");
}

TEST(Planted, Unwritten) {
  ExpectFinding(planted::UnwrittenShared, Values(128, [](int i) { return 63.0 - i % 64; }),
                R"(unwritten: block \(1,0,0\) thread \(0,0,0\) reads byte 252 of shared memory of )"
                R"(256 bytes \(unwritten\.cu:\d+\), which nobody has written)");
  ExpectFinding(planted::UnwrittenDevice, Values(64, [](int i) { return 2.0 * i; }),
                R"(unwritten: block \(0,0,0\) thread \(63,0,0\) reads byte 252 of a device buffer )"
                R"(of 256 bytes \(unwritten\.cu:\d+\), which nobody has written)");
}

TEST(Planted, BlocksRace) {
  ExpectFinding(planted::BlocksRace, {1.0f},
                Race("writes", "a device buffer of 8 bytes", "blocks_race", "wrote",
                     "two blocks of one launch"));
  // Atomics do not race with each other, but with a plain access.
  ExpectFinding(planted::PlainBesideAtomic, {2.0f},
                Race("(reads|writes)", "a device buffer of 4 bytes", "blocks_race", "(read|wrote)",
                     "two blocks of one launch"));
}

TEST(Planted, HostAccess) {
  ExpectFinding(
      planted::HostAccess, Values(64, [](int i) { return 1.0 * i; }),
      R"(host code reads byte 252 of a device buffer of 256 bytes \(host_access\.cu:\d+\) )"
      "itself");
}

// What the address sanitizer is for is none of the detector's matter, and no crash of it.
TEST(Planted, FindsNothingInACleanLaunchAfterOthers) {
  RunPlanted(planted::MissingSyncthreads, true, {});
  ExpectClean(planted::MissingSyncthreads, kMirrored);
}

#endif  // TOUCHSTONE_SIMT_RACE

TEST(Planted, WrongMask) {
  ExpectError(planted::WrongMask, Values(32, [](int i) { return i < 16 ? 15.0 - i : 1.0 * i; }),
              R"(^__shfl_xor_sync by a lane outside its mask in block \(0,0,0\) thread )"
              R"(\(\d+,0,0\) \(wrong_mask\.cu:13\)$)");
}

TEST(Planted, DivergentBarrier) {
  ExpectError(planted::DivergentBarrier, Values(64, [](int i) { return 1.0 * i; }),
              R"(^some threads of the block have exited, the others wait at __syncthreads in )"
              R"(block \(0,0,0\) thread \(\d+,0,0\) \(divergent_barrier\.cu:10\)$)");
}

#ifdef TOUCHSTONE_SIMT_ASAN
TEST(PlantedDeathTest, OutOfBounds) {
  const std::vector<float> shifted = Values(64, [](int i) { return (i + 63.0) - (i ? 64.0 : 0); });
  ExpectClean(planted::OutOfShared, shifted);
  ExpectClean(planted::OutOfDevice, shifted);
  EXPECT_DEATH(planted::OutOfShared(true), "heap-buffer-overflow.*\n.*WRITE of size 4");
  EXPECT_DEATH(planted::OutOfDevice(true), "heap-buffer-overflow.*\n.*WRITE of size 4");
}
#endif

}  // namespace
}  // namespace touchstone::simt
