// decoy_table --write FOLDER | --check FOLDER: the committed table of what the panel of planted
// faults says of each op's default suite.
//
//   decoys.tsv        op, how many decoys, rejected, within the bound, with the right bits
//   decoys_kept.tsv   every decoy that no case rejects, and why
//
// --check tries them again and compares. Exit code 0: as committed; 1: not, or a decoy passed;
// 2: usage.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lab/decoys/decoys.h"
#include "lab/report.h"
#include "tests/committed_table.h"

namespace touchstone::lab {
namespace {

std::string Word(DecoyFate fate) {
  switch (fate) {
    case DecoyFate::kRejected:
      return "rejected";
    case DecoyFate::kPassed:
      return "passed";
    case DecoyFate::kWithin:
      return "within the bound";
    case DecoyFate::kSameBits:
      return "the right bits";
    case DecoyFate::kNotRun:  // no case is refused here
      break;
  }
  return "passed";
}

struct Tables {
  std::string counts = "op\tdecoys\trejected\twithin the bound\tthe right bits\n";
  std::string kept = "op\tfate\tdecoy\n";
  int passed = 0;
};

Tables Measure() {
  Tables tables;
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (const OpSpec* op : AllOps()) {
    std::map<DecoyFate, int> fates;
    const std::vector<DecoyResult> results = TryDecoys(*op, {.cases = CasesOf(*op)}, threads);
    for (const DecoyResult& result : results) {
      ++fates[result.fate];
      if (result.fate == DecoyFate::kRejected) continue;
      tables.kept += fmt::format("{}\t{}\t{}\n", op->name, Word(result.fate), result.name);
      if (result.fate == DecoyFate::kPassed) ++tables.passed;
    }
    tables.counts +=
        fmt::format("{}\t{}\t{}\t{}\t{}\n", op->name, results.size(), fates[DecoyFate::kRejected],
                    fates[DecoyFate::kWithin], fates[DecoyFate::kSameBits]);
  }
  return tables;
}

int Main(const std::string& mode, const std::string& folder) {
  const Tables tables = Measure();
  int faults = tables.passed;
  for (const auto& [name, text] :
       {std::pair("decoys.tsv", &tables.counts), std::pair("decoys_kept.tsv", &tables.kept)}) {
    faults += WriteOrCompare(mode, folder + "/" + name, *text);
  }
  fmt::print("{} decoys passed, {} faults\n", tables.passed, faults);
  return faults == 0 ? 0 : 1;
}

}  // namespace
}  // namespace touchstone::lab

int main(int count, char** words) {
  const std::string mode = count == 3 ? words[1] : "";
  if (mode != "--write" && mode != "--check") {
    fmt::print(stderr, "usage: decoy_table --write FOLDER | --check FOLDER\n");
    return 2;
  }
  try {
    return touchstone::lab::Main(mode, words[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "decoy_table: {}\n", error.what());
    return 1;
  }
}
