// The table that a proof program prints: one row a proof.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

namespace touchstone {

struct ProofTally {
  static constexpr size_t kShownMistakes = 5;

  uint64_t inputs = 0;
  uint64_t to_mpfr = 0;
  uint64_t wrong = 0;
  std::vector<std::string> mistakes;  // the first few

  void Mistake(const std::string& text) {
    ++wrong;
    if (mistakes.size() < kShownMistakes) mistakes.push_back(text);
  }

  void Join(const ProofTally& other) {
    inputs += other.inputs;
    to_mpfr += other.to_mpfr;
    wrong += other.wrong;
    for (const auto& text : other.mistakes) {
      if (mistakes.size() < kShownMistakes) mistakes.push_back(text);
    }
  }
};

struct ProofRow {
  std::string name;
  ProofTally tally;
  double measured_error = 0.0;  // relative, before the last rounding
  double error_bound = 0.0;     // 0 where the proof has none
  double wall_seconds = 0.0;
  double core_seconds = 0.0;

  bool Passed() const {
    return tally.inputs > 0 && tally.wrong == 0 && measured_error <= error_bound;
  }
};

// Starts when made.
class ProofStopwatch {
 public:
  void Store(ProofRow& row) const {
    row.wall_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count();
    row.core_seconds = static_cast<double>(std::clock() - core_) / CLOCKS_PER_SEC;
  }

 private:
  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  std::clock_t core_ = std::clock();
};

inline void PrintProofRow(const ProofRow& row) {
  std::printf("%-10s %11llu %8llu %6llu", row.name.c_str(),
              static_cast<unsigned long long>(row.tally.inputs),
              static_cast<unsigned long long>(row.tally.to_mpfr),
              static_cast<unsigned long long>(row.tally.wrong));
  if (row.error_bound > 0.0) {
    std::printf("  2^%-9.2f  2^%-5.0f", std::log2(row.measured_error), std::log2(row.error_bound));
  } else {
    std::printf("  %-11s  %-7s", "-", "-");
  }
  std::printf(" %8.1f %8.1f  %s\n", row.wall_seconds, row.core_seconds,
              row.Passed() ? "PASSED" : "FAILED");
  for (const auto& text : row.tally.mistakes) std::printf("    %s\n", text.c_str());
}

// Prints the rows and the closing line. True if there is a row and all passed.
inline bool PrintProofTable(const std::vector<ProofRow>& rows) {
  std::printf("%-10s %11s %8s %6s  %-11s  %-7s %8s %8s\n", "function", "inputs", "to MPFR", "wrong",
              "error found", "bound", "seconds", "core s");
  for (const ProofRow& row : rows) PrintProofRow(row);
  const auto passed =
      std::count_if(rows.begin(), rows.end(), [](const ProofRow& row) { return row.Passed(); });
  const auto failed = static_cast<std::ptrdiff_t>(rows.size()) - passed;
  std::printf("%td passed, %td failed\n", passed, failed);
  return failed == 0 && passed > 0;
}

}  // namespace touchstone
