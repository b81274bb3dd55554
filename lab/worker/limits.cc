#include "lab/worker/limits.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <cstdio>

#include <cmath>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOUCHSTONE_ADDRESS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TOUCHSTONE_ADDRESS_SANITIZER
#endif

#if defined(TOUCHSTONE_ADDRESS_SANITIZER)
// A crash ends the process by its signal, as without the sanitizer.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:"
         "detect_leaks=0:use_sigaltstack=0";
}
#endif

namespace touchstone::lab {
namespace {

#if !defined(TOUCHSTONE_ADDRESS_SANITIZER)
// Private memory that the process has, as RLIMIT_DATA counts it.
int64_t DataBytes() {
  FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  long long pages = 0;
  const int read = std::fscanf(file, "%*d %*d %*d %*d %*d %lld", &pages);
  std::fclose(file);
  return read == 1 ? pages * sysconf(_SC_PAGESIZE) : 0;
}
#endif

}  // namespace

void LimitMemory(int64_t bytes) {
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (FILE* file = std::fopen("/proc/self/oom_score_adj", "w")) {
    std::fputs("1000", file);
    std::fclose(file);
  }
#if defined(TOUCHSTONE_ADDRESS_SANITIZER)
  static_cast<void>(bytes);
#else
  const rlim_t most = static_cast<rlim_t>(DataBytes() + bytes);
  const rlimit data = {most, most};
  setrlimit(RLIMIT_DATA, &data);
#endif
}

void AllowProcessorTime(double seconds) {
  static double allowed = 0.0;
  timespec used = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  const double needed =
      static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9 + seconds;
  if (needed <= allowed) return;
  allowed = std::ceil(needed + seconds) + 1.0;
  rlimit limit = {};
  getrlimit(RLIMIT_CPU, &limit);
  const rlim_t most = static_cast<rlim_t>(allowed);
  limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
  setrlimit(RLIMIT_CPU, &limit);
}

}  // namespace touchstone::lab
