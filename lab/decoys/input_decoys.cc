// Wrong inputs: a kernel that reads less than there is, or something else, computes what the
// reference computes from edited inputs.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "lab/decoys/edits.h"

namespace touchstone::lab {
namespace {

using Found = std::string::size_type;

bool IsInput(const Argument& argument) { return argument.role != Role::kOut; }

// A part of an input lost. Where outputs have that letter too, only the others' share of the loss
// is kept: a norm whose sum misses a channel still writes that channel.
std::optional<Tensors> WithoutPart(const Case& c, const Tensors& inputs, const Tensors& right,
                                   const Argument& argument, size_t d, const Part& part) {
  const auto [begin, end] = part.range(inputs.at(argument.name).shape[d]);
  if (begin >= end) return {};
  Tensors edited = inputs;
  ZeroSlice(d, begin, end, &edited.at(argument.name));
  std::optional<Tensors> wrong = Rerun(c, std::move(edited));
  for (const Argument& output : c.op->arguments) {
    const Found same = output.dims.find(argument.dims[d]);
    if (!wrong || output.role == Role::kIn || same == std::string::npos) continue;
    CopySlice(right.at(output.name), same, begin, end, &wrong->at(output.name));
  }
  return wrong;
}

void AddLosses(const OpSpec& op, const Argument& argument, size_t d, std::vector<Decoy>* decoys) {
  const char letter = argument.dims[d];
  if (letter == op.rows || std::isupper(static_cast<unsigned char>(letter)) == 0) return;
  for (const Part& part : LostParts()) {
    const std::string name =
        fmt::format("{} {} of {} not read", part.name, AxisName(letter), argument.name);
    const std::string meaning =
        letter == 'E' ? "an expert whose weights were not loaded" : part.meaning;
    decoys->push_back(
        {name, meaning,
         [&argument, d, &part](const Case& c, const Tensors& in, const Tensors& right) {
           return WithoutPart(c, in, right, argument, d, part);
         }});
  }
}

void AddRotation(const Argument& argument, size_t d, std::vector<Decoy>* decoys) {
  decoys->push_back(
      {fmt::format("{} read one {} further", argument.name, AxisName(argument.dims[d])),
       "an index into one input that is off by one",
       [&argument, d](const Case& c, const Tensors& inputs,
                      const Tensors&) -> std::optional<Tensors> {
         if (inputs.at(argument.name).shape[d] < 2) return {};
         Tensors edited = inputs;
         Rotate(d, &edited.at(argument.name));
         return Rerun(c, std::move(edited));
       }});
}

void AddExchange(const Argument& a, const Argument& b, std::vector<Decoy>* decoys) {
  decoys->push_back({fmt::format("{} and {} exchanged", a.name, b.name),
                     "two tensors of one shape in the wrong order",
                     [&a, &b](const Case& c, const Tensors& inputs, const Tensors&) {
                       Tensors edited = inputs;
                       std::swap(edited.at(a.name), edited.at(b.name));
                       return Rerun(c, std::move(edited));
                     }});
}

// The case whose letter has one element less: the last one is not masked or zero, it is not there.
std::optional<Tensors> WithoutLast(const Case& whole, const Tensors& inputs, char letter) {
  Case c = whole;
  if (--c.sizes.at(letter) < 0) return {};
  if (c.op->derive) c.op->derive(&c.sizes);
  Tensors edited;
  for (const Argument& argument : c.op->arguments) {
    Tensor tensor = inputs.at(argument.name);
    const std::vector<int64_t> shape = ShapeOf(c, argument);
    if (argument.role != Role::kIn && shape != tensor.shape) return {};
    for (size_t d = 0; d < shape.size(); ++d) {
      if (tensor.shape[d] > shape[d]) tensor = Shortened(tensor, d, tensor.shape[d] - shape[d]);
    }
    edited.emplace(argument.name, std::move(tensor));
  }
  return Rerun(c, std::move(edited));
}

// The same edit of the axis `letter` of every input, undone in every output.
std::optional<Tensors> Reordered(const Case& c, const Tensors& inputs, char letter,
                                 const std::function<int64_t(int64_t)>& there,
                                 const std::function<int64_t(int64_t)>& back) {
  Tensors edited = inputs;
  for (const Argument& argument : c.op->arguments) {
    const Found d = argument.dims.find(letter);
    if (d != std::string::npos) Permute(d, there, &edited.at(argument.name));
  }
  std::optional<Tensors> wrong = Rerun(c, std::move(edited));
  for (const Argument& argument : c.op->arguments) {
    const Found d = argument.dims.find(letter);
    if (!wrong || argument.role == Role::kIn || d == std::string::npos) continue;
    Permute(d, back, &wrong->at(argument.name));
  }
  return wrong;
}

bool Has(const OpSpec& op, char letter, bool input) {
  return std::any_of(op.arguments.begin(), op.arguments.end(), [&](const Argument& a) {
    return (input ? IsInput(a) : a.role != Role::kIn) && a.dims.find(letter) != std::string::npos;
  });
}

void AddHeadOrders(const OpSpec& op, std::vector<Decoy>* decoys) {
  if (Has(op, 'H', true) && Has(op, 'H', false) && Has(op, 'G', true)) {
    decoys->push_back(
        {"query heads dealt out in turn",
         "query head h reads key head h mod G in place of h / (H / G)",
         [](const Case& c, const Tensors& inputs, const Tensors&) -> std::optional<Tensors> {
           const int64_t G = c.size('G'), ratio = c.size('H') / G;
           // Query head ratio * g + r takes the place of G * r + g.
           return Reordered(
               c, inputs, 'H', [=](int64_t h) { return h % ratio * G + h / ratio; },
               [=](int64_t h) { return h % G * ratio + h / G; });
         }});
  }
  if (Has(op, 'D', true) && Has(op, 'D', false)) {
    decoys->push_back(
        {"halves of a head in place of pairs",
         "a rotation of d with d + D / 2, as models of other families have",
         [](const Case& c, const Tensors& inputs, const Tensors&) -> std::optional<Tensors> {
           const int64_t D = c.size('D'), half = D / 2;
           if (D % 2 != 0) return {};
           // The pair (2 j, 2 j + 1) becomes (j, j + D / 2).
           return Reordered(
               c, inputs, 'D', [=](int64_t d) { return d % 2 * half + d / 2; },
               [=](int64_t d) { return d % half * 2 + d / half; });
         }});
  }
}

}  // namespace

void AddInputEdits(const OpSpec& op, std::vector<Decoy>* decoys) {
  for (const Argument& argument : op.arguments) {
    if (!IsInput(argument) || !IsReal(argument)) continue;
    for (size_t d = 0; d < argument.dims.size(); ++d) {
      AddLosses(op, argument, d, decoys);
      AddRotation(argument, d, decoys);
    }
    for (const Argument& other : op.arguments) {
      if (&other <= &argument || !IsInput(other)) continue;
      if (other.dims == argument.dims && other.stored == argument.stored) {
        AddExchange(argument, other, decoys);
      }
    }
  }
  for (const char letter : ContractedLetters(op)) {
    if (!op.sizes.contains(letter)) continue;
    decoys->push_back({fmt::format("last {} not there", AxisName(letter)),
                       letter == 'S' ? "a mask that is off by one" : "an extent that is one short",
                       [letter](const Case& c, const Tensors& inputs, const Tensors&) {
                         return WithoutLast(c, inputs, letter);
                       }});
  }
  AddHeadOrders(op, decoys);
}

}  // namespace touchstone::lab
