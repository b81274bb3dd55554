#include <fmt/format.h>
#include <openssl/crypto.h>

#include <Eigen/Core>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "golden/hdf5_file.h"
#include "lab/commands.h"
#include "lab/errors.h"
#include "lab/golden_ops.h"
#include "lab/repository.h"
#include "reference/formats/contract_version.h"

namespace touchstone::lab {
namespace {

// The value of the first line of a file that starts with the key.
std::string LineOf(const std::string& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find_first_of(":=");
    const size_t begin = line.find_first_not_of(" \t\"", colon + 1);
    if (colon == std::string::npos || begin == std::string::npos) return "";
    return line.substr(begin, line.find_last_not_of(" \"") - begin + 1);
  }
  return "";
}

// `also` is searched after PATH.
std::string OnPath(const std::string& tool, const std::string& also = "") {
  const char* path = std::getenv("PATH");
  const std::string folders = (path == nullptr ? "" : std::string(path)) + ":" + also;
  for (size_t begin = 0; begin < folders.size();) {
    const size_t end = std::min(folders.find(':', begin), folders.size());
    const std::string candidate = folders.substr(begin, end - begin) + "/" + tool;
    std::error_code error;
    if (std::filesystem::is_regular_file(candidate, error)) return candidate;
    begin = end + 1;
  }
  return "";
}

// Whether the processor keeps subnormals and rounds to nearest even, as rule N1 needs: some
// libraries change the mode of the whole process.
std::string Arithmetic() {
  volatile float smallest_normal = 0x1p-126f, half = 0.5f, one = 1.0f, tie = 0x1p-24f;
  const bool keeps_subnormals = smallest_normal * half == 0x1p-127f;
  const bool rounds_to_even = one + tie == 1.0f && 0x1.000002p+0f + tie == 0x1.000004p+0f;
  if (keeps_subnormals && rounds_to_even) return "IEEE-754: subnormals kept, nearest even";
  return keeps_subnormals ? "WRONG: not round to nearest even" : "WRONG: subnormals are flushed";
}

}  // namespace

int DoctorCommand() {
  const std::string root = RepositoryRoot();
  const std::string arithmetic = Arithmetic();
  const auto tool = [](const std::string& name, const std::string& use) {
    const std::string found = OnPath(name);
    return fmt::format("{:<16} {}\n", name, found.empty() ? "not found: " + use : found);
  };
  const bool golden = std::filesystem::exists(root + "/golden/MANIFEST");
  std::string text;
  text += fmt::format("{:<16} {} ({} threads)\n", "processor",
                      LineOf("/proc/cpuinfo", "model name"), std::thread::hardware_concurrency());
  text += fmt::format("{:<16} {}\n", "system", LineOf("/etc/os-release", "PRETTY_NAME"));
  text += fmt::format("{:<16} {}\n", "build", BuildDescription());
  text += fmt::format("{:<16} Eigen {}.{}.{}, fmt {}.{}.{}, HDF5 {}, {}\n", "libraries",
                      EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION,
                      FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100,
                      golden::LibraryVersion(), OpenSSL_version(OPENSSL_VERSION));
  text += fmt::format("{:<16} {}\n", "arithmetic", arithmetic);
  text += fmt::format("{:<16} version {}\n", "contract", kContractVersion);
  text += fmt::format("{:<16} {}\n", "repository", root);
  text +=
      fmt::format("{:<16} {}\n", "golden files", golden ? "there" : "missing: git checkout golden");
  text += tool("h5dump", "package hdf5-tools, to look into golden files");
  text += tool("clang++-14",
               "package clang-14, for `test --all`: sanitizers and the comparison of bits");
  text +=
      tool("qemu-aarch64", "package qemu-user, for `test --all`: the bits of another processor");
  text += tool("sphinx-build", "package python3-sphinx, for `test --all`: the walkthrough");
  const std::string nvcc = OnPath("nvcc", "/usr/local/cuda/bin");
  text += fmt::format("{:<16} {}\n", "nvcc",
                      !nvcc.empty() ? nvcc
                                    : "not found: CUDA toolkit, for --device cuda and "
                                      "tools/compile_kernels; kernels run on the CPU without it");
  text += fmt::format("{:<16} {}\n", "GPU",
                      "used where --device cuda asks for it, by no other command");
  std::fwrite(text.data(), 1, text.size(), stdout);
  return arithmetic.starts_with("WRONG") ? kFailed : golden ? kPassed : kBadData;
}

}  // namespace touchstone::lab
