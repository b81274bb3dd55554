// A kernel given as its CUDA source, `verify OP --kernel mine.cu`. One comment of the file names
// the launch as CUDA writes it, in terms of the op:
//
//   // touchstone: RmsNormRows<Storage><<<T, 256>>>(x, weight, eps, C, y)
//
// Where that is too long, the arguments may begin on the comment's next line, and go on over more.
// Storage is the recipe's type: float, touchstone::Bf16. Grid, block and (third, may be missing)
// the bytes of dynamic shared memory are expressions of sizes and of names of the file; a number or
// a dim3. The arguments are expressions of
//   tensors      pointers to the device's memory, by the op's names: const Storage* where the
//                tensor is an input, Storage* else; float and int64_t in place of Storage for
//                those that have one format in every recipe
//   sizes        int64_t, by their letters
//   attributes   by name: float where rule N12 rounds them, int64_t (chunk, first, sampling_seed,
//                llama3) or double (temperature and top_p of sampling) else
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lab/spec.h"

namespace touchstone::lab {

struct CudaLaunch {
  std::string kernel;  // "RmsNormRows<Storage>"
  std::string grid, block, shared = "0";
  std::vector<std::string> arguments;
  size_t begin = 0, end = 0;  // of the comment's lines in the text, the last newline left out
};

// The launch that a file's text names. `file` is for messages. Throws KernelUnavailable where there
// is no such line or more than one (of a plug-in's source it says how that is built), where it is
// no launch, where it names what neither the op nor (in the configuration) the file has, and where
// an output of the op is not passed.
CudaLaunch LaunchIn(const std::string& text, const std::string& file, const OpSpec& op);

// What a call brings, as a declaration each: "const Storage*", "x",
// "static_cast<const Storage*>(call->inputs[0].data)". `call` and `attribute` are the names of the
// call and of the function that finds an attribute in it.
struct CallVariable {
  std::string type, name, value;
};
std::vector<CallVariable> CallVariables(const OpSpec& op, const std::string& call,
                                        const std::string& attribute);
// "const float eps", "const Storage* const x"
std::string ConstantText(const CallVariable& one);

// A line that would do for the op.
std::string ExampleLaunch(const OpSpec& op);

enum class CudaCompiler { kExecutionModel, kNvcc };

// A translation unit that includes "kernel.cu" and exports touchstone_<op>, which makes the launch.
// The recipes are those of the op where the kernel's name says Storage; else the one whose type it
// says. Under the execution model a call on more than one thread runs threads and blocks in reverse
// order. A launch without blocks is not made.
std::string CallerOf(const CudaLaunch& launch, const OpSpec& op, CudaCompiler compiler);

}  // namespace touchstone::lab
