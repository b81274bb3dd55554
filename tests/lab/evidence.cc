// evidence --write FOLDER | --check FOLDER: the two committed tables of what the lab can tell.
//
//   largest_ratios.tsv   ten honest binary32 kernels (reference/exact/profile.h) on every case: the
//                        largest error over its bound, before the last rounding. None may exceed 1;
//                        a bound wider than one rounding that none comes near (1/1000) fails.
//   smallest_errors.tsv  for each op, recipe, class and output the smallest relative error of one
//                        element that the bound rejects. It may not grow.
//
// --check measures again and compares. Exit code 0: as committed or better; 1: not; 2: usage.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "lab/chain.h"
#include "lab/input_class.h"
#include "lab/judge.h"
#include "lab/report.h"
#include "lab/verify.h"
#include "reference/arithmetic/parallel.h"
#include "tests/committed_table.h"

namespace touchstone::lab {
namespace {

// Above these an input class is no witness, and the op is listed as weak if it has no better one.
constexpr double kWeakF32 = 0x1p-12;
constexpr double kWeakBf16 = 0x1p-7;  // one bf16 ulp, at the lower end of a binade
constexpr double kSlack = 1e-3;       // a bound that no kernel reaches by this share is too wide
constexpr double kOneRounding = 0x1p-22;  // a bound of one operation, which all kernels round alike
constexpr double kGrowth = 1.001;         // the tables have four digits

Tensor Stored(const exact::FloatMatrix& values, Dtype dtype, const std::vector<int64_t>& shape) {
  Tensor tensor(dtype, shape);
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.SetReal(i, values.data()[i]);
  return tensor;
}

// The outputs of a profile as tensors of the case.
Tensors OutputsOf(const Case& c, const exact::Results<exact::FloatMatrix>& results, bool as_f32) {
  Tensors tensors;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Dtype dtype = DtypeOf(c, argument);
    if (dtype == Dtype::kI64) {
      Tensor tensor(dtype, ShapeOf(c, argument));
      const exact::Choices& choices = results.choices.at(argument.name);
      for (int64_t i = 0; i < tensor.count(); ++i) {
        tensor.values<int64_t>()[i] = choices[static_cast<size_t>(i)].at(0);
      }
      tensors.emplace(argument.name, std::move(tensor));
    } else {
      tensors.emplace(argument.name, Stored(results.reals.at(argument.name),
                                            as_f32 ? Dtype::kF32 : dtype, ShapeOf(c, argument)));
    }
  }
  return tensors;
}

// A chain's output that a later step reads is rounded where the contract rounds it.
bool IsRoundedInside(const OpSpec& op, const std::string& tensor) {
  for (const Step& step : op.steps) {
    for (const auto& [output, place] : step.places) {
      if (step.tensors.at(output) == tensor) return true;
    }
  }
  return false;
}

// Error before the last rounding over the bound, without the half unit that any binary32 result
// has.
double UnroundedRatio(const Case& c, const Tensors& outputs, const Expected& expected) {
  double largest = 0.0;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn || argument.stored == Stored::kI64) continue;
    const exact::Enclosure& e = expected.results.reals.at(argument.name);
    const Tensor& got = outputs.at(argument.name);
    const bool in_bf16 =
        DtypeOf(c, argument) == Dtype::kBf16 && IsRoundedInside(*c.op, argument.name);
    const int digits = in_bf16 ? 8 : 24;
    for (int64_t i = 0; i < got.count(); ++i) {
      const double y = got.Real(i), value = e.value.data()[i];
      if (e.undecidable.data()[i] || !std::isfinite(y) || !std::isfinite(value) || y == value)
        continue;
      const double bound = y > value ? e.upper.data()[i] - value : value - e.lower.data()[i];
      const double half =
          std::ldexp(1.0, std::max(std::ilogb(y == 0.0 ? value : y), -126) - digits);
      const double error = std::max(0.0, std::fabs(y - value) - half);
      // An end beyond the range of binary32 is infinite; any other bound must be a number.
      if (bound == INFINITY && std::fabs(value) > 0x1p126) continue;
      if (!std::isfinite(bound)) return NAN;
      largest = std::max(largest, error == 0.0 ? 0.0 : error / bound);
    }
  }
  return largest;
}

// 0 where nothing of the case's outputs has a bound: copies, choices, one exact operation.
double WidestBound(const Case& c, const Expected& expected) {
  double widest = 0.0;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn || argument.stored == Stored::kI64) continue;
    const exact::Enclosure& e = expected.results.reals.at(argument.name);
    for (int64_t i = 0; i < e.value.size(); ++i) {
      const double width = e.upper.data()[i] - e.lower.data()[i],
                   size = std::fabs(e.value.data()[i]);
      if (std::isfinite(size) && size >= 0x1p-126) widest = std::max(widest, width / size);
    }
  }
  return widest;
}

