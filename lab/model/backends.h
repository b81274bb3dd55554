// Who computes a model's ops: `--backend` chooses among the implementations for this processor,
// `--device` another device. All give the same bits; `verify` and the golden models hold them to
// it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "reference/model/backend.h"

namespace touchstone::lab {

struct BackendChoice {
  std::string name = "reference";
  std::string device = "cpu";
};

// By name: "reference", or "optimized", the candidates under optimized/. By device: "cpu"; "simt",
// the CUDA kernels under the CPU execution model; "cuda", the same kernels on a GPU. Throws
// UsageError for another name or for a backend on another device than the CPU, KernelUnavailable
// where the program was built without a candidate or there is no GPU.
Backend BackendOf(const BackendChoice& choice);

// Adds `--backend` and `--device`.
void AddBackendOptions(CLI::App* command, BackendChoice* choice);

}  // namespace touchstone::lab
