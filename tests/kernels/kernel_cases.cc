// kernel_cases [--op OP] [--kernel ALGORITHM]: what kernels have to be tried on beside the lab's
// cases, because of how they cut their work: shapes that end within a tile, and tensors that begin
// between two multiples of 16, where a load of 16 bytes is no load; and inputs made by hand. Bits
// are compared with the reference; where they differ, the line says on which side of the bound they
// are.
//
// Exit codes: 0 all bits are right; 1 not so; 2 usage.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "kernels/simt/execution_model.h"
#include "lab/chain.h"
#include "lab/input_class.h"
#include "lab/judge.h"
#include "lab/kernel/built_in_kernel.h"
#include "lab/spec.h"
#include "tests/simt/kernel_run.h"

namespace {

thread_local bool shift = false;  // of what is allocated now

constexpr size_t kGap =
    16;  // in front of each block; its last byte says how far the block is moved

}  // namespace

// What a tensor's vector calls. 8 bytes are enough for every element and too few for a wide load.
void* operator new(size_t bytes) {
  const size_t moved = shift ? 8 : 0;
  auto* block = static_cast<unsigned char*>(std::malloc(bytes + kGap + moved));
  if (block == nullptr) throw std::bad_alloc();
  unsigned char* begin = block + kGap + moved;
  begin[-1] = static_cast<unsigned char>(kGap + moved);
  return begin;
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* begin) noexcept {
  if (begin == nullptr) return;
  auto* bytes = static_cast<unsigned char*>(begin);
  std::free(bytes - bytes[-1]);
}
void operator delete(void* begin, size_t) noexcept { operator delete(begin); }

