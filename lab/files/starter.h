// `new`: a kernel's source to start from. It is one file that passes as it stands: the op's
// contract as a comment, and a plain computation.
//
// In C that is lab/starter/<op>.c, a function
//
//   static void op_<op>(int bf16, <letters of the shapes>, <inputs>, <attributes>, <outputs>)
//
// each in the order in which the spec lists them, attributes by name; a tensor that is both is an
// output; floating-point tensors are arrays of float that hold values of the recipe's storage. A
// chain is the functions of its steps, called one after the other. What unpacks a call follows from
// the op's spec.
//
// In CUDA C++ it is lab/starter/<op or chain>.cu, a kernel by the conventions of kernels/simt and
// the comment that names its launch (lab/files/cuda_source.h), so that `verify` takes the file; or,
// with what unpacks a call in place of that comment, a plug-in's source.
#pragma once

#include <string>
#include <vector>

#include "lab/spec.h"

namespace touchstone::lab {

enum class CudaStarter { kSource, kPlugin };

// `file`: the name that the comment's command lines give the source. Throws KernelUnavailable where
// there is no such starter.
std::string StarterInC(const OpSpec& op, const std::string& file);
std::string StarterInCuda(const OpSpec& op, const std::string& file, CudaStarter kind);

// What all begin with: what the file is, how it is built and judged, the contract, the call.
// `unpacks`: whether the source itself finds in a call what it brings.
std::string StarterComment(const OpSpec& op, const std::vector<std::string>& commands,
                           bool unpacks);

// "-I/where/it/is/lab/include"
std::string RepositoryIncludeFlag();

// The command that makes a library of a plug-in's CUDA source, and the library's name, as a shell
// reads them.
std::string PluginBuild(const std::string& file);
std::string PluginLibrary(const std::string& file);

// The text of lab/starter/<name>; throws KernelUnavailable where there is none.
std::string StarterPart(const std::string& name);

// Letters of the shapes of an op's arguments, each once, in their order.
std::string ShapeLetters(const OpSpec& op);

// "TOUCHSTONE_F32 | TOUCHSTONE_BF16"
std::string RecipeFlags(const OpSpec& op);

// A call as C writes it, in lines of at most 100 columns.
std::string CallText(const std::string& indentation, const std::string& function,
                     const std::vector<std::string>& arguments);

// Where the kernel of an argument finds it: "call->inputs[0]", "call->outputs[1]".
std::string PlaceInCall(const OpSpec& op, const Argument& argument);

}  // namespace touchstone::lab
