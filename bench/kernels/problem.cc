#include "bench/kernels/problem.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "reference/formats/philox.h"

namespace touchstone::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr uint32_t kRouting = 7;  // a tensor's number of rule N10

int64_t Drawn(int64_t i, int64_t below) {
  return static_cast<int64_t>(PhiloxWord(kSeed, kRouting, static_cast<uint64_t>(i)) %
                              static_cast<uint64_t>(below));
}

// Rows that each expert owns where R tokens draw one of E experts.
std::vector<int64_t> ExpertRows(int64_t R, int64_t E) {
  std::vector<int64_t> rows(static_cast<size_t>(E));
  for (int64_t r = 0; r < R; ++r) ++rows[static_cast<size_t>(Drawn(r, E))];
  return rows;
}

double ActiveExperts(int64_t R, int64_t E) {
  const std::vector<int64_t> rows = ExpertRows(R, E);
  return static_cast<double>(E - std::count(rows.begin(), rows.end(), 0));
}

// Positions are the last T of S, or begin at 0.
int64_t First(const Problem& problem) {
  return problem.has('S') ? problem.size('S') - problem.size('T') : 0;
}

// Keys that a token sees, and those that any token does.
struct Keys {
  double seen = 0.0, touched = 0.0;
};
Keys KeysOf(const Problem& problem) {
  Keys keys;
  const int64_t first = First(problem), T = problem.size('T');
  const auto chunk = static_cast<int64_t>(problem.attribute("chunk"));
  for (int64_t t = 0; t < T; ++t) {
    const int64_t p = first + t;
    keys.seen += static_cast<double>(chunk > 0 ? p % chunk + 1 : p + 1);
  }
  const int64_t begin = chunk > 0 ? first / chunk * chunk : 0;
  keys.touched = static_cast<double>(first + T - begin);
  return keys;
}

std::vector<std::string> Split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

const std::map<std::string, std::vector<std::string>>& ScalarNames() {
  static const std::map<std::string, std::vector<std::string>> names = {
      {"rmsnorm", {"eps"}},
      {"rope_frequencies", {"theta"}},
      {"qk_norm", {"eps"}},
      {"temperature", {"floor_scale", "attn_scale"}},
      {"kv_append", {"first"}},
      {"attention", {"chunk"}},
      {"residual_add_rmsnorm", {"eps"}},
      {"rope_qk_norm", {"eps"}},
      {"moe_block", {"active"}},
      {"attention_block", {"first", "eps", "chunk"}},
      {"nope_attention_block", {"first", "floor_scale", "attn_scale"}}};
  return names;
}

double Scalar(const Problem& problem, int number) {
  const std::string& name = ScalarNames().at(problem.op).at(static_cast<size_t>(number));
  return name == "first" ? static_cast<double>(First(problem)) : problem.attribute(name);
}

}  // namespace

int64_t Problem::size(char letter) const {
  if ('0' <= letter && letter <= '9') return letter - '0';
  const auto found = sizes.find(letter);
  if (found == sizes.end()) {
    throw std::runtime_error(op + " " + case_name + ": no size " + letter);
  }
  return found->second;
}

double Problem::attribute(const std::string& name) const {
  static const std::map<std::string, double> usual = {
      {"eps", 1e-5}, {"theta", 500000}, {"floor_scale", 8192}, {"attn_scale", 0.1},
      {"chunk", 0},  {"active", 1},     {"temperature", 0.7},  {"top_p", 0.9}};
  const auto found = attributes.find(name);
  return found != attributes.end() ? found->second : usual.at(name);
}

std::vector<Problem> ReadProblems(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": there is no such file");
  std::vector<Problem> problems;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> cells = Split(line, '\t');
    const auto refuse = [&](const std::string& why) {
      return std::runtime_error(path + ":" + std::to_string(number) + ": " + why + " in '" + line +
                                "'");
    };
    if (cells.size() < 4) throw refuse("fewer than four columns");
    Problem problem;
    problem.where = cells[0];
    problem.op = cells[1];
    if (cells[2] != "bf16" && cells[2] != "f32") throw refuse("no recipe bf16 or f32");
    problem.recipe = cells[2] == "f32" ? Dtype::kF32 : Dtype::kBf16;
    for (const std::string& word : Split(cells[3], '_')) {
      if (word.size() < 2) throw refuse("a bad size");
      problem.sizes[word[0]] = std::stoll(word.substr(1));
    }
    problem.case_name = cells[2] + " " + cells[3];
    if (cells.size() > 4) {
      for (const std::string& word : Split(cells[4], ' ')) {
        const size_t equals = word.find('=');
        if (equals == std::string::npos) throw refuse("a bad attribute");
        problem.attributes[word.substr(0, equals)] = std::stod(word.substr(equals + 1));
      }
      problem.case_name += " " + cells[4];
    }
    problems.push_back(std::move(problem));
  }
  return problems;
}

