// Wrong outputs by an edit of the right ones: nothing written, a part lost, a part in a wrong place.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "lab/decoys/edits.h"
#include "lab/input_class.h"

namespace touchstone::lab {
namespace {

// True where the fault can be made in a tensor of this shape.
using Edit = std::function<bool(Tensor* output)>;

void AddEdit(const Argument& output, const std::string& name, const std::string& meaning, Edit edit,
             std::vector<Decoy>* decoys) {
  decoys->push_back({name, meaning,
                     [tensor = output.name, edit = std::move(edit)](const Case& c, const Tensors&,
                                                                    const Tensors& right) {
                       std::optional<Tensors> wrong = OutputsAmong(c, right);
                       if (!edit(&wrong->at(tensor))) wrong.reset();
                       return wrong;
                     }});
}

void AddWholeEdits(std::vector<Decoy>* decoys) {
  decoys->push_back({"zeros", "the kernel's launch failed, and the buffer was cleared before",
                     [](const Case& c, const Tensors&, const Tensors& right) {
                       std::optional<Tensors> wrong = OutputsAmong(c, right);
                       for (auto& [name, tensor] : *wrong) {
                         std::fill(tensor.data.begin(), tensor.data.end(), std::byte{0});
                       }
                       return wrong;
                     }});
  decoys->push_back({"nothing written", "the kernel returned early and left what the buffer held",
                     [](const Case& c, const Tensors& inputs, const Tensors&) {
                       return std::optional<Tensors>(OutputsAmong(c, inputs));
                     }});
  decoys->push_back({"stale outputs", "results of the call before, kept by address or by shape",
                     [](const Case& c, const Tensors&, const Tensors&) {
                       Case before = c;
                       ++before.seed;
                       return Rerun(c, MakeTensors(before));
                     }});
}

void AddAxisEdits(const Argument& output, size_t d, std::vector<Decoy>* decoys) {
  const std::string letter = AxisName(output.dims[d]);
  for (const Part& part : LostParts()) {
    AddEdit(
        output, fmt::format("{} {} of {} zero", part.name, letter, output.name), part.meaning,
        [d, range = part.range](Tensor* tensor) {
          const auto [begin, end] = range(tensor->shape[d]);
          ZeroSlice(d, begin, end, tensor);
          return begin < end;
        },
        decoys);
  }
  const bool head = output.dims[d] == 'H' || output.dims[d] == 'G';
  AddEdit(
      output, fmt::format("{} one {} further", output.name, letter),
      head ? "the output of the neighbouring head" : "an index that is off by one",
      [d](Tensor* tensor) {
        Rotate(d, tensor);
        return tensor->shape[d] > 1;
      },
      decoys);
}

void AddIntegerEdits(const Argument& output, std::vector<Decoy>* decoys) {
  for (const int64_t step : {1, -1}) {
    AddEdit(
        output, fmt::format("{} {}", output.name, step > 0 ? "one more" : "one less"),
        "indices counted from another number",
        [step](Tensor* tensor) {
          for (int64_t i = 0; i < tensor->count(); ++i) tensor->values<int64_t>()[i] += step;
          return true;
        },
        decoys);
  }
}

void AddRealEdits(const Argument& output, std::vector<Decoy>* decoys) {
  AddEdit(
      output, output.name + " negated", "a sign lost on the way",
      [](Tensor* tensor) {
        for (int64_t i = 0; i < tensor->count(); ++i) {
          tensor->SetReal(i, -static_cast<float>(tensor->Real(i)));
        }
        return true;
      },
      decoys);
  AddEdit(
      output, output.name + " twice", "an accumulator that was not cleared before a second run",
      [](Tensor* tensor) {
        for (int64_t i = 0; i < tensor->count(); ++i) {
          tensor->SetReal(i, 2.0f * static_cast<float>(tensor->Real(i)));
        }
        return true;
      },
      decoys);
  AddEdit(
      output, output.name + " without its last bit", "a format one bit shorter",
      [](Tensor* tensor) {
        for (int64_t i = 0; i < tensor->count(); ++i) {
          if (tensor->dtype == Dtype::kF32) {
            float& x = tensor->values<float>()[i];
            x = std::bit_cast<float>(std::bit_cast<uint32_t>(x) & ~uint32_t{1});
          } else {
            uint16_t& bits = tensor->values<Bf16>()[i].bits;
            bits = static_cast<uint16_t>(bits & ~1);
          }
        }
        return true;
      },
      decoys);
}

}  // namespace

void AddOutputEdits(const OpSpec& op, std::vector<Decoy>* decoys) {
  AddWholeEdits(decoys);
  for (const Argument& output : op.arguments) {
    if (output.role == Role::kIn) continue;
    for (size_t d = 0; d < output.dims.size(); ++d) AddAxisEdits(output, d, decoys);
    if (output.stored == Stored::kI64) {
      AddIntegerEdits(output, decoys);
    } else {
      AddRealEdits(output, decoys);
    }
  }
}

}  // namespace touchstone::lab
