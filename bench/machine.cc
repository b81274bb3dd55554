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

std::string Cache(const char* name, int which) {
  const long bytes = sysconf(which);
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
  const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes > 0 ? bytes : int64_t{32} << 20;
}

Machine ThisMachine() {
  Machine machine;
  machine.processor = ProcessorName();
  machine.cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  machine.caches = Cache("L1d", _SC_LEVEL1_DCACHE_SIZE) + ", " +
                   Cache("L2", _SC_LEVEL2_CACHE_SIZE) + ", " + Cache("L3", _SC_LEVEL3_CACHE_SIZE);
  machine.governor = FirstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  double load = 0.0;
  if (getloadavg(&load, 1) == 1) machine.load = load;
  machine.date = Today();
  return machine;
}

}  // namespace touchstone::bench
