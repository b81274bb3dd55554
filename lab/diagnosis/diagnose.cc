#include <fmt/format.h>

#include "lab/diagnosis/causes.h"
#include "lab/diagnosis/pattern.h"
#include "lab/diagnosis/profile_outputs.h"
#include "lab/diagnosis/ulp_histogram.h"

namespace touchstone::lab {
namespace {

// Multiply-adds of a case whose causes are tested by computing it again, some hundred times.
constexpr double kMostWork = 1e6;
constexpr size_t kMostCauses = 3;

void AddCauses(const Suspect& suspect, const std::vector<Cause>& causes,
               std::vector<std::string>* found) {
  for (const Cause& cause : causes) {
    if (found->size() >= kMostCauses) return;
    if (const std::optional<std::string> sentence = cause.test(suspect))
      found->push_back(*sentence);
  }
}

}  // namespace

Diagnosis Diagnose(const Sample& sample, const Tensors& right) {
  const Suspect suspect = SuspectOf(sample, right);
  Diagnosis diagnosis{UlpHistogram(suspect), PatternOf(suspect), {}};
  AddCauses(suspect, CausesInOutputs(), &diagnosis.causes);
  // What outputs show needs no second explanation.
  if (diagnosis.causes.empty() && WorkOf(sample.c) <= kMostWork) {
    AddCauses(suspect, CausesByRecomputing(), &diagnosis.causes);
  }
  return diagnosis;
}

}  // namespace touchstone::lab
