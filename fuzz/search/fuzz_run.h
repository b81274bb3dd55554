// The whole of a search: resumes, searches, shrinks, keeps files and the ledger, and sums up. The
// command reads its options from the command line; tests bring their own kernels.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fuzz/search/failure.h"
#include "fuzz/search/ledger.h"
#include "fuzz/search/search.h"

namespace touchstone::fuzz {

struct FuzzOptions {
  Searched searched;
  SearchLimits limits;
  uint64_t from = 0;        // the first trial
  bool resume = false;      // continue from the ledger in place of `from`
  bool seed_given = false;  // --resume then wants the ledger's to be the same
  bool keep_going = false;  // search on after a failure; one of each kind is kept
  std::string folder = "touchstone-failures";
  ShrinkLimits shrink;  // `stop` and `progress` are set here
};

struct FuzzEvents {
  std::function<bool()> stop = [] { return false; };  // a signal came
  std::function<void(const std::string&)> progress = [](const std::string&) {};
  std::function<void(const std::string&)> say = [](const std::string&) {};  // lines that stay
};

// Returns the exit code. Throws UsageError, golden::BadFile for a ledger that is none, and what
// `make_kernel` throws.
int RunFuzz(const lab::OpSpec& op, const FuzzOptions& options, const MakeKernel& make_kernel,
            const FuzzEvents& events);

}  // namespace touchstone::fuzz
