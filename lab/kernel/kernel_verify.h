// Judges a kernel from the cases to the report: every case is run by the kernel (twice, and with
// its rows in other company), and beside it, on the lab's own threads, compared with what is right.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "lab/files/case_file.h"
#include "lab/kernel/kernel.h"
#include "lab/kernel/kernel_report.h"
#include "lab/spec.h"
#include "reference/exact/profile.h"

namespace touchstone::lab {

struct KernelOptions {
  Contract contract = Contract::kBounded;
  exact::Profile profile = {};      // of contract profile
  exact::Allowance allowance = {};  // widens the bound; the report names it
  std::string only_case = {};       // the name of one case; empty: all
  Suite suite = Suite::kDefault;
  bool smallest = false;             // of each input class and recipe the smallest case
  std::vector<Dtype> recipes = {};   // empty: all that the kernel declares
  std::vector<FileCase> given = {};  // these in place of the op's cases, with their inputs
  std::vector<FileCase> kept = {};   // these too (lab/files/worst_cases.h)
  bool invariance = true;
  bool decoys = true;
  int threads = 1;           // of the lab; the kernel's process runs beside them
  std::string command = {};  // for repro lines: KernelReport::command
  std::string search = {};   // KernelReport::search
  // Set from outside (a signal): no further case is begun, and the report says so.
  const std::atomic<bool>* stop = nullptr;
};

struct KernelEvents {
  // Before a case, and before the parts that follow them: how many cases are done, of how many.
  std::function<void(int64_t done, int64_t all, const std::string& what)> progress =
      [](int64_t, int64_t, const std::string&) {};
};

// Throws UsageError for a case that does not exist. Whatever the kernel does is in the report.
KernelReport JudgeKernel(const OpSpec& op, Kernel* kernel, const KernelOptions& options,
                         const KernelEvents& events = {});

}  // namespace touchstone::lab
