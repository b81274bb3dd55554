#include "lab/decoys/decoys.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "lab/decoys/edits.h"
#include "lab/input_class.h"
#include "lab/judge.h"
#include "reference/arithmetic/parallel.h"

namespace touchstone::lab {
namespace {

bool SameBits(const Case& c, const Tensors& got, const Tensors& wanted) {
  return std::all_of(c.op->arguments.begin(), c.op->arguments.end(), [&](const Argument& a) {
    return a.role == Role::kIn ||
           CompareBits(a.name, a.dims, got.at(a.name), wanted.at(a.name)).outside == 0;
  });
}

// A case, and what all decoys need of it, made when the first of them asks.
class Trial {
 public:
  Trial(Case c, exact::Allowance allowance) : case_(std::move(c)), allowance_(allowance) {}

  const Case& of() const { return case_; }

  // The wrong outputs, where they are not the right ones.
  std::optional<Tensors> Outputs(const Decoy& decoy) {
    std::call_once(ran_, [&] {
      inputs_ = MakeTensors(case_);
      right_ = inputs_;
      Run(case_, &right_, 1);
    });
    return decoy.outputs(case_, inputs_, right_);
  }

  // Every sound kernel's outputs are accepted, with or without the inner rounding places.
  bool IsAccepted(const Tensors& outputs) {
    std::call_once(enclosed_, [&] {
      expected_ = Enclose(case_, inputs_, AllPlaces(*case_.op, exact::Place::kHull), allowance_);
    });
    return CompareWithExpected(case_, outputs, expected_).outside == 0;
  }

 private:
  Case case_;
  exact::Allowance allowance_;
  std::once_flag ran_, enclosed_;
  Tensors inputs_, right_;
  Expected expected_;
};

// Cheap ones first: most decoys are seen in the first case where they can be made.
double Work(const Case& c) {
  double work = 1.0;
  for (const auto& [letter, size] : c.sizes)
    work *= static_cast<double>(std::max<int64_t>(size, 1));
  return work;
}

class Panel {
 public:
  Panel(const OpSpec& op, const TriedSuite& suite) : exact_(suite.exact) {
    std::set<std::string> names;
    for (const Case& c : suite.cases) {
      names.insert(c.Name());
      suite_.push_back(std::make_unique<Trial>(c, suite.allowance));
    }
    for (const Case& c : CasesOf(op)) {
      if (names.contains(c.Name())) continue;
      auto& trials = suite.not_run.contains(c.Name()) ? not_run_ : others_;
      trials.push_back(std::make_unique<Trial>(c, suite.allowance));
    }
    for (auto* trials : {&suite_, &others_, &not_run_}) {
      std::stable_sort(trials->begin(), trials->end(),
                       [](const auto& a, const auto& b) { return Work(a->of()) < Work(b->of()); });
    }
  }

  DecoyResult Try(const Decoy& decoy) {
    DecoyResult result{decoy.name, decoy.meaning, DecoyFate::kSameBits, ""};
    for (const auto& trial : suite_) {
      const std::optional<Tensors> wrong = trial->Outputs(decoy);
      if (!wrong) continue;
      result.fate = DecoyFate::kWithin;
      if (exact_ || !trial->IsAccepted(*wrong)) {
        return {decoy.name, decoy.meaning, DecoyFate::kRejected, trial->of().Name()};
      }
    }
    const bool was_made = result.fate == DecoyFate::kWithin;
    for (const auto* trials : {&others_, &not_run_}) {
      for (const auto& trial : *trials) {
        const std::optional<Tensors> wrong = trial->Outputs(decoy);
        if (!wrong) continue;
        result.fate = DecoyFate::kWithin;
        if (trial->IsAccepted(*wrong)) continue;
        const bool is_vacuous = trials == &not_run_ && !was_made;
        result.fate = is_vacuous ? DecoyFate::kNotRun : DecoyFate::kPassed;
        result.by = trial->of().Name();
        return result;
      }
    }
    return result;
  }

 private:
  bool exact_;
  std::vector<std::unique_ptr<Trial>> suite_, others_, not_run_;
};

}  // namespace

std::vector<Decoy> DecoysOf(const OpSpec& op) {
  std::vector<Decoy> decoys;
  AddOutputEdits(op, &decoys);
  AddInputEdits(op, &decoys);
  AddIndexEdits(op, &decoys);
  AddAttributeEdits(op, &decoys);
  AddArithmeticFaults(op, &decoys);
  for (Decoy& decoy : decoys) {
    decoy.outputs = [make = std::move(decoy.outputs)](
                        const Case& c, const Tensors& inputs,
                        const Tensors& right) -> std::optional<Tensors> {
      std::optional<Tensors> wrong = make(c, inputs, right);
      if (wrong && SameBits(c, *wrong, right)) wrong.reset();
      return wrong;
    };
  }
  return decoys;
}

std::vector<DecoyResult> TryDecoys(const OpSpec& op, const TriedSuite& suite, int threads) {
  const std::vector<Decoy> decoys = DecoysOf(op);
  Panel panel(op, suite);
  std::vector<DecoyResult> results(decoys.size());
  std::atomic<size_t> next{0};
  const int64_t workers =
      std::max<int64_t>(1, std::min<int64_t>(threads, static_cast<int64_t>(decoys.size())));
  ParallelFor(workers, static_cast<int>(workers), [&](int64_t) {
    for (size_t i = next++; i < decoys.size(); i = next++) results[i] = panel.Try(decoys[i]);
  });
  return results;
}

}  // namespace touchstone::lab
