#include "lab/kernel/cuda_kernel.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "lab/files/cuda_source.h"
#include "lab/kernel/compiler_run.h"
#include "lab/kernel/worker_process.h"
#include "lab/repository.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

constexpr uintmax_t kMostSourceBytes = 4 << 20;
constexpr const char* kResult = "kernel.so";

std::string SourceText(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw KernelUnavailable(TerminalText(path) + ": no such file");
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw KernelUnavailable(TerminalText(path) + ": is no file");
  }
  if (std::filesystem::file_size(path, error) > kMostSourceBytes) {
    throw KernelUnavailable(
        fmt::format("{}: over {} bytes, no source", TerminalText(path), kMostSourceBytes));
  }
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw KernelUnavailable(TerminalText(path) + ": cannot be read");
  return text.str();
}

// As messages of compilers name the source.
std::string NameInMessages(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  for (char& c : name) {
    if (c < ' ' || c > '~' || c == '"' || c == '\\') c = '?';
  }
  return name;
}

bool IsProgram(const std::string& path) {
  return path.find('/') != std::string::npos && access(path.c_str(), X_OK) == 0;
}

std::vector<std::string> WordsBetweenSpaces(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> all;
  for (std::string word; words >> word;) all.push_back(word);
  return all;
}

// The compiler that built this program; else what CXX says; else c++.
std::vector<std::string> CxxCompiler() {
  if (IsProgram(TOUCHSTONE_CXX)) return {TOUCHSTONE_CXX};
  const char* named = std::getenv("CXX");
  std::vector<std::string> words = WordsBetweenSpaces(named != nullptr ? named : "");
  return words.empty() ? std::vector<std::string>{"c++"} : words;
}

std::string Nvcc() { return IsProgram(TOUCHSTONE_NVCC) ? TOUCHSTONE_NVCC : "nvcc"; }

void Append(std::vector<std::string>* words, const std::vector<std::string>& more) {
  words->insert(words->end(), more.begin(), more.end());
}

// In the folder `root` is a link to the repository and `beside` one to the source's folder, so that
// nothing that the source's author chose stands in the command: nvcc runs a shell of its own.
CompilerCall CallFor(const std::string& path, const std::string& text, const CudaLaunch& launch,
                     const OpSpec& op, CudaCompiler compiler) {
  CompilerCall call;
  const std::filesystem::path whole = std::filesystem::absolute(path);
  call.links = {{"root", std::filesystem::absolute(RepositoryRoot()).string()},
                {"beside", whole.parent_path().string()}};
  call.files["kernel.cu"] = fmt::format("#line 1 \"{}\"\n{}\n", NameInMessages(path), text);
  call.result = kResult;
  const std::string caller = CallerOf(launch, op, compiler);
  if (compiler == CudaCompiler::kNvcc) {
    call.files["call.cu"] = caller;
    call.seconds = 300;
    call.memory_bytes = int64_t{16} << 30;
    call.words = {Nvcc(),         "-std=c++20", "-O3", "--expt-relaxed-constexpr",
                  "-arch=native", "-shared",    "-w",  "-Xcompiler",
                  "-fPIC",        "-Iroot",     "-o",  kResult,
                  "-Ibeside",     "call.cu"};
    return call;
  }
  call.files["call.cc"] = caller;
  const std::filesystem::path runtime =
      std::filesystem::path(WorkerProgram()).parent_path() / "libtouchstone_simt.a";
  if (!std::filesystem::exists(runtime)) {
    throw KernelUnavailable(
        fmt::format("cannot compile kernels: there is no {} (it is built together with touchstone)",
                    TerminalText(runtime.string())));
  }
  call.links["simt.a"] = runtime.string();
  call.words = CxxCompiler();
  Append(&call.words, {"-std=c++20", "-O2", "-ffp-contract=off"});
  Append(&call.words, WordsBetweenSpaces(TOUCHSTONE_ARCH_FLAGS));
  // Without -z defs a function that is nowhere would be missed only when the library is loaded.
  Append(&call.words, {"-fPIC", "-shared", "-fvisibility=hidden", "-w", "-fmax-errors=5",
                       "-fdiagnostics-color=never", "-Iroot", "-iquote", "beside", "call.cc",
                       "simt.a", "-Wl,-z,defs", "-o", kResult});
  return call;
}

