#include "lab/kernel/plugin_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "lab/kernel/kernel.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

#if defined(__x86_64__)
constexpr unsigned kOurMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kOurMachine = EM_AARCH64;
#else
#error "which machine is this in an ELF header?"
#endif

constexpr size_t kMostSymbols = 1 << 20, kMostShown = 64;

std::string MachineName(unsigned machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64";
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "32-bit Arm";
    case EM_PPC64:
      return "64-bit POWER";
    case EM_S390:
      return "S/390";
    case EM_RISCV:
      return "RISC-V";
    case EM_CUDA:
      return "CUDA device code";
    default:
      return fmt::format("machine {}", machine);
  }
}

// A regular file, read by offset. Opening never waits, as a pipe would make it.
class RegularFile {
 public:
  explicit RegularFile(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), error_(fd_ < 0 ? errno : 0) {
    struct stat status = {};
    is_regular_ = fd_ >= 0 && fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
    if (is_regular_) bytes_ = static_cast<uint64_t>(status.st_size);
  }
  ~RegularFile() {
    if (fd_ >= 0) close(fd_);
  }
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  int error() const { return error_; }
  bool is_regular() const { return is_regular_; }
  uint64_t bytes() const { return bytes_; }

  bool Read(uint64_t offset, size_t bytes, void* to) const {
    return offset <= INT64_MAX && bytes > 0 &&
           pread(fd_, to, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
  }

 private:
  int fd_;
  int error_;
  bool is_regular_ = false;
  uint64_t bytes_ = 0;
};

[[noreturn]] void Refuse(const std::string& path, const std::string& why) {
  throw KernelUnavailable(fmt::format("{}: {}", TerminalText(path), why));
}

void RequireElf(const RegularFile& file, const std::string& path) {
  unsigned char ident[EI_NIDENT] = {};
  if (!file.Read(0, sizeof ident, ident) || std::memcmp(ident, ELFMAG, SELFMAG) != 0) {
    Refuse(path, "no shared library (no ELF header at its beginning)");
  }
  // The two fields after `ident` lie at the same place in 32-bit files.
  uint16_t fields[2] = {};
  if (!file.Read(sizeof ident, sizeof fields, fields)) Refuse(path, "a cut-off ELF header");
  if (ident[EI_DATA] != ELFDATA2LSB) {
    Refuse(path,
           fmt::format("a big-endian ELF file; this program runs on {}", MachineName(kOurMachine)));
  }
  if (fields[1] != kOurMachine || ident[EI_CLASS] != ELFCLASS64) {
    const std::string bits = ident[EI_CLASS] == ELFCLASS64 ? "" : ", in a 32-bit file";
    Refuse(path, fmt::format("built for {}{}; this program runs on {}", MachineName(fields[1]),
                             bits, MachineName(kOurMachine)));
  }
  if (fields[0] == ET_REL) Refuse(path, "an object file; link it as a library (-shared)");
  if (fields[0] != ET_DYN) Refuse(path, "an ELF file, but no shared library (-shared -fPIC)");
}

// What the loader maps must be there: it would end by a signal at the first page that is not.
void RequireWhole(const RegularFile& file, const std::string& path) {
  Elf64_Ehdr head = {};
  if (!file.Read(0, sizeof head, &head)) Refuse(path, "a cut-off ELF header");
  for (unsigned i = 0; i < head.e_phnum && head.e_phentsize == sizeof(Elf64_Phdr); ++i) {
    Elf64_Phdr segment = {};
    const bool is_read = file.Read(head.e_phoff + i * sizeof segment, sizeof segment, &segment);
    if (is_read && segment.p_type != PT_LOAD) continue;
    if (is_read && segment.p_offset <= file.bytes() &&
        segment.p_filesz <= file.bytes() - segment.p_offset) {
      continue;
    }
    Refuse(path, fmt::format("a cut-off library: {} bytes, and segment {} lies beyond them",
                             file.bytes(), i));
  }
}

// The text of the string table from `begin` on, as far as it is the name of a kernel.
std::string KernelName(const std::vector<char>& strings, size_t begin) {
  if (begin >= strings.size()) return {};
  const char* first = strings.data() + begin;
  const size_t most = std::min<size_t>(strings.size() - begin, 128);
  const std::string_view name(first, strnlen(first, most));
  return name.starts_with("touchstone_") ? std::string(name) : std::string();
}

}  // namespace

void RequireSharedLibrary(const std::string& path) {
  const RegularFile file(path);
  if (file.error() == ENOENT || file.error() == ENOTDIR) Refuse(path, "no such file");
  if (file.error() != 0) Refuse(path, std::string("cannot be read: ") + strerror(file.error()));
  if (!file.is_regular()) Refuse(path, "not a regular file");
  RequireElf(file, path);
  RequireWhole(file, path);
}

std::vector<std::string> ExportedKernels(const std::string& path) {
  const RegularFile file(path);
  Elf64_Ehdr head = {};
  if (!file.is_regular() || !file.Read(0, sizeof head, &head)) return {};
  if (head.e_shentsize != sizeof(Elf64_Shdr) || head.e_shnum == 0) return {};
  std::vector<Elf64_Shdr> sections(head.e_shnum);
  if (!file.Read(head.e_shoff, sections.size() * sizeof sections[0], sections.data())) return {};
  std::vector<std::string> names;
  for (const Elf64_Shdr& table : sections) {
    if (table.sh_type != SHT_DYNSYM || table.sh_link >= sections.size()) continue;
    const Elf64_Shdr& texts = sections[table.sh_link];
    const size_t count = table.sh_size / sizeof(Elf64_Sym);
    if (count == 0 || count > kMostSymbols || texts.sh_size > (size_t{1} << 28)) continue;
    std::vector<Elf64_Sym> symbols(count);
    std::vector<char> strings(texts.sh_size);
    if (!file.Read(table.sh_offset, count * sizeof symbols[0], symbols.data())) continue;
    if (!file.Read(texts.sh_offset, strings.size(), strings.data())) continue;
    for (const Elf64_Sym& symbol : symbols) {
      if (symbol.st_shndx == SHN_UNDEF || names.size() == kMostShown) continue;
      std::string name = KernelName(strings, symbol.st_name);
      if (!name.empty()) names.push_back(std::move(name));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace touchstone::lab
