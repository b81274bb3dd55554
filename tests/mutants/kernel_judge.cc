// kernel_judge OP ALGORITHM: judges a kernel of kernels/ under the CPU execution model as `verify`
// judges a stranger's, by bits and by the bound: every small case of the default suite, the
// smallest first. A line a case, "BIT-EXACT f32/...", which is written before the next one begins:
// a mutant may end the process.
//
// Exit codes: 0 every case is bit-exact; 1 not so; 2 usage.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "lab/errors.h"
#include "lab/kernel/built_in_kernel.h"
#include "lab/kernel/kernel_verify.h"
#include "lab/spec.h"
#include "lab/verify.h"
#include "tests/simt/kernel_run.h"

namespace touchstone::lab {
namespace {

// Whether every case has the reference's bits.
bool Judge(const OpSpec& op, const Implementation& implementation) {
  const std::vector<Case> cases = SmallOf(CasesOf(op));
  bool all_exact = !cases.empty();
  for (const Case& c : cases) {
    BuiltInKernel kernel(op, implementation);
    KernelOptions how;
    how.only_case = c.Name();
    how.invariance = false;
    how.decoys = false;
    const KernelReport report = JudgeKernel(op, &kernel, how);
    TOUCHSTONE_REQUIRE(report.cases.size() == 1);
    // Two schedules, two results: each may be within the bound, and yet one is wrong.
    const bool differs = report.determinism.first.has_value();
    const Verdict verdict = differs ? Verdict::kFailed : report.cases.front().verdict;
    all_exact = all_exact && verdict == Verdict::kBitExact;
    std::printf("%s\t%s\n", Word(verdict).c_str(), c.Name().c_str());
    std::fflush(stdout);
  }
  return all_exact;
}

int Main(int count, char** words) {
  const OpSpec* op = count == 3 ? FindOp(words[1]) : nullptr;
  if (op == nullptr) {
    std::fprintf(stderr, "kernel_judge OP ALGORITHM\n");
    return kUsage;
  }
  for (const Implementation& one : op->implementations) {
    if (one.name != std::string("kernels/") + words[2]) continue;
    return Judge(*op, one) ? kPassed : kFailed;
  }
  std::fprintf(stderr, "kernel_judge: %s has no kernel '%s'\n", words[1], words[2]);
  return kUsage;
}

}  // namespace
}  // namespace touchstone::lab

int main(int count, char** words) {
  try {
    return touchstone::lab::Main(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_judge: %s\n", error.what());
    return touchstone::lab::kUsage;
  }
}
