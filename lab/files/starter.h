// `new`: a kernel's source to start from. It is one file that builds and passes as it stands: the
// op's contract as a comment, a plain computation, and what unpacks a call.
//
// The computation is lab/starter/<op>.c (or .cu), real code that tests compile; a chain is the
// functions of its steps, called one after the other. All else follows from the op's spec:
//
//   static void op_<op>(int bf16, <letters of the shapes>, <inputs>, <attributes>, <outputs>)
//
// each in the order in which the spec lists them, attributes by name; a tensor that is both is an
// output. In C, floating-point tensors are arrays of float that hold values of the recipe's storage.
#pragma once

#include <string>
#include <vector>

#include "lab/spec.h"

namespace touchstone::lab {

// `file`: the name that the comment's command lines give the source. Throws KernelUnavailable where
// there is no such starter.
std::string StarterInC(const OpSpec& op, const std::string& file);
std::string StarterInCuda(const OpSpec& op, const std::string& file);

// What both begin with: what the file is, how it is built and judged, the contract, the call.
std::string StarterComment(const OpSpec& op, const std::string& file, const std::string& build);

// "-I/where/it/is/lab/include"
std::string RepositoryIncludeFlag();

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
