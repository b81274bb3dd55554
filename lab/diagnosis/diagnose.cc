#include <cmath>
#include <set>

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

// Whether equal bits would show anything: signs of zeros and one lonely value agree by chance.
bool Telling(const Suspect& suspect) {
  std::set<double> values;
  for (const auto& [name, wrong] : suspect.wrong) {
    const Tensor& got = suspect.got.at(name);
    for (const int64_t i : wrong) {
      if (got.dtype == Dtype::kI64) return true;
      if (std::isfinite(got.Real(i)) && got.Real(i) != 0.0) values.insert(got.Real(i));
    }
  }
  return suspect.outside || values.size() >= 3;
}

}  // namespace

Diagnosis Diagnose(const Sample& sample, const Tensors& right) {
  const Suspect suspect = SuspectOf(sample, right);
  Diagnosis diagnosis{UlpHistogram(suspect), PatternOf(suspect), {}};
  AddCauses(suspect, CausesInOutputs(), &diagnosis.causes);
  // What outputs show needs no second explanation.
  if (diagnosis.causes.empty() && Telling(suspect) && WorkOf(sample.c) <= kMostWork) {
    AddCauses(suspect, CausesByRecomputing(), &diagnosis.causes);
  }
  return diagnosis;
}

}  // namespace touchstone::lab
