// Stage 1 of the lab, what a machine can read of an op: its tensors, its attributes, the cases that
// try it, and the call. No op has code of its own anywhere else in the lab.
//
// lab/ops/<op>.cc fills in one OpSpec by TOUCHSTONE_OP_SPEC(<op>).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reference/exact/profile.h"
#include "reference/formats/by_storage.h"
#include "reference/formats/dtype.h"
#include "reference/formats/tensor.h"

namespace touchstone::lab {

enum class Role { kIn, kOut, kInOut };

// What the tensor stores: the recipe's format, or one format in every recipe.
enum class Stored { kRecipe, kF32, kI64 };

struct Argument {
  std::string name;
  Role role = Role::kIn;
  std::string dims;  // one letter (or fixed digit) an axis: "TC"
  Stored stored = Stored::kRecipe;
  // Generated values are n * 2^-exponent in bf16, |n| <= 256: 7 gives a deviation near 0.6. The
  // class `normal` in f32 has the same magnitude.
  int exponent = 7;
};

using Tensors = std::map<std::string, Tensor>;  // by argument name

// The functions of one implementation of an op, one a recipe, their types forgotten. The reference
// is one; so is every file under optimized/ and kernels/. Its types are checked where it is
// declared: a function with another signature than the reference's does not link.
struct Implementation {
  std::string name;  // "reference", "optimized/<algorithm>", "kernels/<algorithm>"
  std::map<Dtype, void (*)()> functions = {};
  // Of one on a GPU: the seconds that the device took for the calling thread's last call.
  double (*device_seconds)() = nullptr;
  // Of one that calls a library of the GPU's maker: held to the bound alone, and why the library
  // cannot be used here, or nothing.
  bool is_bounded = false;
  std::string why_not = {};

  template <typename Function>
  Function* As(Dtype recipe) const {
    return reinterpret_cast<Function*>(functions.at(recipe));
  }
};

using Sizes = std::map<char, int64_t>;
using Attributes = std::map<std::string, double>;

struct OpSpec;

// One trial of one op. Everything about it follows from these fields, and from its name.
struct Case {
  const OpSpec* op = nullptr;
  Dtype recipe = Dtype::kF32;
  std::string input_class;
  Sizes sizes;
  Attributes attributes;  // of the op, all of them
  uint64_t seed = 1;
  bool hashed = false;  // its frozen tensors are too large to commit: their hashes alone are frozen

  int64_t size(char letter) const { return sizes.at(letter); }
  double attribute(const std::string& name) const { return attributes.at(name); }
  float constant(const std::string& name) const {  // rule N12
    return static_cast<float>(attributes.at(name));
  }
  // "bf16/normal/C80_T3" and, where they differ from the op's, "_eps0.001" and "_seed7".
  std::string Name() const;
};

// The cases that run where nobody asks for more, and those that also run for `--suite full`.
enum class Suite { kDefault, kFull };

// A line of the op's case list. It stands for one case in each recipe of the op.
struct CaseRow {
  std::string input_class;
  Sizes sizes;                 // of the letters that differ from OpSpec::sizes
  Attributes attributes = {};  // those that differ from OpSpec::attributes
  Suite suite = Suite::kDefault;
  bool hashed = false;  // golden files hold the hashes of its tensors, not the tensors
};

// An example small enough to redo by hand; part of the documentation and always run.
struct WorkedExample {
  std::string what;  // the arithmetic, and which wrong implementation would give other bits
  Dtype recipe = Dtype::kF32;
  Sizes sizes = {};
  Attributes attributes = {};
  std::map<std::string, std::vector<double>> in;
  std::map<std::string, std::vector<double>> out;  // exact values of the right bits
};

// A chain's step: an op of ops.def, and which tensor of the chain each of its arguments is. An
// intermediate tensor is born as some step's output.
struct Step {
  std::string op;
  std::map<std::string, std::string> tensors;  // argument of the op -> tensor of the chain
  std::map<char, char> letters = {};           // letter of the op -> letter of the chain
  Attributes attributes = {};                  // fixed ones; others are the chain's by name
  // The rounding place that each output is, where it is an intermediate tensor of the chain.
  std::map<std::string, exact::RoundingPlace> places = {};
};

struct OpSpec {
  std::string title;    // "RMSNorm"
  std::string formula;  // one line, for `explain`
  std::vector<Argument> arguments;
  Sizes sizes;                 // defaults
  Attributes attributes = {};  // defaults, spelt as in the configuration
  std::vector<Dtype> recipes = {Dtype::kF32, Dtype::kBf16};
  std::vector<std::string> rules = {};  // contract rules that it cites: "N3"
  std::vector<CaseRow> cases = {};
  std::vector<WorkedExample> examples = {};
  // Why these inputs: one paragraph.
  std::string reason = {};

  // Letters that follow from others ('J' = D / 2): called before tensors are made.
  std::function<void(Sizes*)> derive = {};
  // Fills a tensor that the general classes do not: i64 tensors always, others in the op's own
  // classes. Returns false where the general class applies.
  std::function<bool(const Case&, const Argument&, uint32_t tensor, Tensor*)> fill = {};
  // Calls an implementation. Inputs and outputs lie in `tensors`, outputs have their shapes.
  std::function<void(const Case&, const Implementation&, Tensors* tensors, int threads)> run = {};
  // The letter whose index numbers rows that do not depend on each other: a kernel gives a row the
  // same bits in any batch, order and company. 0: there is none.
  char rows = 0;
  // Class `real`: which activation (its path in a trace) or weight of the trained model
  // each argument is.
  std::map<std::string, std::string> recorded = {};
  // Inner rounding places of the op or chain (at most four are tried one by one).
  std::vector<exact::RoundingPlace> places = {};
  // A chain is its steps; `run` then calls a candidate that computes it in one go.
  std::vector<Step> steps = {};

  // Set by the registry: the row's word, a chain's parts as the row names them, and the
  // implementations, the reference first (of a chain: without functions, its steps).
  std::string name = {};
  std::string parts = {};
  std::vector<Implementation> implementations = {};
  // Names of kernels that are compiled for GPUs alone, since they call a library of CUDA's.
  std::vector<std::string> only_on_gpu = {};

  bool is_chain() const { return !steps.empty(); }
  const Argument& argument(const std::string& which) const;
};

// Every row of reference/ops.def, in its order.
const std::vector<const OpSpec*>& AllOps();
const OpSpec* FindOp(const std::string& name);  // nullptr: no such op

// Every case of an op's suite: each row in each recipe. kFull holds those of kDefault too.
std::vector<Case> CasesOf(const OpSpec& op, Suite suite = Suite::kDefault);
// Rebuilds a case from the name that Case::Name gave; throws UsageError with what was expected.
Case CaseFromName(const OpSpec& op, const std::string& name);

// The general classes with the given sizes: the rows most ops start from.
std::vector<CaseRow> GeneralClasses(const Sizes& sizes);
// Joins case lists.
std::vector<CaseRow> Rows(std::initializer_list<std::vector<CaseRow>> lists);

}  // namespace touchstone::lab

// The op's word names the object that the registry looks for: a misspelt one does not link.
#define TOUCHSTONE_OP_SPEC(op)    \
  namespace touchstone::lab {     \
  extern const OpSpec kSpec_##op; \
  }                               \
  const ::touchstone::lab::OpSpec touchstone::lab::kSpec_##op
