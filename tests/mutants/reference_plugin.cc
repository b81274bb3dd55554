// Makes a plug-in of an op of the reference (lab/include/touchstone.h), so that a mutant of it is
// judged like anybody's kernel. The call's tensors are copied into the lab's, and the op's own spec
// calls the function: nothing is known here of any op.
//
// TOUCHSTONE_PLUGIN_ROW is the op's row of reference/ops.def. Compiled in front of lab/ops/<op>.cc,
// of which `run` alone is used; what fills inputs is answered below. Linked with the mutant's
// object.
#include <algorithm>
#include <cstring>
#include <exception>

#include "all_ops.h"
#include "lab/include/touchstone.h"
#include "lab/input_class.h"
#include "lab/spec.h"

namespace touchstone::lab {

// The spec's list of cases is made when the library is loaded, and never read.
std::vector<CaseRow> GeneralClasses(const Sizes&) { return {}; }
std::vector<CaseRow> Rows(std::initializer_list<std::vector<CaseRow>>) { return {}; }
std::vector<CaseRow> Hashed(std::vector<CaseRow>, Suite) { return {}; }
void FillByClass(const std::string&, uint64_t, uint32_t, int, Tensor*) { std::terminate(); }
float NormalValue(uint32_t, Dtype, int) { std::terminate(); }

namespace {

size_t BytesOf(const Tensor& tensor) { return tensor.data.size(); }

Tensor Copied(const touchstone_tensor& from) {
  const Dtype dtype = from.dtype.code == TOUCHSTONE_INT     ? Dtype::kI64
                      : from.dtype.code == TOUCHSTONE_FLOAT ? Dtype::kF32
                                                            : Dtype::kBf16;
  Tensor to(dtype, {from.shape, from.shape + from.ndim});
  if (BytesOf(to) > 0) std::memcpy(to.data.data(), from.data, BytesOf(to));
  return to;
}

// The tensors by name: those of the call, in the order of the op's arguments.
class CallTensors {
 public:
  CallTensors(const OpSpec& spec, const touchstone_call& call) {
    const touchstone_tensor* next_in = call.inputs;
    const touchstone_tensor* next_out = call.outputs;
    for (const Argument& argument : spec.arguments) {
      const bool is_in = argument.role == Role::kIn;
      const touchstone_tensor& tensor = is_in ? *next_in++ : *next_out++;
      tensors.emplace(argument.name, Copied(tensor));
      if (!is_in) outs_.push_back({argument.name, &tensor});
      for (size_t d = 0; d < argument.dims.size(); ++d) sizes[argument.dims[d]] = tensor.shape[d];
    }
  }

  void GiveBack() const {
    for (const auto& [name, to] : outs_) {
      const Tensor& from = tensors.at(name);
      if (BytesOf(from) > 0) std::memcpy(to->data, from.data.data(), BytesOf(from));
    }
  }

  Tensors tensors;
  Sizes sizes;

 private:
  std::vector<std::pair<std::string, const touchstone_tensor*>> outs_;
};

int RunOp(const OpSpec& spec, const Implementation& op, const touchstone_call& call) {
  Case c{&spec, call.recipe == TOUCHSTONE_F32 ? Dtype::kF32 : Dtype::kBf16, "", {}, {}, 1};
  CallTensors of(spec, call);
  c.sizes = of.sizes;
  for (int i = 0; i < call.attributes_count; ++i) {
    c.attributes[call.attributes[i].name] = call.attributes[i].value;
  }
  spec.run(c, op, &of.tensors, call.threads);
  of.GiveBack();
  return 0;
}

template <typename F32, typename B16>
Implementation ByRecipe(F32* f32, B16* bf16) {
  return {"mutant",
          {{Dtype::kF32, reinterpret_cast<void (*)()>(f32)},
           {Dtype::kBf16, reinterpret_cast<void (*)()>(bf16)}}};
}

}  // namespace

#define OP(op, Function) PLUGIN(op, ByRecipe(&Function<float>, &Function<Bf16>), TOUCHSTONE_BF16)
#define OP_F32(op, Function) PLUGIN(op, ByRecipe(&Function, &Function), 0)
#define PLUGIN(op, functions, more_recipes)                 \
  extern const OpSpec kSpec_##op;                           \
  static int Run(const touchstone_call* call) {             \
    try {                                                   \
      return RunOp(kSpec_##op, functions, *call);           \
    } catch (const std::exception&) {                       \
      return 2;                                             \
    }                                                       \
  }                                                         \
  }                                                         \
  TOUCHSTONE_KERNEL(op) = {TOUCHSTONE_ABI,                  \
                           sizeof(touchstone_kernel),       \
                           "mutant",                        \
                           #op,                             \
                           TOUCHSTONE_F32 | (more_recipes), \
                           TOUCHSTONE_CPU,                  \
                           nullptr,                         \
                           nullptr,                         \
                           touchstone::lab::Run};
TOUCHSTONE_PLUGIN_ROW
