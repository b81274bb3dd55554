// verdict_rules [OP...] | --write FOLDER | --check FOLDER: published verdict rules and the interval
// verdict, tried on the same kernels: sound ones (exact::HonestProfiles), which must be accepted,
// and the planted faults of the decoy panel whose bits differ, which should not be. Makes two
// tables:
//
//   verdict_rules.tsv        for each rule the faults that it rejects and the sound kernels that it
//                            rejects, over all ops
//   verdict_rules_by_op.tsv  the faults rejected, by op
//
// A kernel is rejected in a recipe if it is in any of the op's cases whose outputs are finite; the
// rules know no answer for infinities. Exit code 1: our rule rejects a sound kernel, or a committed
// table says something else.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lab/decoys/decoys.h"
#include "lab/diagnosis/profile_outputs.h"
#include "lab/input_class.h"
#include "lab/judge.h"
#include "lab/report.h"
#include "reference/arithmetic/parallel.h"
#include "tests/committed_table.h"
#include "tests/lab/published_rules.h"

namespace touchstone::lab {
namespace {

constexpr size_t kPlainKernel = 4;  // of HonestProfiles: pairwise sums, as libraries have them
const char* const kOurs = "Touchstone";

bool IsReal(const Argument& argument) {
  return argument.role != Role::kIn && argument.stored != Stored::kI64;
}

// The letter of an op that is a contraction of two inputs and nothing else; 0 for others.
char ContractionLetter(const OpSpec& op) {
  if (op.is_chain() || !op.attributes.empty()) return 0;
  std::map<char, int> in;
  std::set<char> out;
  for (const Argument& argument : op.arguments) {
    for (const char letter : argument.dims) {
      if (argument.role != Role::kIn) out.insert(letter);
      if (argument.role == Role::kIn && argument.stored == Stored::kRecipe) ++in[letter];
    }
  }
  for (const auto& [letter, count] : in) {
    if (count == 2 && !out.contains(letter)) return letter;
  }
  return 0;
}

double LargestOf(const Tensor& tensor) {
  double largest = 0.0;
  for (int64_t i = 0; i < tensor.count(); ++i) {
    largest = std::max(largest, std::fabs(tensor.Real(i)));
  }
  return largest;
}

// What the rules know of a case, whatever kernel is judged.
struct JudgedCase {
  Case c;
  Tensors inputs, right;
  Expected hull;
  std::map<std::string, JudgedOutput> outputs;  // without `got`
};

std::vector<double> Reals(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.count()));
  for (int64_t i = 0; i < tensor.count(); ++i) values[static_cast<size_t>(i)] = tensor.Real(i);
  return values;
}

std::vector<double> Reals(const exact::Matrix& x) { return {x.data(), x.data() + x.size()}; }

void AddMagnitudes(char letter, JudgedCase* judged) {
  Tensors absolute = judged->inputs;
  std::vector<double> largest;
  for (const Argument& argument : judged->c.op->arguments) {
    if (argument.role != Role::kIn || argument.stored != Stored::kRecipe) continue;
    Tensor& tensor = absolute.at(argument.name);
    for (int64_t i = 0; i < tensor.count(); ++i) {
      tensor.SetReal(i, static_cast<float>(std::fabs(tensor.Real(i))));
    }
    largest.push_back(LargestOf(tensor));
  }
  const Expected sums = Enclose(judged->c, absolute, {});
  for (auto& [name, output] : judged->outputs) {
    output.magnitude = Reals(sums.results.reals.at(name).value);
    output.terms = judged->c.size(letter);
    output.largest_a = largest.at(0);
    output.largest_b = largest.at(1);
  }
}

