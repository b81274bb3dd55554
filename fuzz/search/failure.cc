#include "fuzz/search/failure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "fuzz/search/standalone_program.h"
#include "fuzz/search/tensor_edits.h"
#include "lab/files/case_file.h"
#include "lab/kernel/cuda_kernel.h"
#include "lab/report.h"
#include "lab/shown_text.h"

namespace touchstone::fuzz {
namespace {

constexpr int64_t kShown = 16;  // elements of a tensor

// `touchstone verify OP --kernel K --contract C`, with what that command calls a time limit.
std::string Line(const char* command, const char* time_flag, const Searched& searched) {
  std::string line = fmt::format("./touchstone {} {}", command, searched.op);
  if (!searched.kernel.empty()) line += " --kernel " + lab::ShellWord(searched.kernel);
  if (searched.exact) line += " --contract exact";
  if (searched.timeout > 0.0) line += fmt::format(" {} {}", time_flag, searched.timeout);
  return line;
}

std::string VerifyLine(const Searched& searched) {
  return Line("verify", "--time-limit", searched);
}

std::string TensorLine(const std::string& name, const Tensor& tensor) {
  const std::vector<int64_t> nonzero = NonZeroElements(tensor);
  std::string line =
      fmt::format("  {:<10} {} ({})", name, Name(tensor.dtype), fmt::join(tensor.shape, ", "));
  if (nonzero.empty()) return line + ": all 0\n";
  line += ": 0 but";
  for (size_t k = 0; k < nonzero.size() && k < kShown; ++k) {
    line += fmt::format(" [{}] {:a}", nonzero[k], tensor.Real(nonzero[k]));
  }
  if (nonzero.size() > kShown) line += fmt::format(" and {} more", nonzero.size() - kShown);
  return line + "\n";
}

}  // namespace

std::string FuzzLine(const Searched& searched, uint64_t index) {
  return Line("fuzz", "--timeout", searched) +
         fmt::format(" --seed {} --from {} --cases 1", searched.seed, index);
}

std::string FailureText(const Searched& searched, const Failure& failure, const std::string& inputs,
                        const std::string& program) {
  const Shrunk& smallest = failure.smallest;
  const Judgement& judgement = smallest.judgement;
  std::string text = fmt::format("{}: {}: {}", searched.op, judgement.who, Word(judgement.outcome));
  if (!judgement.output.empty()) {
    const auto& difference = judgement.difference;
    text += fmt::format(", {} of {} elements, first {} at {}\n  got      {}\n  expected {}\n",
                        judgement.outside, judgement.compared, judgement.output, difference.at,
                        difference.got, difference.wanted);
  } else {
    text += fmt::format("\n  {}\n", lab::TerminalText(judgement.what));
  }
  text +=
      fmt::format("found    {} (trial {} of seed {}; {} elements not 0)\n", Describe(failure.found),
                  failure.index, searched.seed, NonZero(failure.found));
  text += fmt::format("smallest {} ({} elements not 0; {} tries{})\n", Describe(smallest.trial),
                      NonZero(smallest.trial), smallest.tries,
                      smallest.complete ? "" : ", stopped before the end");
  for (const lab::Argument& argument : smallest.trial.c.op->arguments) {
    if (!IsInput(argument)) continue;
    text += TensorLine(argument.name, smallest.trial.tensors.at(argument.name));
  }
  text += "repeat\n";
  if (!inputs.empty()) {
    text += fmt::format("  {} --inputs {}\n", VerifyLine(searched), lab::ShellWord(inputs));
  }
  if (smallest.named) {
    text += fmt::format("  {} --case {}\n", VerifyLine(searched), smallest.named->Name());
  }
  text += fmt::format("  {}\n", FuzzLine(searched, failure.index));
  if (!program.empty()) {
    text += fmt::format("  c++ -std=c++17 -I lab/include {} -ldl -o shown && ./shown {}\n",
                        lab::ShellWord(program), lab::ShellWord(LibraryOf(searched.kernel).file));
  }
  return text;
}

std::vector<std::string> WriteFailure(const std::string& folder, const Searched& searched,
                                      const Failure& failure) {
  const std::string stem =
      fmt::format("{}/{}-{}-{}", folder, searched.op, searched.seed, failure.index);
  const Trial& smallest = failure.smallest.trial;
  lab::FileCase kept{.c = smallest.c, .inputs = {}, .digest = {}, .given = true};
  for (const lab::Argument& argument : smallest.c.op->arguments) {
    if (IsInput(argument)) kept.inputs.emplace(argument.name, smallest.tensors.at(argument.name));
  }
  kept.digest = lab::DigestOf(kept.c, kept.inputs);
  lab::WriteCases(stem + ".h5", {kept});

  std::vector<std::string> paths = {stem + ".txt", stem + ".h5"};
  std::string program;
  if (!searched.kernel.empty() && !lab::IsCudaSource(searched.kernel)) {
    const std::string source = StandaloneProgram(smallest, failure.smallest.judgement,
                                                 searched.exact, LibraryOf(searched.kernel).symbol);
    if (!source.empty()) {
      program = stem + ".cc";
      lab::WriteTextFile(program, source);
      paths.push_back(program);
    }
  }
  lab::WriteTextFile(paths.front(), FailureText(searched, failure, stem + ".h5", program));
  return paths;
}

}  // namespace touchstone::fuzz