namespace touchstone::lab {
namespace {

constexpr int64_t kShiftedElements = 20'000;    // of a case whose tensors are moved
constexpr int64_t kMovedAloneElements = 4'000;  // and in which each is moved alone, too

struct Shape {
  const char* op;
  const char* name;  // of the case, after the recipe
};

constexpr Shape kShapes[] = {
    // Groups of slices of which some warps have none; a stage that begins where the row ends.
    {"linear", "normal/C9000_F3_T1"},
    {"linear", "normal/C1088_F3_T1"},
    // Rows that are wide and do not fit into registers.
    {"rmsnorm", "normal/C5128_T2"},
    {"residual_add_rmsnorm", "normal/C5128_T2"},
    // A head wider than the lanes of the norm.
    {"rope_qk_norm", "normal/D516_H1_T2"},
    // More than 32 blocks of keys to merge; two keys, a block each, whose scores are below 0; a
    // slice of q.k that would end a slab past D, and many slabs.
    {"attention", "normal/D1_G1_H1_S17000_T1"},
    {"attention", "normal/D1_G1_H8_S513_T3_chunk=511"},
    {"attention", "normal/D490_G1_H1_S5_T1"},
    {"attention", "normal/D600_G1_H1_S5_T1"},
    // One query alone that sees keys of its chunk: in the lab's case of one it has none left.
    {"attention", "wrapped/D1_G1_H1_S65540_T1_chunk=4"},
    // As many choices as lanes, less one.
    {"router", "normal/A31_E40_T3"},
    // Two tiles of columns of an expert; experts of more than 16, 32 and 64 rows.
    {"expert_linear", "normal/C8_E2_F130_R6"},
    {"moe_block", "normal/A1_C8_E1_F70_T20"},
    {"moe_block", "normal/A1_C8_E1_F70_T40"},
    {"moe_block", "normal/A1_C8_E2_F70_T40"},
    {"moe_block", "normal/A1_C8_E1_F70_T70"},
    // Where the interpolation does not meet the plain frequency.
    {"rope_frequencies",
     "scaled/D2_factor=8_high_freq_factor=31.5_llama3=1_original_max_position_embeddings="
     "197.92034912109375"},
    // A token in a later round of its thread, and in a later piece of it; a second piece, which is
    // a case of the lab too, but too large for every_case.
    {"sampling", "normal/B4_V3000_temperature=0"},
    {"sampling", "normal/B1_V1600000_temperature=0"},
    {"sampling", "zeros/B4_V2560_top_p=0.5"},
    // More keys in a chunk than blocks of memory.
    {"attention", "normal/D8_G2_H4_S7_T4_chunk=1099511627776"},
    // Nothing to compute, and tensors that must be looked at.
    {"attention", "normal/D8_G2_H0_S7_T4"},
    {"linear", "normal/C8_F0_T3"},
    {"logits", "normal/C8_T3_V0"},
    {"gate_up_swiglu", "normal/C8_F0_T3"},
    {"moe_block", "normal/A1_C8_E2_F0_T3"},
    {"combine", "normal/C0_R8_T4"},
    {"dispatch", "normal/A1_C0_E4_T5"},
    {"expert_linear", "normal/C40_E3_F0_R6"},
};

// A case whose inputs are made by hand.
struct Crafted {
  std::string op, name;
  void (*change)(Tensors*);
  bool is_large = false;  // tried in one recipe and one schedule
};

// Blocks of keys that no query of a tile sees, between two that some see.
void FarApart(Tensors* t) {
  Tensor& positions = t->at("positions");
  for (int64_t i = 0; i < positions.count(); ++i) {
    positions.values<int64_t>()[i] = i < 8 ? 2150 : 5;
  }
}

// Tokens of weight 1, one in each 2048 after the best, whose weight is 2^40: for the draw of this
// position and seed the sum before such a token is the draw itself.
void AtAnEdge(Tensors* t) {
  Tensor& logits = t->at("logits");
  for (int64_t v = 0; v < logits.count(); ++v) {
    logits.SetReal(v, v == 0 ? 0.0f : v >= 2048 && v % 2048 == 1000 ? -27.5f : -1000.0f);
  }
  t->at("positions").values<int64_t>()[0] = 2205348122;
}

// Split attention computes as many queries in a launch as half a GiB of partial results holds, 197
// of the case's 200. Each sees one to four of the keys, so that the rest costs little.
void SeeFewKeys(Tensors* t) {
  Tensor& positions = t->at("positions");
  for (int64_t i = 0; i < positions.count(); ++i) positions.values<int64_t>()[i] = i % 4;
}

const Crafted kCrafted[] = {
    {"attention", "normal/D8_G1_H1_S2200_T12_chunk=300", FarApart},
    {"sampling", "normal/B1_V262144_sampling_seed=12_temperature=1_top_p=1", AtAnEdge},
    {"attention", "normal/D128_G1_H40_S67000_T200", SeeFewKeys, true},
};

// The same tensors, all of them elsewhere, or one alone.
Tensors Shifted(const Tensors& tensors, const std::string& only) {
  Tensors shifted = tensors;
  shift = true;
  for (auto& [name, tensor] : shifted) {
    if (!only.empty() && name != only) continue;
    tensor.data = std::vector<std::byte>(tensor.data.begin(), tensor.data.end());
  }
  shift = false;
  return shifted;
}

struct How {
  simt::Policy policy = {};
  bool shifted = false;
  std::string only = {};  // the tensor that is shifted; empty: all
};

// What is wrong with a kernel's run; empty: nothing.
std::string Tried(const Case& c, const Implementation& kernel, const Tensors& inputs,
                  const Tensors& wanted, const How& how) {
  Tensors tensors = PoisonedTensors(c, inputs, Poison::kNan);
  if (how.shifted) tensors = Shifted(tensors, how.only);
  simt::CurrentPolicy() = how.policy;
  try {
    Run(c, kernel, &tensors, 1);
  } catch (const std::exception& error) {
    return error.what();
  }
  const std::vector<std::string> wrong = WrongTensors(c, inputs, wanted, tensors);
  if (wrong.empty()) return "";
  for (const std::string& one : wrong) {
    if (one.starts_with("changes its input")) return one;  // a breach, whatever the bits
  }
  const Expected expected = Enclose(c, inputs, AllPlaces(*c.op, exact::Place::kHull));
  const bool is_outside = CompareWithExpected(c, tensors, expected).outside > 0;
  return wrong.front() + (is_outside ? "; beyond the bound" : "; within the bound");
}

// A NaN beats all, whatever its sign: every second one gets one.
void SignNans(Tensor* tensor) {
  for (int64_t i = 0; i < tensor->count(); i += 2) {
    if (!std::isnan(tensor->Real(i))) continue;
    if (tensor->dtype == Dtype::kF32) {
      reinterpret_cast<uint32_t*>(tensor->data.data())[i] |= 0x80000000u;
    } else {
      reinterpret_cast<uint16_t*>(tensor->data.data())[i] |= 0x8000u;
    }
  }
}

struct Totals {
  int tried = 0, failed = 0;
};

void Try(const Case& c, const std::string& only_kernel, const std::vector<How>& hows,
         Totals* totals, void (*change)(Tensors*) = nullptr) {
  Tensors inputs = MakeTensors(c);
  if (change != nullptr) change(&inputs);
  if (c.op->name == "router") SignNans(&inputs.at("logits"));
  Tensors wanted = inputs;
  Run(c, &wanted, 1);
  for (const Implementation& kernel : c.op->implementations) {
    if (!kernel.name.starts_with("kernels/")) continue;
    if (!only_kernel.empty() && kernel.name != "kernels/" + only_kernel) continue;
    for (const How& how : hows) {
      ++totals->tried;
      const std::string wrong = Tried(c, kernel, inputs, wanted, how);
      if (wrong.empty()) continue;
      ++totals->failed;
      std::printf("FAILED %s %s %s %s%s%s: %s\n", c.op->name.c_str(), kernel.name.c_str(),
                  c.Name().c_str(),
                  how.policy.order == simt::Order::kForward ? "forward" : "reverse",
                  how.shifted ? ", between multiples of 16 " : "", how.only.c_str(), wrong.c_str());
    }
  }
}

int Main(int count, char** words) {
  std::string only_op, only_kernel;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if ((word != "--op" && word != "--kernel") || i + 1 == count) {
      std::fprintf(stderr, "kernel_cases [--op OP] [--kernel ALGORITHM]\n");
      return 2;
    }
    (word == "--op" ? only_op : only_kernel) = words[++i];
  }
  const simt::Policy reverse{.order = simt::Order::kReverse, .landing = simt::CopyLanding::kEarly};
  Totals totals;
  for (const OpSpec* op : AllOps()) {
    if (!only_op.empty() && op->name != only_op) continue;
    for (const Shape& shape : kShapes) {
      if (op->name != shape.op) continue;
      for (const Dtype recipe : op->recipes) {
        const std::string name = std::string(Name(recipe)) + "/" + shape.name;
        Try(CaseFromName(*op, name), only_kernel, {{}, {.policy = reverse}}, &totals);
      }
    }
    for (const Crafted& one : kCrafted) {
      if (op->name != one.op) continue;
      for (const Dtype recipe : op->recipes) {
        if (one.is_large && recipe != op->recipes.front()) continue;
        const Case c = CaseFromName(*op, std::string(Name(recipe)) + "/" + one.name);
        const std::vector<How> both = {{}, {.policy = reverse}};
        Try(c, only_kernel, one.is_large ? std::vector<How>{{}} : both, &totals, one.change);
      }
    }
    for (const Case& c : CasesOf(*op)) {
      if (ElementsOf(c) > kShiftedElements) continue;
      std::vector<How> hows = {{.shifted = true}, {.policy = reverse, .shifted = true}};
      if (ElementsOf(c) <= kMovedAloneElements) {
        for (const Argument& argument : op->arguments) {
          hows.push_back({.shifted = true, .only = argument.name});
        }
      }
      Try(c, only_kernel, hows, &totals);
    }
  }
  std::printf("%d runs, %d failures\n", totals.tried, totals.failed);
  return totals.failed == 0 && totals.tried > 0 ? 0 : 1;
}

}  // namespace
}  // namespace touchstone::lab

int main(int count, char** words) { return touchstone::lab::Main(count, words); }