// Nothing where an output has an element that is not finite, or nothing to compare.
std::optional<JudgedCase> Judged(const Case& c) {
  JudgedCase judged{c, MakeTensors(c), {}, {}, {}};
  judged.right = judged.inputs;
  Run(c, &judged.right, 1);
  judged.hull = Enclose(c, judged.inputs, AllPlaces(*c.op, exact::Place::kHull));
  int64_t elements = 0;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Tensor& right = judged.right.at(argument.name);
    elements += right.count();
    if (!IsReal(argument)) continue;
    JudgedOutput& output = judged.outputs[argument.name];
    output.dtype = right.dtype;
    output.right = Reals(right);
    output.real = Reals(judged.hull.results.reals.at(argument.name).value);
    for (const std::vector<double>* values : {&output.right, &output.real}) {
      if (!std::all_of(values->begin(), values->end(), [](double x) { return std::isfinite(x); }))
        return std::nullopt;
    }
  }
  if (elements == 0) return std::nullopt;
  const auto plain = Evaluate(c, judged.inputs, exact::HonestProfiles().at(kPlainKernel), true);
  for (auto& [name, output] : judged.outputs) {
    for (size_t i = 0; i < output.real.size(); ++i) {
      const double error =
          std::fabs(static_cast<double>(plain.reals.at(name).data()[i]) - output.real[i]);
      if (!(error <= output.plain_error)) output.plain_error = error;
    }
  }
  if (const char letter = ContractionLetter(*c.op)) AddMagnitudes(letter, &judged);
  return judged;
}

// By rule, our own last: whether the outputs of a kernel are rejected.
std::vector<bool> Rejections(const JudgedCase& judged, const Tensors& got) {
  std::vector<bool> rejected;
  for (const PublishedRule& rule : PublishedRules()) {
    bool accepted = true;
    for (const Argument& argument : judged.c.op->arguments) {
      if (argument.role == Role::kIn) continue;
      const Tensor& mine = got.at(argument.name);
      if (!IsReal(argument)) {
        accepted = accepted && mine.data == judged.right.at(argument.name).data;
        continue;
      }
      JudgedOutput output = judged.outputs.at(argument.name);
      if (rule.contractions_only && output.magnitude.empty()) continue;
      output.got = Reals(mine);
      accepted = accepted && rule.accepts(output);
    }
    rejected.push_back(!accepted);
  }
  rejected.push_back(CompareWithExpected(judged.c, got, judged.hull).outside > 0);
  return rejected;
}

bool SameBits(const JudgedCase& judged, const Tensors& got) {
  for (const Argument& argument : judged.c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    if (CompareBits(argument.name, argument.dims, got.at(argument.name),
                    judged.right.at(argument.name))
            .outside > 0)
      return false;
  }
  return true;
}

// A kernel in one recipe of one op: whether its bits differ anywhere, and which rules reject it.
struct Tried {
  bool differs = false;
  std::vector<bool> rejected = std::vector<bool>(PublishedRules().size() + 1, false);

  void Add(const JudgedCase& judged, const Tensors& got) {
    if (SameBits(judged, got)) return;
    differs = true;
    const std::vector<bool> here = Rejections(judged, got);
    for (size_t r = 0; r < here.size(); ++r) rejected[r] = rejected[r] || here[r];
  }
};

struct OpTable {
  std::vector<Tried> faults, sound;
  bool contraction = false;
};

OpTable TryOp(const OpSpec& op) {
  OpTable table{{}, {}, ContractionLetter(op) != 0};
  const std::vector<Decoy> decoys = DecoysOf(op);
  for (const Dtype recipe : op.recipes) {
    std::vector<Tried> faults(decoys.size()), sound(exact::HonestProfiles().size());
    for (const Case& c : CasesOf(op)) {
      if (c.recipe != recipe || c.hashed) continue;
      const std::optional<JudgedCase> judged = Judged(c);
      if (!judged) continue;
      for (size_t d = 0; d < decoys.size(); ++d) {
        const auto got = decoys[d].outputs(c, judged->inputs, judged->right);
        if (got) faults[d].Add(*judged, *got);
      }
      for (size_t p = 0; p < sound.size(); ++p) {
        sound[p].Add(*judged, ProfileOutputs(c, judged->inputs, exact::HonestProfiles()[p]));
      }
    }
    std::erase_if(faults, [](const Tried& tried) { return !tried.differs; });
    table.faults.insert(table.faults.end(), faults.begin(), faults.end());
    table.sound.insert(table.sound.end(), sound.begin(), sound.end());
  }
  return table;
}

int64_t Count(const std::vector<Tried>& tried, size_t rule) {
  return std::count_if(tried.begin(), tried.end(),
                       [&](const Tried& t) { return t.rejected.at(rule); });
}

