// How far a search has come: DIR/<op>.ledger.json, written anew about every second, whole or not at
// all. `fuzz --resume` continues from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace touchstone::fuzz {

struct LedgerFailure {
  uint64_t trial = 0;
  std::string kind;    // Judgement::Kind
  std::string report;  // the text file, beside the ledger
  bool ended = false;  // crashed or timed out
};

struct Ledger {
  std::string op;
  uint64_t seed = 1;
  bool exact = false;
  std::string kernel = {};         // as given to --kernel; empty: built in
  std::string kernel_sha256 = {};  // of the library's bytes
  uint64_t next = 0;               // the first trial that has not run
  std::vector<LedgerFailure> failures = {};
};

std::string LedgerFile(const std::string& folder, const std::string& op);

// Throws std::runtime_error where it cannot be written.
void WriteLedger(const std::string& path, const Ledger& ledger);
// Nothing where there is no such file. Throws golden::BadFile for one that is no ledger.
std::optional<Ledger> ReadLedger(const std::string& path);

// SHA-256 of a file's bytes, in hexadecimal; empty where it cannot be read.
std::string FileSha256(const std::string& path);

}  // namespace touchstone::fuzz