struct Row {
  double widest = 0.0;                        // the largest bound over |value|
  std::vector<double> ratios;                 // by profile
  std::vector<int64_t> outside;               // elements that the verdict would reject
  std::map<std::string, Comparison> outputs;  // of the reference, by tensor
};

// One row for each op and recipe (ratios), one for each op, recipe and class (strength).
std::map<std::string, Row> Measure() {
  std::vector<Case> cases;
  for (const OpSpec* op : AllOps()) {
    for (const Case& c : CasesOf(*op)) cases.push_back(c);
  }
  const std::vector<exact::Profile>& profiles = exact::HonestProfiles();
  std::vector<Row> rows(cases.size());
  std::atomic<size_t> next{0};
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  ParallelFor(threads, threads, [&](int64_t) {
    for (size_t i = next++; i < cases.size(); i = next++) {
      const Case& c = cases[i];
      const Tensors inputs = MakeTensors(c);
      const Expected hull = Enclose(c, inputs, AllPlaces(*c.op, exact::Place::kHull));
      Tensors reference = inputs;
      Run(c, &reference, 1);
      rows[i].widest = WidestBound(c, hull);
      rows[i].outputs = CompareOutputs(c, reference, hull);
      for (const exact::Profile& profile : profiles) {
        rows[i].ratios.push_back(
            UnroundedRatio(c, OutputsOf(c, Evaluate(c, inputs, profile, false), true), hull));
        rows[i].outside.push_back(
            CompareWithExpected(c, OutputsOf(c, Evaluate(c, inputs, profile, true), false), hull)
                .outside);
      }
    }
  });

  std::map<std::string, Row> joined;
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::string recipe(Name(cases[i].recipe));
    Row& of_recipe = joined[fmt::format("ratios\t{}\t{}", cases[i].op->name, recipe)];
    of_recipe.widest = std::max(of_recipe.widest, rows[i].widest);
    of_recipe.ratios.resize(profiles.size(), 0.0);
    of_recipe.outside.resize(profiles.size(), 0);
    for (size_t p = 0; p < profiles.size(); ++p) {
      const double ratio = rows[i].ratios[p];
      if (!(ratio <= of_recipe.ratios[p])) of_recipe.ratios[p] = ratio;  // a NaN stays
      of_recipe.outside[p] += rows[i].outside[p];
    }
    for (const auto& [name, output] : rows[i].outputs) {
      joined[fmt::format("strength\t{}\t{}\t{}\t{}", cases[i].op->name, recipe,
                         cases[i].input_class, name)]
          .outputs[name]
          .Join(output);
    }
  }
  return joined;
}

std::string RatiosTable(const std::map<std::string, Row>& rows, int* faults) {
  std::string text = "op\trecipe\tlargest";
  for (const exact::Profile& profile : exact::HonestProfiles()) text += "\t" + profile.name;
  text += "\n";
  for (const auto& [key, row] : rows) {
    if (!key.starts_with("ratios")) continue;
    const double largest = *std::max_element(row.ratios.begin(), row.ratios.end());
    text += fmt::format("{}\t{:.4g}", key.substr(7), largest);
    if (largest < kSlack && row.widest > kOneRounding) {
      ++*faults;
      fmt::print("FAILED {}: no honest kernel comes near the bound (largest ratio {:.4g})\n",
                 key.substr(7), largest);
    }
    for (const double ratio : row.ratios) text += fmt::format("\t{:.4g}", ratio);
    text += "\n";
    for (size_t p = 0; p < row.ratios.size(); ++p) {
      if (row.ratios[p] <= 1.0 && row.outside[p] == 0) continue;
      ++*faults;
      fmt::print("FAILED {}: honest kernel '{}' has ratio {:.4g} and {} elements outside\n",
                 key.substr(7), exact::HonestProfiles()[p].name, row.ratios[p], row.outside[p]);
    }
  }
  return text;
}

