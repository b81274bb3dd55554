// The threads of a proof program, and its progress line.
#pragma once

#include <mpfr.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace touchstone {

// On a terminal one line of standard error shows the share done and the time left; elsewhere each
// run prints its title once.
class ProofCrew {
 public:
  explicit ProofCrew(unsigned threads) : threads_(threads), terminal_(isatty(STDERR_FILENO) != 0) {}

  // Runs tasks 0 .. tasks - 1. start() is called once on each thread and makes that thread's own
  // work, a callable that takes the number of a task.
  template <typename Start>
  void Run(const std::string& title, uint32_t tasks, Start start) {
    const auto begin = std::chrono::steady_clock::now();
    std::atomic<uint32_t> next{0};
    std::atomic<uint32_t> done{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < threads_; ++t) {
      threads.emplace_back([&] {
        {
          auto work = start();
          for (uint32_t task = next++; task < tasks; task = next++) {
            work(task);
            if (++done == tasks) Wake();
          }
        }
        mpfr_free_cache();
      });
    }
    if (!terminal_) std::fprintf(stderr, "%s\n", title.c_str());
    std::unique_lock<std::mutex> lock(mutex_);
    while (done < tasks) {
      finished_.wait_for(lock, std::chrono::milliseconds(500));
      if (terminal_) Show(title, done, tasks, begin);
    }
    lock.unlock();
    for (auto& thread : threads) thread.join();
    if (terminal_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  void Wake() {
    const std::lock_guard<std::mutex> lock(mutex_);
    finished_.notify_one();
  }

  static void Show(const std::string& title, uint32_t done, uint32_t tasks,
                   std::chrono::steady_clock::time_point begin) {
    const double elapsed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double left = done == 0 ? 0.0 : elapsed / done * (tasks - done);
    std::fprintf(stderr, "\r\033[K%s: %3.0f %%, %.0f s left", title.c_str(), 100.0 * done / tasks,
                 left);
  }

  unsigned threads_;
  bool terminal_;
  std::mutex mutex_;
  std::condition_variable finished_;
};

}  // namespace touchstone
