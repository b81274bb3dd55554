// refused_inputs [--op OP] [--kernel ALGORITHM]: every kernel refuses inputs that its op's contract
// excludes, and takes those that lie just within. A check of the host ends in a ContractViolation,
// one of the device in a trap. The cases of the lab hold right inputs alone.
//
// Exit codes: 0 as it must be; 1 not so; 2 usage.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/simt/execution_model.h"
#include "lab/chain.h"
#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/require.h"
#include "reference/formats/view.h"
#include "reference/ops/attention/attention.h"
#include "reference/ops/combine/combine.h"
#include "reference/ops/dispatch/dispatch.h"
#include "reference/ops/expert_linear/expert_linear.h"

namespace touchstone::lab {
namespace {

enum class Wanted { kTaken, kContract, kTrap };

struct Trial {
  std::string op;
  std::string what;
  Wanted wanted;
  Sizes sizes = {};
  Attributes attributes = {};
  std::function<void(Tensors*)> change = {};
  // In place of the case, of recipe f32: for extents that no tensor can have.
  std::function<void(const Implementation&)> call = {};
  simt::Order order = simt::Order::kForward;
};

// values[at] = value in a tensor of integers; at < 0 counts from the end.
std::function<void(Tensors*)> Put(const std::string& name, int64_t at, int64_t value) {
  return [=](Tensors* t) {
    Tensor& tensor = t->at(name);
    tensor.values<int64_t>()[at < 0 ? tensor.count() + at : at] = value;
  };
}
std::function<void(Tensors*)> PutReal(const std::string& name, float value) {
  return [=](Tensors* t) {
    for (int64_t i = 0; i < t->at(name).count(); ++i) t->at(name).SetReal(i, value);
  };
}
// One angle for all pairs of token 0; those of the other tokens are 0.
std::function<void(Tensors*)> Angle(float f, int64_t position) {
  return [=](Tensors* t) {
    for (int64_t i = 0; i < t->at("f").count(); ++i) t->at("f").SetReal(i, f);
    for (int64_t i = 0; i < t->at("positions").count(); ++i) {
      t->at("positions").values<int64_t>()[i] = i == 0 ? position : 0;
    }
  };
}
// A tensor of another shape, zeros.
std::function<void(Tensors*)> Shape(const std::string& name, const std::vector<int64_t>& shape) {
  return [=](Tensors* t) { t->at(name) = Tensor(t->at(name).dtype, shape); };
}
// An extent that no memory is behind: for checks that come before any element is read.
std::function<void(Tensors*)> Claim(const std::vector<std::pair<std::string, int>>& axes,
                                    int64_t extent) {
  return [=](Tensors* t) {
    for (const auto& [name, axis] : axes) t->at(name).shape[static_cast<size_t>(axis)] = extent;
  };
}

constexpr int64_t k24 = int64_t{1} << 24, k32 = int64_t{1} << 32, k40 = int64_t{1} << 40;

// A view without memory.
template <typename T, char... kLetters, typename... Extents>
View<T, kLetters...> Claimed(Extents... extents) {
  return Packed<kLetters...>(static_cast<T*>(nullptr), extents...);
}

// Queries at position 0, which see one key of `claimed`, of which `kept` lie in memory; what they
// take must be its value. For the kernel `only`: not all read the keys alone that are seen.
std::function<void(const Implementation&)> FirstKey(const std::string& only, int64_t queries,
                                                    int64_t kept, int64_t claimed, int64_t D,
                                                    int64_t chunk) {
  return [=](const Implementation& one) {
    if (one.name != "kernels/" + only) return;
    const std::vector<float> q(static_cast<size_t>(queries * D), 1.0f);
    const std::vector<float> rows(static_cast<size_t>(kept * D), 3.0f);
    const std::vector<int64_t> positions(static_cast<size_t>(queries), 0);
    std::vector<float> y(q.size());
    one.As<decltype(Attention<float>)>(Dtype::kF32)(
        Packed<'T', 'H', 'D'>(q.data(), queries, 1, D),
        Packed<'S', 'G', 'D'>(rows.data(), claimed, 1, D),
        Packed<'S', 'G', 'D'>(rows.data(), claimed, 1, D), Packed<'T'>(positions.data(), queries),
        chunk, Packed<'T', 'H', 'D'>(y.data(), queries, 1, D), 1);
    if (y != std::vector<float>(y.size(), 3.0f)) throw std::runtime_error("a wrong value");
  };
}

// Weights of no columns at the beginning of a block of memory.
void NoColumns(const Implementation& one) {
  const std::vector<float> x(6 * 40), memory(1024);
  const std::vector<int64_t> offsets = {0, 2, 4, 6};
  one.As<decltype(ExpertLinear<float>)>(Dtype::kF32)(
      Packed<'R', 'C'>(x.data(), 6, 40), Packed<'E', 'F', 'C'>(memory.data(), 3, 0, 40),
      Packed<'O'>(offsets.data(), 4), Claimed<float, 'R', 'F'>(6, 0), 1);
}

// A row of each of the first two of many experts, whose columns are sums of nothing. A tile for
// each two experts and each 8 columns would be 2^32 tiles.
void ManyExperts(const Implementation& one) {
  constexpr int64_t kExperts = (int64_t{1} << 22) - 2, kColumns = 1 << 14;
  std::vector<int64_t> offsets(kExperts + 1, 2);
  offsets[0] = 0, offsets[1] = 1;
  std::vector<float> y(2 * kColumns, 1.0f);
  one.As<decltype(ExpertLinear<float>)>(Dtype::kF32)(
      Claimed<const float, 'R', 'C'>(2, 0),
      Claimed<const float, 'E', 'F', 'C'>(kExperts, kColumns, 0),
      Packed<'O'>(std::as_const(offsets).data(), kExperts + 1),
      Packed<'R', 'F'>(y.data(), 2, kColumns), 1);
  if (y != std::vector<float>(y.size(), 0.0f))
    throw std::runtime_error("a sum of nothing is not 0");
}

std::vector<Trial> Trials() {
  using enum Wanted;
  std::vector<Trial> all = {
      {"attention", "D = 0", kContract, {{'D', 0}}},
      {"attention", "G = 0", kContract, {{'G', 0}}},
      {"attention", "H no multiple of G", kContract, {{'H', 3}, {'G', 2}}},
      {"attention", "chunk = -1", kContract, {}, {{"chunk", -1}}},
      {"attention", "position -1", kTrap, {}, {}, Put("positions", 0, -1)},
      {"attention", "position 0", kTaken, {}, {}, Put("positions", 0, 0)},
      {"attention",
       "position 2^63 - 1",
       kTaken,
       {},
       {{"chunk", 1}},
       Put("positions", 0, INT64_MAX)},
      // More keys than an int counts, and blocks of them than memory holds.
      {"attention", "2^40 keys", kTaken, {}, {}, {}, FirstKey("query_tiles", 3, 512, k40, 3, 0)},
      {"attention", "2^40 keys", kTaken, {}, {}, {}, FirstKey("split_blocks", 3, 512, k40, 3, 512)},
      // Half a GiB of partial results, those of two queries; and more than that, those of one.
      {"attention",
       "33 queries",
       kTaken,
       {},
       {},
       {},
       FirstKey("split_blocks", 33, 1, 1024 * 512, 65534, 0)},
      {"attention",
       "a query",
       kTaken,
       {},
       {},
       {},
       FirstKey("split_blocks", 1, 1, 2049 * 512, 65534, 0)},
      {"embedding", "id -1", kTrap, {}, {}, Put("ids", 0, -1)},
      {"embedding", "id V", kTrap, {{'V', 24}}, {}, Put("ids", 0, 24)},
      {"embedding", "id 0", kTaken, {}, {}, Put("ids", 0, 0)},
      {"embedding", "id V - 1", kTaken, {{'V', 24}}, {}, Put("ids", 0, 23)},
      {"rmsnorm", "C = 0", kContract, {{'C', 0}}},
      {"residual_add_rmsnorm", "C = 0", kContract, {{'C', 0}}},
      {"qk_norm", "D = 0", kContract, {{'D', 0}}},
      {"rope", "a table of other pairs", kContract, {}, {}, Shape("table", {3, 7, 2})},
      {"rope", "no pairs", kContract, {}, {}, Shape("table", {3, 8, 3})},
      {"rope_qk_norm", "D = 0", kContract, {{'D', 0}}},
      {"rope_qk_norm", "a table of other pairs", kContract, {}, {}, Shape("table", {3, 7, 2})},
      {"rope_qk_norm", "no pairs", kContract, {}, {}, Shape("table", {3, 8, 3})},
      {"rope_table", "no pairs", kContract, {}, {}, Shape("table", {32, 24, 3})},
      {"rope_table", "position -1", kTrap, {}, {}, Angle(0.5f, -1)},
      {"rope_table", "position 2^24", kTrap, {}, {}, Angle(0.5f, k24)},
      {"rope_table", "position 2^24 - 1", kTaken, {}, {}, Angle(0.5f, k24 - 1)},
      {"rope_table", "angle 2^24", kTrap, {}, {}, Angle(2.0f, k24 / 2)},
      {"rope_frequencies", "D = 0", kContract, {{'D', 0}}},
      // An exponent that rounds to 1: that of the last pair, which comes first.
      {"rope_frequencies",
       "2^24 + 4 pairs",
       kTrap,
       {{'D', 2 * k24 + 8}},
       {},
       {},
       {},
       simt::Order::kReverse},
      {"rope_frequencies", "theta 1", kContract, {}, {{"rope_theta", 1}}},
      {"rope_frequencies", "theta above 2^40", kContract, {}, {{"rope_theta", 0x1.000002p40}}},
      {"rope_frequencies", "theta 2^40", kTaken, {}, {{"rope_theta", 0x1p40}}},
      {"temperature", "position -1", kTrap, {}, {}, Put("positions", 0, -1)},
      {"temperature", "position 2^24 - 1", kTrap, {}, {}, Put("positions", 0, k24 - 1)},
      {"temperature", "position 2^24 - 2", kTaken, {}, {}, Put("positions", 0, k24 - 2)},
      {"temperature", "floor_scale 0", kContract, {}, {{"floor_scale", 0}}},
      {"kv_append", "first -1", kContract, {}, {{"first", -1}}},
      {"kv_append", "first beyond S - T", kContract, {{'T', 3}, {'S', 8}}, {{"first", 6}}},
      {"kv_append", "first S - T", kTaken, {{'T', 3}, {'S', 8}}, {{"first", 5}}},
      {"kv_append", "first 0", kTaken, {}, {{"first", 0}}},
      {"router", "A = 0", kContract, {{'A', 0}}},
      {"router", "A above E", kContract, {{'E', 3}, {'A', 4}}},
      {"router", "A = E", kTaken, {{'E', 3}, {'A', 3}}},
      {"router", "E = 2^32", kContract, {{'T', 0}}, {}, Claim({{"logits", 1}}, k32)},
      {"router", "E = 2^32 - 1", kTaken, {{'T', 0}}, {}, Claim({{"logits", 1}}, k32 - 1)},
      {"dispatch", "expert -1", kTrap, {}, {}, Put("chosen", 0, -1)},
      {"dispatch", "expert E", kTrap, {{'E', 4}}, {}, Put("chosen", 0, 4)},
      {"dispatch",
       "an expert twice",
       kTrap,
       {{'A', 2}},
       {},
       [](Tensors* t) {
         Put("chosen", 0, 1)(t);
         Put("chosen", 1, 1)(t);
       }},
      {"dispatch",
       "more rows than pairs",
       kContract,
       {},
       {},
       [](Tensors* t) {
         Shape("rows", {6, 40})(t);
         Shape("row_token", {6})(t);
       }},
      {"dispatch", "no expert and no token", kTaken, {{'T', 0}, {'E', 0}}},
      {"dispatch", "offsets of no end", kContract, {{'T', 0}}, {}, Shape("offsets", {0})},
      {"dispatch",
       "2^32 pairs",
       kContract,
       {},
       {},
       {},
       [](const Implementation& one) {
         one.As<decltype(Dispatch<float>)>(Dtype::kF32)(
             Claimed<const float, 'T', 'C'>(k32, 0), Claimed<const int64_t, 'T', 'A'>(k32, 1),
             Claimed<const float, 'T', 'A'>(k32, 1), Claimed<float, 'R', 'C'>(k32, 0),
             Claimed<int64_t, 'R'>(k32), Claimed<int64_t, 'O'>(2));
       }},
      {"expert_linear", "offsets of another E", kContract, {}, {}, Shape("offsets", {5})},
      {"expert_linear",
       "offsets from 1 on",
       kTrap,
       {{'R', 6}, {'E', 3}},
       {},
       [](Tensors* t) {
         const int64_t offsets[] = {1, 2, 4, 6};
         for (int i = 0; i < 4; ++i) Put("offsets", i, offsets[i])(t);
       }},
      {"expert_linear", "offsets to R - 1", kTrap, {{'R', 6}}, {}, Put("offsets", -1, 5)},
      {"expert_linear",
       "offsets that fall",
       kTrap,
       {{'R', 6}, {'E', 3}},
       {},
       [](Tensors* t) {
         Put("offsets", 1, 5)(t);
         Put("offsets", 2, 4)(t);
       }},
      {"expert_linear", "no columns", kTaken, {}, {}, {}, NoColumns},
      {"expert_linear", "2^22 - 2 experts", kTaken, {}, {}, {}, ManyExperts},
      {"combine", "token -1", kTrap, {}, {}, Put("row_token", 0, -1)},
      {"combine", "token T", kTrap, {{'T', 4}}, {}, Put("row_token", 0, 4)},
      {"combine", "token T - 1", kTaken, {{'T', 4}}, {}, Put("row_token", 0, 3)},
      {"combine", "rows of no token", kContract, {{'R', 1}}, {}, Shape("y", {0, 40})},
      {"combine",
       "2^32 - 1 rows",
       kContract,
       {},
       {},
       {},
       [](const Implementation& one) {
         one.As<decltype(Combine<float>)>(Dtype::kF32)(Claimed<const float, 'R', 'C'>(k32 - 1, 0),
                                                       Claimed<const int64_t, 'R'>(k32 - 1),
                                                       Claimed<float, 'T', 'C'>(1, 0));
       }},
      {"moe_block", "A = 0", kContract, {{'A', 0}}},
      {"moe_block", "A above E", kContract, {{'E', 3}, {'A', 4}}},
      {"moe_block",
       "2^32 experts and no token",
       kTaken,
       {{'T', 0}, {'C', 0}},
       {},
       Claim({{"router", 0}, {"gate", 0}, {"up", 0}, {"down", 0}}, k32)},
      {"moe_block", "A = E", kTaken, {{'E', 3}, {'A', 3}}},
      {"sampling", "a NaN", kTrap, {}, {}, PutReal("logits", NAN)},
      {"sampling", "a NaN, greedy", kTrap, {}, {{"temperature", 0}}, PutReal("logits", NAN)},
      {"sampling", "no finite logit", kTrap, {}, {}, PutReal("logits", -INFINITY)},
      {"sampling", "position -1", kTrap, {}, {}, Put("positions", 0, -1)},
      {"sampling", "position 2^32", kTrap, {}, {}, Put("positions", 0, k32)},
      {"sampling", "position 2^32 - 1", kTaken, {}, {}, Put("positions", 0, k32 - 1)},
      {"sampling", "V = 0", kContract, {{'B', 0}, {'V', 0}}},
      {"sampling", "V = 2^23", kContract, {{'B', 0}}, {}, Claim({{"logits", 1}}, k24 / 2)},
      {"sampling", "V = 2^23 - 1", kTaken, {{'B', 0}}, {}, Claim({{"logits", 1}}, k24 / 2 - 1)},
      {"sampling", "T = -1", kContract, {}, {{"temperature", -1}}},
      {"sampling", "T beyond binary32", kContract, {}, {{"temperature", 1e50}}},
      {"sampling", "T that rounds to 0", kContract, {}, {{"temperature", 1e-60}}},
      {"sampling", "top_p NaN", kContract, {}, {{"top_p", NAN}}},
  };
  for (const std::string chain : {"attention_block", "nope_attention_block"}) {
    all.push_back({chain, "D = 0", kContract, {{'D', 0}}});
    all.push_back({chain, "a part of a query head", kContract, {}, {}, [](Tensors* t) {
                     Shape("wq", {33, 12})(t);
                     Shape("wo", {12, 33})(t);
                   }});
    all.push_back({chain, "a part of a key head", kContract, {}, {}, [](Tensors* t) {
                     Shape("wk", {17, 12})(t);
                     Shape("wv", {17, 12})(t);
                   }});
  }
  for (const char* name :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    const std::string what = std::string(name) + " 0";
    all.push_back({"rope_frequencies", what, kContract, {}, {{"llama3", 1}, {name, 0}}});
    all.push_back({"rope_frequencies", what + ", unscaled", kTaken, {}, {{name, 0}}});
  }
  return all;
}

// What is wrong with how a kernel takes a trial; empty: nothing.
std::string Judge(const OpSpec& op, const Trial& trial, Dtype recipe, const Implementation& one) {
  Case c{&op, recipe, "normal", op.sizes, op.attributes, 1};
  for (const auto& [letter, size] : trial.sizes) c.sizes[letter] = size;
  for (const auto& [name, value] : trial.attributes) c.attributes.at(name) = value;
  if (op.derive) op.derive(&c.sizes);
  Tensors tensors = MakeTensors(c);
  if (trial.change) trial.change(&tensors);
  simt::CurrentPolicy() = {.order = trial.order};
  const std::string wanted = trial.wanted == Wanted::kTaken  ? "nothing"
                             : trial.wanted == Wanted::kTrap ? "trap"
                                                             : "needs";
  std::string said = "nothing";
  try {
    if (trial.call) {
      trial.call(one);
    } else {
      Run(c, one, &tensors, 1);
    }
  } catch (const ContractViolation& error) {
    // That of the kernel, and not of a kernel that it calls.
    const std::string what = error.what();
    const bool own =
        what.starts_with("extent ") || what.find("kernels/" + op.name + "/") < what.size();
    said = (own ? "needs: " : "another's: ") + what;
  } catch (const simt::ExecutionError& error) {
    said = error.what();
  } catch (const std::exception& error) {
    said = std::string("error: ") + error.what();
  }
  return said.starts_with(wanted) ? "" : "expected " + wanted + ", found " + said;
}

int Main(int count, char** words) {
  std::string only_op, only_kernel;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if ((word != "--op" && word != "--kernel") || i + 1 == count) {
      std::fprintf(stderr, "refused_inputs [--op OP] [--kernel ALGORITHM]\n");
      return 2;
    }
    (word == "--op" ? only_op : only_kernel) = words[++i];
  }
  int tried = 0, failed = 0;
  for (const Trial& trial : Trials()) {
    if (!only_op.empty() && trial.op != only_op) continue;
    const OpSpec* op = FindOp(trial.op);
    TOUCHSTONE_REQUIRE(op != nullptr);
    for (const Implementation& one : op->implementations) {
      if (!one.name.starts_with("kernels/")) continue;
      if (!only_kernel.empty() && one.name != "kernels/" + only_kernel) continue;
      for (const auto& [recipe, function] : one.functions) {
        if (trial.call && recipe != Dtype::kF32) continue;
        ++tried;
        const std::string wrong = Judge(*op, trial, recipe, one);
        if (wrong.empty()) continue;
        ++failed;
        std::printf("FAILED %s %s %s: %s: %s\n", op->name.c_str(), one.name.c_str(),
                    std::string(Name(recipe)).c_str(), trial.what.c_str(), wrong.c_str());
      }
    }
  }
  std::printf("%d trials, %d failures\n", tried, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace touchstone::lab

int main(int count, char** words) { return touchstone::lab::Main(count, words); }
