#include "lab/kernel/compiler_run.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "lab/kernel/kernel.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

constexpr size_t kMostSaid = 64 << 10, kMostErrors = 3, kLongestError = 240;
constexpr int kNoCompiler = 127;  // as a shell says it
constexpr const char* kSaid = "said.txt";

// Holds back what would end the program, so that the folder is removed before it ends.
class HeldSignals {
 public:
  HeldSignals() {
    sigemptyset(&held_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held_, signal);
    pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  // Whether one came within some milliseconds; it is taken, and number() is which.
  bool Came() {
    const timespec some = {0, 5'000'000};
    const int number = sigtimedwait(&held_, nullptr, &some);
    if (number > 0) number_ = number;
    return number > 0;
  }
  int number() const { return number_; }
  const sigset_t& before() const { return before_; }

 private:
  sigset_t held_, before_;
  int number_ = 0;
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code none;
    std::filesystem::path where = std::filesystem::temp_directory_path(none);
    where = none ? "/var/tmp" : std::filesystem::absolute(where);
    path_ = (where / "touchstone-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) {
      throw KernelUnavailable(fmt::format("cannot make a temporary folder in {}: {}",
                                          TerminalText(where.string()), strerror(errno)));
    }
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);  // links are removed, not followed
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void WriteInto(const TemporaryFolder& folder, const CompilerCall& call) {
  for (const auto& [name, text] : call.files) {
    std::ofstream file(folder / name, std::ios::binary);
    file << text;
    if (!file.flush()) throw KernelUnavailable("cannot write " + TerminalText(folder / name));
  }
  for (const auto& [name, target] : call.links) {
    std::error_code error;
    std::filesystem::create_symlink(target, folder / name, error);
    if (error) throw KernelUnavailable("cannot write " + TerminalText(folder / name));
  }
}

// The words of an exec, made before the fork: after it nothing may allocate.
class ExecWords {
 public:
  explicit ExecWords(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  char* const* get() { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

// Messages in English, and the compiler's own temporary files in the folder too.
std::vector<std::string> EnvironmentOf(const TemporaryFolder& folder) {
  std::vector<std::string> words = {"LC_ALL=C", "TMPDIR=" + folder.path()};
  for (char** word = environ; *word != nullptr; ++word) {
    const std::string text = *word;
    const auto is = [&](const char* name) { return text.starts_with(name); };
    if (!is("LC_ALL=") && !is("LANGUAGE=") && !is("TMPDIR=")) words.push_back(text);
  }
  return words;
}

void Limit(decltype(RLIMIT_DATA) what, int64_t most) {
  rlimit limit = {};
  getrlimit(what, &limit);
  limit.rlim_cur = std::min(static_cast<rlim_t>(most), limit.rlim_max);
  setrlimit(what, &limit);
}

// In the child.
[[noreturn]] void BecomeCompiler(const CompilerCall& call, const char* folder, const char* said,
                                 char* const* words, char* const* environment,
                                 const sigset_t& signals) {
  setpgid(0, 0);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) {
    ::signal(signal, SIG_DFL);
  }
  pthread_sigmask(SIG_SETMASK, &signals, nullptr);
  Limit(RLIMIT_DATA, call.memory_bytes);
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_FSIZE, int64_t{1} << 30);
  const int none = open("/dev/null", O_RDWR | O_CLOEXEC);
  const int out = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (none < 0 || out < 0 || dup2(none, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
      chdir(folder) != 0) {
    _exit(kNoCompiler);
  }
  execvpe(words[0], words, environment);
  _exit(kNoCompiler);
}

std::string ReadBeginning(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostSaid, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

// Sets `why` where it did not end by itself, and ended well or badly.
int WaitFor(pid_t compiler, double seconds, HeldSignals* signals, std::string* why) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  int status = 0;
  while (waitpid(compiler, &status, WNOHANG) == 0) {
    const bool late = std::chrono::steady_clock::now() > deadline;
    if (!signals->Came() && !late) continue;
    *why = late ? fmt::format("has not ended after {} s", seconds) : "was interrupted";
    kill(-compiler, SIGKILL);
    kill(compiler, SIGKILL);
    waitpid(compiler, &status, 0);
    break;
  }
  if (why->empty() && WIFSIGNALED(status))
    *why = fmt::format("ended by signal {}", WTERMSIG(status));
  return status;
}

Compiled CompileIn(const CompilerCall& call, HeldSignals* signals) {
  const TemporaryFolder folder;
  WriteInto(folder, call);
  ExecWords words(call.words), environment(EnvironmentOf(folder));
  const std::string said = folder / kSaid;
  const pid_t compiler = fork();
  if (compiler < 0) {
    throw KernelUnavailable(fmt::format("cannot start a compiler: {}", strerror(errno)));
  }
  if (compiler == 0) {
    BecomeCompiler(call, folder.path().c_str(), said.c_str(), words.get(), environment.get(),
                   signals->before());
  }
  Compiled compiled;
  const int status = WaitFor(compiler, call.seconds, signals, &compiled.why);
  compiled.found = !WIFEXITED(status) || WEXITSTATUS(status) != kNoCompiler;
  compiled.said = ReadBeginning(said);
  if (!compiled.why.empty() || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return compiled;
  const int result = open((folder / call.result).c_str(), O_RDONLY | O_CLOEXEC);
  compiled.done = result >= 0;
  if (compiled.done) compiled.result = UnnamedFile(result);
  return compiled;
}

// As g++, clang, nvcc and the linker write it. What else the drivers say adds nothing.
bool IsError(const std::string& line) {
  for (const char* mark :
       {": error: ", ": fatal error: ", "): error", "undefined reference", "nvcc fatal"}) {
    if (line.find(mark) != std::string::npos && !line.starts_with("collect2:")) return true;
  }
  return false;
}

}  // namespace

UnnamedFile::~UnnamedFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

UnnamedFile::UnnamedFile(UnnamedFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

UnnamedFile& UnnamedFile::operator=(UnnamedFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

std::string UnnamedFile::path() const {
  return fmt::format("/proc/{}/fd/{}", getpid(), descriptor_);
}

Compiled RunCompiler(const CompilerCall& call) {
  int came = 0;
  Compiled compiled;
  {
    HeldSignals signals;
    compiled = CompileIn(call, &signals);
    came = signals.number();
  }
  if (came != 0) {
    raise(came);
    throw KernelUnavailable("interrupted while it was compiled");
  }
  return compiled;
}

std::string FirstErrors(const std::string& said) {
  std::vector<std::string> errors, lines;
  std::istringstream text(said);
  for (std::string line; std::getline(text, line);) {
    if (line.empty()) continue;
    if (line.size() > kLongestError) line = line.substr(0, kLongestError) + "...";
    const bool is_error = IsError(line);
    std::vector<std::string>& kind = is_error ? errors : lines;
    if (kind.size() < kMostErrors) kind.push_back(line);
  }
  std::string all;
  for (const std::string& line : errors.empty() ? lines : errors) {
    all += (all.empty() ? "" : " | ") + line;
  }
  return all;
}

}  // namespace touchstone::lab
