#include "lab/worker/plugin.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace touchstone::lab {
namespace {

// Copies memory that may not be there: where it is not, the kernel of the system says so, and
// nothing crashes.
class MemoryProbe {
 public:
  MemoryProbe() : fd_(memfd_create("probe", MFD_CLOEXEC)) {}
  ~MemoryProbe() { close(fd_); }
  MemoryProbe(const MemoryProbe&) = delete;
  MemoryProbe& operator=(const MemoryProbe&) = delete;

  bool Copy(const void* from, size_t bytes, void* to) const {
    const ssize_t wanted = static_cast<ssize_t>(bytes);
    return pwrite(fd_, from, bytes, 0) == wanted && pread(fd_, to, bytes, 0) == wanted;
  }

  // A string of fewer than `room` bytes into `to`; false where there is none.
  bool CopyText(const char* from, size_t room, char* to) const {
    size_t done = 0;
    while (done < room) {
      const uintptr_t address = reinterpret_cast<uintptr_t>(from + done);
      const size_t to_page_end = 4096 - address % 4096;
      const size_t n = std::min(to_page_end, room - done);
      if (!Copy(from + done, n, to + done)) return false;
      if (const void* end = std::memchr(to + done, 0, n)) {
        std::memset(to + (static_cast<const char*>(end) - to), 0,
                    static_cast<size_t>(to + room - static_cast<const char*>(end)));
        return true;
      }
      done += n;
    }
    return false;
  }

 private:
  int fd_;
};

void Say(Loaded* loaded, Loading loading, const char* text) {
  loaded->loading = loading;
  std::strncpy(loaded->text, text, sizeof loaded->text - 1);
}

// What the symbol's entry in the library says against it.
const char* WhatElseItIs(const void* address) {
  Dl_info info = {};
  ElfW(Sym)* entry = nullptr;
  if (dladdr1(address, &info, reinterpret_cast<void**>(&entry), RTLD_DL_SYMENT) == 0) {
    return nullptr;
  }
  if (entry == nullptr || info.dli_saddr != address) return nullptr;
  const int type = ELF64_ST_TYPE(entry->st_info);
  if (type == STT_FUNC || type == STT_GNU_IFUNC) return "a function";
  if (type == STT_TLS) return "a variable of each thread";
  if (entry->st_size > 0 && entry->st_size < 2 * sizeof(uint32_t)) return "smaller than a kernel";
  return nullptr;
}

bool CopyTexts(const MemoryProbe& probe, const touchstone_kernel& kernel, Loaded* loaded) {
  if (!probe.CopyText(kernel.name, sizeof loaded->name, loaded->name)) {
    Say(loaded, Loading::kBadText, "name");
  } else if (!probe.CopyText(kernel.op, sizeof loaded->op, loaded->op)) {
    Say(loaded, Loading::kBadText, "op");
  } else if (kernel.needs != nullptr &&
             !probe.CopyText(kernel.needs, sizeof loaded->needs, loaded->needs)) {
    Say(loaded, Loading::kBadText, "needs");
  } else {
    return true;
  }
  return false;
}

}  // namespace

const touchstone_kernel* LoadPlugin(const std::string& library, const std::string& symbol,
                                    Loaded* loaded) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* error = dlerror();
    Say(loaded, Loading::kNotLoaded, error != nullptr ? error : "no reason given");
    return nullptr;
  }
  const void* address = dlsym(handle, symbol.c_str());
  if (address == nullptr) {
    Say(loaded, Loading::kNoSymbol, "");
    return nullptr;
  }
  if (const char* what = WhatElseItIs(address)) {
    Say(loaded, Loading::kNoKernel, what);
    return nullptr;
  }
  const MemoryProbe probe;
  // Only these two are where they are in every version.
  uint32_t version[2] = {};
  if (!probe.Copy(address, sizeof version, version)) {
    Say(loaded, Loading::kNoKernel, "smaller than a kernel");
    return nullptr;
  }
  loaded->abi = version[0];
  loaded->bytes = version[1];
  touchstone_kernel kernel = {};
  if (version[0] != TOUCHSTONE_ABI || version[1] != sizeof kernel) {
    Say(loaded, Loading::kOtherVersion, "");
    return nullptr;
  }
  if (!probe.Copy(address, sizeof kernel, &kernel)) {
    Say(loaded, Loading::kNoKernel, "smaller than a kernel");
    return nullptr;
  }
  loaded->recipes = kernel.recipes;
  loaded->device = kernel.device;
  loaded->has_run = kernel.run != nullptr;
  loaded->has_workspace = kernel.workspace != nullptr;
  if (!CopyTexts(probe, kernel, loaded)) return nullptr;
  return static_cast<const touchstone_kernel*>(address);
}

}  // namespace touchstone::lab
