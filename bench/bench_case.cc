#include "bench/bench_case.h"

#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "golden/bad_file.h"
#include "lab/chain.h"
#include "lab/errors.h"
#include "reference/formats/dtype.h"

namespace touchstone::bench {
namespace {

BenchCase ReadRow(const std::string& file, int line, const std::string& text) {
  std::istringstream words(text);
  std::string set, where, op, caches, name;
  const bool read = std::getline(words, set, '\t') && std::getline(words, where, '\t') &&
                    std::getline(words, op, '\t') && std::getline(words, caches, '\t') &&
                    std::getline(words, name, '\t') && words.eof();
  const bool known = (set == "smallest" || set == "short" || set == "all") &&
                     (caches == "cold" || caches == "warm");
  const lab::OpSpec* spec = lab::FindOp(op);
  if (!read || !known || spec == nullptr || spec->is_chain()) {
    throw golden::BadFile(
        fmt::format("{} line {}: expected five columns: smallest, short or all; a name; an op; "
                    "cold or warm; a case",
                    file, line));
  }
  try {
    return {set, where, caches == "cold" ? Caches::kCold : Caches::kWarm,
            lab::CaseFromName(*spec, name)};
  } catch (const lab::UsageError& error) {
    throw golden::BadFile(fmt::format("{} line {}: {}", file, line, error.what()));
  }
}

}  // namespace

std::string BenchCase::Name() const {
  return fmt::format("{}/{}/{}", c.op->name, c.Name(), caches == Caches::kCold ? "cold" : "warm");
}

double BenchCase::Flops() const {
  if (c.op->name != "linear") return 0.0;
  return 2.0 * static_cast<double>(c.size('T')) * static_cast<double>(c.size('C')) *
         static_cast<double>(c.size('F'));
}

double BenchCase::Bytes() const {
  double bytes = 0.0;
  for (const lab::Argument& argument : c.op->arguments) {
    double count = static_cast<double>(ElementBytes(lab::DtypeOf(c, argument)));
    for (const int64_t extent : lab::ShapeOf(c, argument)) count *= static_cast<double>(extent);
    bytes += count;
  }
  return bytes;
}

std::vector<BenchCase> ReadCases(const std::string& file) {
  std::ifstream lines(file);
  if (!lines) throw golden::BadFile(fmt::format("{}: cannot be opened", file));
  std::vector<BenchCase> cases;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.empty() && line[0] != '#') cases.push_back(ReadRow(file, number, line));
  }
  return cases;
}

std::vector<BenchCase> Chosen(const std::vector<BenchCase>& cases, const Choice& choice) {
  std::regex filter;
  try {
    filter = std::regex(choice.filter);
  } catch (const std::regex_error&) {
    throw lab::UsageError("--filter: this is no regular expression");
  }
  std::vector<BenchCase> chosen;
  for (const BenchCase& one : cases) {
    const bool in_set = choice.smallest ? one.set == "smallest"
                        : choice.all    ? one.set != "smallest"
                                        : one.set == "short";
    const bool of_op = choice.op.empty() || one.c.op->name == choice.op;
    if (in_set && of_op && std::regex_search(one.Name(), filter)) chosen.push_back(one);
  }
  if (chosen.empty()) {
    throw lab::UsageError("no row of bench/cases.tsv is chosen; expected an op that it names");
  }
  return chosen;
}

}  // namespace touchstone::bench
