#include "fuzz/search/trial_judge.h"

#include <algorithm>
#include <exception>

#include "lab/chain.h"
#include "lab/shown_text.h"
#include "reference/formats/require.h"

namespace touchstone::fuzz {
namespace {

using lab::Argument;
using lab::Comparison;
using lab::Tensors;

void Note(const Comparison& comparison, Outcome outcome, const std::string& who,
          Judgement* judgement) {
  judgement->compared += comparison.compared;
  judgement->undecidable += comparison.undecidable;
  if (comparison.outside == 0 || judgement->Failed()) return;
  judgement->outcome = outcome;
  judgement->who = who;
  judgement->outside = comparison.outside;
  if (comparison.first) judgement->difference = *comparison.first;
  judgement->output = judgement->difference.tensor;
}

void NoteBits(const Trial& trial, const Tensors& got, const Tensors& wanted, const std::string& who,
              Judgement* judgement) {
  for (const Argument& argument : trial.c.op->arguments) {
    if (argument.role == lab::Role::kIn) continue;
    Note(lab::CompareBits(argument.name, argument.dims, got.at(argument.name),
                          wanted.at(argument.name)),
         Outcome::kBits, who, judgement);
  }
}

void NoteBound(const Trial& trial, const Tensors& got, exact::Place place, const std::string& who,
               Judgement* judgement) {
  const lab::Expected expected =
      lab::Enclose(trial.c, trial.tensors, lab::AllPlaces(*trial.c.op, place));
  // In the order of the arguments: which output fails first is part of a failure's kind.
  const auto results = lab::CompareOutputs(trial.c, got, expected);
  for (const Argument& argument : trial.c.op->arguments) {
    const auto found = results.find(argument.name);
    if (found != results.end()) Note(found->second, Outcome::kOutside, who, judgement);
  }
}

// Runs the work, and makes what it throws an error of whoever is judged.
template <typename Work>
void OrError(const std::string& who, Judgement* judgement, Work work) {
  if (judgement->Failed()) return;
  try {
    work();
  } catch (const std::exception& error) {
    *judgement = {.outcome = Outcome::kError, .who = who, .output = {}, .what = error.what()};
  }
}

Outcome OutcomeOf(lab::RunState state) {
  switch (state) {
    case lab::RunState::kDone:
      return Outcome::kPassed;
    case lab::RunState::kRefused:
      return Outcome::kRefused;
    case lab::RunState::kFailed:
      return Outcome::kError;
    case lab::RunState::kCrashed:
      return Outcome::kCrashed;
    case lab::RunState::kTimedOut:
      return Outcome::kTimedOut;
  }
  return Outcome::kError;
}

}  // namespace

std::string Word(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "PASSED";
    case Outcome::kInvalid:
      return "INVALID";
    case Outcome::kRefused:
      return "REFUSED";
    case Outcome::kOutside:
      return "OUTSIDE ITS BOUND";
    case Outcome::kBits:
      return "OTHER BITS";
    case Outcome::kBreach:
      return "BREACH";
    case Outcome::kError:
      return "ERROR";
    case Outcome::kCrashed:
      return "CRASHED";
    case Outcome::kTimedOut:
      return "TIMED OUT";
  }
  return "ERROR";
}

std::string Judgement::Kind() const { return who + ": " + Word(outcome) + ": " + output; }

Judgement TrialJudge::JudgeBuiltIn(const Trial& trial, const Tensors& right) const {
  Judgement judgement;
  OrError("reference", &judgement,
          [&] { NoteBound(trial, right, exact::Place::kOn, "reference", &judgement); });
  const auto& implementations = trial.c.op->implementations;
  for (size_t i = 1; i < implementations.size(); ++i) {
    const std::string& who = implementations[i].name;
    OrError(who, &judgement, [&] {
      Tensors got = trial.tensors;
      lab::Run(trial.c, implementations[i], &got, 1);
      NoteBits(trial, got, right, who, &judgement);
      for (const Argument& argument : trial.c.op->arguments) {
        if (argument.role != lab::Role::kIn || judgement.Failed()) continue;
        if (got.at(argument.name).data == trial.tensors.at(argument.name).data) continue;
        judgement.outcome = Outcome::kBreach;
        judgement.who = who;
        judgement.what = "changes its input " + argument.name;
      }
    });
  }
  return judgement;
}

Judgement TrialJudge::JudgeKernel(const Trial& trial, const Tensors& right) const {
  const std::string who = lab::TerminalText(kernel_->info().name);
  Judgement judgement{.who = who, .output = {}};
  OrError(who, &judgement, [&] {
    Tensors inputs;
    for (const Argument& argument : trial.c.op->arguments) {
      if (IsInput(argument)) inputs.emplace(argument.name, trial.tensors.at(argument.name));
    }
    const lab::RunResult run = kernel_->Run(trial.c, inputs, {.poison = trial.poison});
    judgement.outcome = OutcomeOf(run.state);
    judgement.what = run.what;
    const bool ended =
        run.state == lab::RunState::kCrashed || run.state == lab::RunState::kTimedOut;
    if (!ended && !run.breaches.empty()) {
      judgement.outcome = Outcome::kBreach;
      judgement.what = run.breaches.front();
    }
    if (judgement.outcome != Outcome::kPassed) return;
    if (exact_) {
      NoteBits(trial, run.outputs, right, who, &judgement);
    } else {
      NoteBound(trial, run.outputs, exact::Place::kHull, who, &judgement);
    }
  });
  return judgement;
}

Judgement TrialJudge::Judge(const Trial& trial) const {
  Tensors right = trial.tensors;
  try {
    lab::Run(trial.c, &right, 1);
  } catch (const ContractViolation& breach) {
    return {.outcome = Outcome::kInvalid, .who = {}, .output = {}, .what = breach.what()};
  } catch (const std::exception& error) {
    return {.outcome = Outcome::kError, .who = "reference", .output = {}, .what = error.what()};
  }
  return kernel_ == nullptr ? JudgeBuiltIn(trial, right) : JudgeKernel(trial, right);
}

}  // namespace touchstone::fuzz
