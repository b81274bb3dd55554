// Items handed to threads, in order, with few of them waiting: who makes them faster than they are
// worked off is held back, so that memory stays bounded.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace touchstone::lab {

template <typename Item>
class WorkQueue {
 public:
  // `work` must not throw.
  WorkQueue(int threads, std::function<void(Item)> work)
      : most_(static_cast<size_t>(std::max(threads, 1))), work_(std::move(work)) {
    for (size_t i = 0; i < most_; ++i) threads_.emplace_back([this] { WorkOff(); });
  }
  ~WorkQueue() { Finish(); }
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Waits while as many items as threads are waiting.
  void Push(Item item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < most_; });
    waiting_.push_back(std::move(item));
    changed_.notify_all();
  }

  // Waits until all is done. No Push after it.
  void Finish() {
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
    threads_.clear();  // joins
  }

 private:
  void WorkOff() {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return finished_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      Item item = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      changed_.notify_all();
      work_(std::move(item));
    }
  }

  const size_t most_;
  const std::function<void(Item)> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> waiting_;
  bool finished_ = false;
  std::vector<std::jthread> threads_;  // last: they see all of the above
};

}  // namespace touchstone::lab
