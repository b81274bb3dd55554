#include "bench/machine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <thread>

namespace touchstone::bench {
namespace {

std::string FirstLine(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  return std::getline(stream, line) ? line : "unknown";
}

std::string ProcessorName() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// Bytes of the data cache of a level, 0 where the system does not say. What /sys says is asked
// first: on virtual machines the other answer may be that of a whole host.
int64_t CacheBytes(int level) {
  for (int index = 0; index < 8; ++index) {
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", index);
    if (FirstLine(folder + "level") != std::to_string(level)) continue;
    if (FirstLine(folder + "type") == "Instruction") continue;
    const int64_t kib = std::atoll(FirstLine(folder + "size").c_str());  // "512K"
    if (kib > 0) return kib * 1024;
  }
  constexpr int kNames[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  return std::max(0L, sysconf(kNames[level - 1]));
}

std::string Cache(const char* name, int level) {
  const int64_t bytes = CacheBytes(level);
  return bytes > 0 ? fmt::format("{} {} KiB", name, bytes / 1024) : fmt::format("{} unknown", name);
}

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

}  // namespace

int64_t LastCacheBytes() {
  const int64_t bytes = CacheBytes(3);
  return bytes > 0 ? bytes : int64_t{32} << 20;
}

Machine ThisMachine() {
  Machine machine;
  machine.processor = ProcessorName();
  machine.cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  machine.caches = Cache("L1d", 1) + ", " + Cache("L2", 2) + ", " + Cache("L3", 3);
  machine.governor = FirstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  double load = 0.0;
  if (getloadavg(&load, 1) == 1) machine.load = load;
  machine.date = Today();
  return machine;
}

}  // namespace touchstone::bench
