// Threads across outputs. No bit depends on their number: work is split between independent
// outputs, never inside a sum.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace touchstone {

// Calls work(i) once for each i in [0, count), in contiguous runs on up to `threads` threads. A run
// ends at its first exception; that of the lowest i is thrown again here, after all threads have
// ended. A thread that cannot be started is a std::system_error.
template <typename Work>
void ParallelFor(int64_t count, int threads, Work work) {
  const int64_t workers = std::clamp<int64_t>(threads, 1, std::max<int64_t>(count, 1));
  std::vector<std::exception_ptr> errors(static_cast<size_t>(workers));
  const auto run = [&](int64_t worker) {
    try {
      const int64_t end = count * (worker + 1) / workers;
      for (int64_t i = count * worker / workers; i < end; ++i) work(i);
    } catch (...) {
      errors[static_cast<size_t>(worker)] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> pool;  // joined at the end of this block, however it is left
    for (int64_t worker = 1; worker < workers; ++worker) pool.emplace_back(run, worker);
    run(0);
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace touchstone
