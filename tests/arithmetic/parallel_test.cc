#include "reference/arithmetic/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace touchstone {
namespace {

constexpr int kThreadCounts[] = {-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 64};

TEST(ParallelFor, EveryIndexOnceWhateverTheThreads) {
  for (const int threads : kThreadCounts) {
    for (const int64_t count : {0, 1, 2, 3, 7, 8, 100, 1001}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
      ParallelFor(count, threads, [&](int64_t i) { ++calls.at(static_cast<size_t>(i)); });
      for (const std::atomic<int>& called : calls) {
        ASSERT_EQ(called, 1) << count << " on " << threads;
      }
    }
  }
}

TEST(ParallelFor, ANegativeCountIsNothing) {
  for (const int threads : kThreadCounts) {
    ParallelFor(-3, threads, [](int64_t) { FAIL(); });
  }
}

// Every thread of a call lives until its end, so their ids are different.
TEST(ParallelFor, UsesTheThreadsItIsGiven) {
  for (const int threads : kThreadCounts) {
    for (const int64_t count : {1, 5, 100}) {
      std::mutex mutex;
      std::set<std::thread::id> ids;
      ParallelFor(count, threads, [&](int64_t) {
        const std::lock_guard<std::mutex> lock(mutex);
        ids.insert(std::this_thread::get_id());
      });
      EXPECT_EQ(std::ssize(ids), std::min<int64_t>(count, std::max(threads, 1)));
      EXPECT_EQ(ids.count(std::this_thread::get_id()), 1u);  // the caller works too
    }
  }
}

TEST(ParallelFor, OnOneThreadAscending) {
  std::vector<int64_t> order;
  ParallelFor(5, 1, [&](int64_t i) { order.push_back(i); });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(ParallelFor, TheExceptionOfTheLowestIndexArrives) {
  for (const int threads : kThreadCounts) {
    for (const int64_t lowest : {0, 1, 33, 50, 99}) {
      std::atomic<int> called{0};
      std::string said = "nothing was thrown";
      try {
        ParallelFor(100, threads, [&](int64_t i) {
          ++called;
          if (i >= lowest) throw std::runtime_error(std::to_string(i));
        });
      } catch (const std::runtime_error& error) {
        said = error.what();
      }
      EXPECT_EQ(said, std::to_string(lowest)) << threads;
      EXPECT_GT(called, lowest) << threads;  // all before it were called
    }
  }
}

// Nothing may still be at work when the exception arrives: the outputs are the caller's again.
TEST(ParallelFor, AllThreadsHaveEndedWhenTheExceptionArrives) {
  std::atomic<int> finished{0};
  EXPECT_THROW(ParallelFor(4, 4,
                           [&](int64_t i) {
                             if (i == 0) throw std::runtime_error("first");
                             std::this_thread::sleep_for(std::chrono::milliseconds(20));
                             ++finished;
                           }),
               std::runtime_error);
  EXPECT_EQ(finished, 3);
}

TEST(ParallelFor, ExceptionsOfAnyTypePass) {
  EXPECT_THROW(ParallelFor(3, 3,
                           [](int64_t i) {
                             if (i == 2) throw 7;
                           }),
               int);
}

}  // namespace
}  // namespace touchstone