std::string Share(int64_t part, int64_t whole) {
  return whole == 0 ? "-"
                    : fmt::format("{:.1f}",
                                  100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

struct NamedRule {
  std::string name, formula, source;
  bool contractions_only = false;
};

std::vector<NamedRule> AllRules() {
  std::vector<NamedRule> rules;
  for (const PublishedRule& rule : PublishedRules()) {
    rules.push_back({rule.name, rule.formula, rule.source, rule.contractions_only});
  }
  rules.push_back({kOurs, "an interval for each element", "reference/exact", false});
  return rules;
}

std::string TableOfRules(const std::vector<OpTable>& tables) {
  std::string text =
      "rule\tformula\tsource\tfaults\trejected\trejected %\tsound kernels\tfalse alarms\n";
  const std::vector<NamedRule> rules = AllRules();
  for (size_t r = 0; r < rules.size(); ++r) {
    int64_t faults = 0, found = 0, sound = 0, alarms = 0;
    for (const OpTable& table : tables) {
      if (rules[r].contractions_only && !table.contraction) continue;
      faults += static_cast<int64_t>(table.faults.size());
      sound += static_cast<int64_t>(table.sound.size());
      found += Count(table.faults, r);
      alarms += Count(table.sound, r);
    }
    text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", rules[r].name, rules[r].formula,
                        rules[r].source, faults, found, Share(found, faults), sound, alarms);
  }
  return text;
}

std::string TableByOp(const std::vector<const OpSpec*>& ops, const std::vector<OpTable>& tables) {
  const std::vector<NamedRule> rules = AllRules();
  std::string text = "op\tfaults\tsound kernels";
  for (const NamedRule& rule : rules) text += "\t" + rule.name;
  text += "\n";
  for (size_t i = 0; i < ops.size(); ++i) {
    text +=
        fmt::format("{}\t{}\t{}", ops[i]->name, tables[i].faults.size(), tables[i].sound.size());
    for (size_t r = 0; r < rules.size(); ++r) {
      const bool applies = !rules[r].contractions_only || tables[i].contraction;
      const int64_t alarms = Count(tables[i].sound, r);
      text += applies ? fmt::format("\t{}{}", Count(tables[i].faults, r),
                                    alarms > 0 ? fmt::format(" ({} false)", alarms) : "")
                      : "\t-";
    }
    text += "\n";
  }
  return text;
}

// Without a mode of some ops or all, with one of all.
int Main(const std::string& mode, const std::string& folder, const std::set<std::string>& names) {
  std::vector<const OpSpec*> ops = AllOps();
  if (!names.empty()) {
    std::erase_if(ops, [&](const OpSpec* op) { return !names.contains(op->name); });
  }
  std::vector<OpTable> tables(ops.size());
  ParallelFor(static_cast<int64_t>(ops.size()), 2, [&](int64_t i) {
    tables[static_cast<size_t>(i)] = TryOp(*ops[static_cast<size_t>(i)]);
  });
  const std::string rules = TableOfRules(tables), by_op = TableByOp(ops, tables);
  int64_t faults = 0, false_alarms = 0;
  if (mode.empty()) {
    fmt::print("{}\n{}\n", rules, by_op);
  } else {
    faults += WriteOrCompare(mode, folder + "/verdict_rules.tsv", rules);
    faults += WriteOrCompare(mode, folder + "/verdict_rules_by_op.tsv", by_op);
  }
  for (const OpTable& table : tables) false_alarms += Count(table.sound, AllRules().size() - 1);
  fmt::print("{} ops, {} sound kernels rejected by our rule, {} faults\n", tables.size(),
             false_alarms, faults);
  return false_alarms + faults == 0 && !tables.empty() ? 0 : 1;
}

}  // namespace
}  // namespace touchstone::lab

int main(int count, char** words) {
  const std::string first = count > 1 ? words[1] : "";
  const bool has_mode = first.starts_with("--");
  if (has_mode && (count != 3 || (first != "--write" && first != "--check"))) {
    fmt::print(stderr, "usage: verdict_rules [OP...] | --write FOLDER | --check FOLDER\n");
    return 2;
  }
  try {
    if (has_mode) return touchstone::lab::Main(first, words[2], {});
    return touchstone::lab::Main("", "", {words + 1, words + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "verdict_rules: {}\n", error.what());
    return 1;
  }
}