int64_t IndexOf(const Problem& problem, const std::string& letters, int64_t i) {
  if (letters == "O") {
    const std::vector<int64_t> rows = ExpertRows(problem.size('R'), problem.size('O') - 1);
    int64_t sum = 0;
    for (int64_t e = 0; e < i; ++e) sum += rows[static_cast<size_t>(e)];
    return sum;
  }
  if (letters == "TA") return Drawn(i, problem.size('O') - 1);
  // Any order of the tokens: 5 and the powers of 2 among the sizes have no common factor.
  if (letters == "R") return (i * 5 + 3) % problem.size('T');
  if (problem.op == "embedding") return Drawn(i, problem.size('V'));
  return First(problem) + i;
}

char RowsOf(const std::string& op) {
  if (op == "expert_linear") return 'R';
  const std::set<std::string> whole = {
      "rope_frequencies", "kv_append",           "dispatch", "combine", "sampling",
      "attention_block",  "nope_attention_block"};
  return whole.contains(op) ? char{0} : 'T';
}

void SetScalar(const Problem& problem, int number, float* value) {
  *value = static_cast<float>(Scalar(problem, number));
}
void SetScalar(const Problem& problem, int number, int64_t* value) {
  *value = static_cast<int64_t>(Scalar(problem, number));
}
void SetScalar(const Problem&, int, int* threads) { *threads = 16; }
void SetScalar(const Problem&, int, RopeScaling* scaling) { *scaling = {true, 16, 1, 1, 8192}; }
void SetScalar(const Problem& problem, int, SamplingChoice* choice) {
  *choice = {problem.attribute("temperature"), problem.attribute("top_p"), kSeed};
}

Counts CountsOf(const Problem& problem, double all_bytes) {
  const auto n = [&](char letter) { return static_cast<double>(problem.size(letter)); };
  const double storage = problem.recipe == Dtype::kF32 ? 4.0 : 2.0;
  const std::string& op = problem.op;
  Counts counts{0.0, all_bytes};
  if (op == "linear") counts.flops = 2 * n('T') * n('F') * n('C');
  if (op == "logits") counts.flops = 2 * n('T') * n('V') * n('C');
  if (op == "gate_up_swiglu") counts.flops = 4 * n('T') * n('F') * n('C');
  if (op == "feed_forward") counts.flops = 6 * n('T') * n('F') * n('C');
  if (op == "embedding") counts.bytes -= storage * n('C') * (n('V') - std::min(n('V'), n('T')));
  if (op == "expert_linear") {
    const double active = ActiveExperts(problem.size('R'), problem.size('E'));
    counts.flops = 2 * n('R') * n('F') * n('C');
    counts.bytes -= storage * n('F') * n('C') * (n('E') - active);
  }
  if (op == "moe_block") {
    const double active = ActiveExperts(problem.size('T'), problem.size('E'));
    const double used = problem.attribute("active");
    counts.flops = 2 * n('T') * n('C') * (n('E') + 3 * n('F') * (used + 1));
    counts.bytes -= 3 * storage * n('F') * n('C') * (n('E') - active);
  }
  if (op == "kv_append") {
    // Rows of the caches that are not written.
    counts.bytes -= 2 * storage * (n('S') - n('T')) * n('G') * n('D');
  }
  if (op == "attention" || op == "attention_block" || op == "nope_attention_block") {
    const Keys keys = KeysOf(problem);
    counts.flops = 4 * keys.seen * n('H') * n('D');
    counts.bytes -= 2 * storage * (n('S') - keys.touched) * n('G') * n('D');
  }
  if (op == "attention_block" || op == "nope_attention_block") {
    counts.flops += 2 * n('T') * n('C') * (2 * n('Q') + 2 * n('W'));
  }
  return counts;
}

}  // namespace touchstone::bench
