// A failure as one C++ file that anyone can build: it loads the kernel, calls it on the smallest
// inputs and prints the first element that is not right. Under twenty lines of its own, and one for
// each tensor; it includes lab/include/touchstone.h and nothing else of ours.
#pragma once

#include <string>

#include "fuzz/search/trial_judge.h"

namespace touchstone::fuzz {

// "./mine.so:symbol" in parts; the symbol is empty where none is named.
struct Library {
  std::string file, symbol;
};
Library LibraryOf(const std::string& kernel);

// Empty where the inputs are too many for a source file. `symbol` empty: touchstone_<op>.
std::string StandaloneProgram(const Trial& trial, const Judgement& judgement, bool exact,
                              const std::string& symbol);

}  // namespace touchstone::fuzz