// Empty where a kernel could be run on a GPU.
std::string WhyNoGpu() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return "there is no CUDA driver here (libcuda.so.1)";
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  int devices = 0;
  if (init == nullptr || count == nullptr || init(0) != 0 || count(&devices) != 0 || devices == 0) {
    return "there is no CUDA device here";
  }
  return {};
}

UnnamedFile Compile(const std::string& path, const OpSpec& op, CudaCompiler compiler) {
  const std::string text = SourceText(path);
  const CudaLaunch launch = LaunchIn(text, path, op);
  if (compiler == CudaCompiler::kNvcc) {
    if (const std::string why = WhyNoGpu(); !why.empty()) {
      throw KernelUnavailable(
          fmt::format("{}: --device cuda: {}; --device cpu runs it under the CPU execution model",
                      TerminalText(path), why));
    }
  }
  const CompilerCall call = CallFor(path, text, launch, op, compiler);
  const std::string name = TerminalText(call.words[0]);
  Compiled compiled = RunCompiler(call);
  if (!compiled.found) {
    throw KernelUnavailable(
        fmt::format("{}: there is no compiler {} to compile it with", TerminalText(path), name));
  }
  if (!compiled.why.empty()) {
    throw KernelUnavailable(fmt::format("{}: {} {}", TerminalText(path), name, compiled.why));
  }
  if (!compiled.done) {
    throw KernelUnavailable(fmt::format("{}: does not compile ({}): {}", TerminalText(path), name,
                                        PrintableText(FirstErrors(compiled.said))));
  }
  return std::move(compiled.result);
}

std::string WithNameFor(std::string text, const std::string& path, const std::string& name) {
  for (size_t at = 0; (at = text.find(path, at)) != std::string::npos; at += name.size()) {
    text.replace(at, path.size(), name);
  }
  return text;
}

// A library that was compiled here, under its source's name.
class CompiledKernel : public Kernel {
 public:
  CompiledKernel(std::shared_ptr<UnnamedFile> library, const std::string& source, const OpSpec& op,
                 const KernelLimits& limits, bool on_gpu)
      : library_(std::move(library)), source_(source) {
    const std::string shown = TerminalText(source);
    try {
      plugin_ = std::make_unique<PluginKernel>(library_->path(), op, limits);
    } catch (const KernelUnavailable& error) {
      throw KernelUnavailable(WithNameFor(error.what(), library_->path(), shown));
    } catch (const KernelCrashed& error) {
      throw KernelCrashed(error.state, WithNameFor(error.what(), library_->path(), shown));
    }
    info_ = plugin_->info();
    info_.origin = source;
    if (!on_gpu) info_.device = kSimtDevice;
  }

  const KernelInfo& info() const override { return info_; }
  RunResult Run(const Case& c, const Tensors& inputs, const RunOptions& options) override {
    RunResult result = plugin_->Run(c, inputs, options);
    result.what = WithNameFor(result.what, library_->path(), TerminalText(source_));
    return result;
  }

 private:
  std::shared_ptr<UnnamedFile> library_;
  std::string source_;
  std::unique_ptr<PluginKernel> plugin_;
  KernelInfo info_;
};

}  // namespace

bool IsCudaSource(const std::string& kernel) { return kernel.ends_with(".cu"); }

KernelMaker KernelMakerOf(const std::string& kernel, const OpSpec& op, const KernelLimits& limits,
                          const std::string& device) {
  if (IsCudaSource(kernel)) {
    const bool on_gpu = device == "cuda";
    const auto library = std::make_shared<UnnamedFile>(
        Compile(kernel, op, on_gpu ? CudaCompiler::kNvcc : CudaCompiler::kExecutionModel));
    return
        [=, &op] { return std::make_unique<CompiledKernel>(library, kernel, op, limits, on_gpu); };
  }
  return [=, &op] {
    auto plugin = std::make_unique<PluginKernel>(kernel, op, limits);
    if (!device.empty() && plugin->info().device != device) {
      throw KernelUnavailable(fmt::format("{}: computes on {}, and --device {} was asked for",
                                          TerminalText(kernel), plugin->info().device, device));
    }
    return plugin;
  };
}

}  // namespace touchstone::lab