std::string ErrorsTable(const std::map<std::string, Row>& rows) {
  // The sharpest class of each op, recipe and output.
  std::map<std::string, double> best;
  const auto group_of = [](const std::string& key) {
    const size_t output = key.rfind('\t'), input_class = key.rfind('\t', output - 1);
    return key.substr(0, input_class) + key.substr(output);
  };
  for (const auto& [key, row] : rows) {
    if (!key.starts_with("strength")) continue;
    const auto [found, made] = best.try_emplace(group_of(key), INFINITY);
    found->second = std::min(found->second, row.outputs.begin()->second.smallest_rejected);
  }
  std::string text =
      "op\trecipe\tclass\toutput\tsmallest error rejected\tlog2\tdecided %\telements\tweak\n";
  for (const auto& [key, row] : rows) {
    if (!key.starts_with("strength")) continue;
    const Comparison& output = row.outputs.begin()->second;
    const double error = output.smallest_rejected, sharpest = best.at(group_of(key));
    const double limit = key.find("\tf32\t") != std::string::npos ? kWeakF32 : kWeakBf16;
    // Without a finite, non-zero output there is no relative error: choices, zeros, empty tensors.
    const bool measured = std::isfinite(error);
    const double decided = output.compared == 0 ? 0.0
                                                : static_cast<double>(output.decided) /
                                                      static_cast<double>(output.compared);
    text += fmt::format("{}\t{}\t{}\t{:.1f}\t{}\t{}\n", key.substr(9),
                        measured ? fmt::format("{:.4g}", error) : "-",
                        measured ? fmt::format("{:.1f}", std::log2(error)) : "-",
                        std::floor(decided * 1000.0) / 10.0, output.compared,
                        sharpest > limit && std::isfinite(sharpest) ? "weak" : "no");
  }
  return text;
}

using Cells = std::vector<std::string>;

// The lines of a table by their first columns.
std::map<std::string, Cells> RowsOf(const std::string& table, size_t key_columns) {
  std::map<std::string, Cells> rows;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    Cells cells;
    std::istringstream words(line);
    for (std::string cell; std::getline(words, cell, '\t');) cells.push_back(cell);
    std::string key;
    for (size_t i = 0; i < std::min(key_columns, cells.size()); ++i) key += cells[i] + " ";
    rows[key] = cells;
  }
  return rows;
}

// A column whose number, measured again, may be `least` to `most` times the committed one.
struct Watched {
  size_t column;
  double least, most;
};

// The committed rows must all be there, no other, and what is watched be reached again.
int Compare(const std::string& name, const std::string& committed, const std::string& measured,
            size_t key_columns, const std::vector<Watched>& columns) {
  int faults = 0;
  const auto was = RowsOf(committed, key_columns), is = RowsOf(measured, key_columns);
  for (const auto& [key, cells] : is) {
    const auto old = was.find(key);
    if (old == was.end() || old->second.size() != cells.size()) {
      ++faults;
      fmt::print("FAILED {}: no such row '{}' is committed\n", name, key);
      continue;
    }
    for (const Watched& watched : columns) {
      const std::string& before = old->second.at(watched.column);
      const std::string& now = cells.at(watched.column);
      const double b = std::atof(before.c_str()), n = std::atof(now.c_str());
      if (before == now ||
          (before != "-" && now != "-" && watched.least * b <= n && n <= watched.most * b)) {
        continue;
      }
      ++faults;
      fmt::print("FAILED {}: {}was {}, is now {}\n", name, key, before, now);
    }
  }
  if (was.size() != is.size()) {
    ++faults;
    fmt::print("FAILED {}: {} rows are committed, {} were measured\n", name, was.size(), is.size());
  }
  return faults;
}

int Main(const std::string& mode, const std::string& folder) {
  int faults = 0;
  const std::map<std::string, Row> rows = Measure();
  const std::string ratios = RatiosTable(rows, &faults), errors = ErrorsTable(rows);
  if (mode == "--write") {
    WriteTextFile(folder + "/largest_ratios.tsv", ratios);
    WriteTextFile(folder + "/smallest_errors.tsv", errors);
  } else {
    // A ratio that falls says that a bound has become wider.
    faults += Compare("largest_ratios.tsv", TextOfFile(folder + "/largest_ratios.tsv"), ratios, 2,
                      {{2, 0.5, kGrowth}});
    faults += Compare("smallest_errors.tsv", TextOfFile(folder + "/smallest_errors.tsv"), errors, 4,
                      {{4, 0.0, kGrowth}, {6, 1.0 / kGrowth, INFINITY}, {7, 1.0, INFINITY}});
  }
  fmt::print("{} rows measured, {} faults\n", rows.size(), faults);
  return faults == 0 && !rows.empty() ? 0 : 1;
}

}  // namespace
}  // namespace touchstone::lab

int main(int count, char** words) {
  const std::string mode = count == 3 ? words[1] : "";
  if (mode != "--write" && mode != "--check") {
    fmt::print(stderr, "usage: evidence --write FOLDER | --check FOLDER\n");
    return 2;
  }
  try {
    return touchstone::lab::Main(mode, words[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "evidence: {}\n", error.what());
    return 1;
  }
}
