#include "lab/input_class.h"

#include <openssl/sha.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "lab/errors.h"
#include "lab/recorded_inputs.h"
#include "reference/formats/philox.h"

namespace touchstone::lab {
namespace {

float Special(uint32_t which, Dtype dtype) {
  const bool wide = dtype == Dtype::kF32;
  const float largest = wide ? std::numeric_limits<float>::max() : Widen(Bf16{0x7f7f});
  const float smallest = wide ? 0x1p-149f : 0x1p-133f;
  const float values[] = {INFINITY, -INFINITY, NAN, 0.0f, -0.0f, largest, -largest, smallest};
  return values[which];
}

// Of the element number `at` of the `last` along the last axis.
float ClassValue(const std::string& name, uint32_t w, int64_t at, int64_t last, Dtype dtype,
                 int exponent) {
  const float normal = NormalValue(w, dtype, exponent);
  if (name == "normal") return normal;
  if (name == "integers") return static_cast<float>(static_cast<int>(w % 9) - 4);
  if (name == "wide") return std::ldexp(normal, static_cast<int>(w >> 27) - 16);
  if (name == "outliers") return at % 37 == 5 ? normal * 64.0f : normal;
  if (name == "ties") return static_cast<float>(static_cast<int>(w % 5) - 2) / 4.0f;
  if (name == "subnormals") {
    return dtype == Dtype::kF32 ? std::ldexp(static_cast<float>(PhiloxF32Integer(w)), -149)
                                : std::ldexp(static_cast<float>(PhiloxBf16Integer(w)), -133);
  }
  if (name == "specials") return w % 64 == 0 ? Special((w >> 6) % 8, dtype) : normal;
  if (name == "zeros") return w % 2 == 0 ? 0.0f : -0.0f;
  if (name == "nans") return w % 16 == 0 ? NAN : normal;
  if (name == "large end") return at == last - 1 ? 16.0f : normal;
  if (name == "half zeros") return w % 2 == 0 ? 0.0f : normal;
  if (name == "not finite") return w % 16 == 0 ? Special((w >> 4) % 3, dtype) : normal;
  throw UsageError("no input class " + name);
}

bool IsGeneral(const std::string& input_class) {
  const auto& names = GeneralClassNames();
  return std::find(names.begin(), names.end(), input_class) != names.end();
}

// The general class of an argument that the op does not fill itself. tiny, tiny_weight, nans and
// last have one unusual input among normal ones, zeros_first and zeros_second two that meet; an
// op's own class may leave some tensors as they are in class normal.
std::string ClassOf(const Case& c, const Argument& argument) {
  if (IsGeneral(c.input_class)) return c.input_class;
  int place = 0;  // among the real inputs
  for (const Argument& before : c.op->arguments) {
    if (before.name == argument.name) break;
    place += before.role != Role::kOut && before.stored != Stored::kI64 ? 1 : 0;
  }
  if (c.input_class == "tiny" && place == 0) return "subnormals";
  if (c.input_class == "tiny_weight" && place == 1) return "subnormals";
  if (c.input_class == "nans" && place == 0) return "nans";
  if (c.input_class == "last" && place == 0) return "large end";
  const bool meet = c.input_class == "zeros_first" || c.input_class == "zeros_second";
  if (!meet || place > 1) return "normal";
  return (place == 0) == (c.input_class == "zeros_first") ? "half zeros" : "not finite";
}

}  // namespace

const std::vector<std::string>& GeneralClassNames() {
  static const std::vector<std::string> names = {"integers", "normal",     "wide",     "outliers",
                                                 "ties",     "subnormals", "specials", "zeros"};
  return names;
}

float NormalValue(uint32_t word, Dtype dtype, int exponent) {
  // f32 integers reach 2^16 and bf16 ones 2^8: eight more places give the same magnitude.
  return dtype == Dtype::kF32
             ? std::ldexp(static_cast<float>(PhiloxF32Integer(word)), -exponent - 8)
             : std::ldexp(static_cast<float>(PhiloxBf16Integer(word)), -exponent);
}

void FillByClass(const std::string& input_class, uint64_t seed, uint32_t tensor, int exponent,
                 Tensor* out) {
  const int64_t last = out->shape.empty() ? 1 : out->shape.back();
  for (int64_t i = 0; i < out->count(); ++i) {
    const uint32_t w = PhiloxWord(seed, tensor, static_cast<uint64_t>(i));
    out->SetReal(i, ClassValue(input_class, w, i % last, last, out->dtype, exponent));
  }
}

uint32_t TensorNumber(const std::string& path) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(path.data()), path.size(), digest);
  return static_cast<uint32_t>(digest[0]) | static_cast<uint32_t>(digest[1]) << 8 |
         static_cast<uint32_t>(digest[2]) << 16 | static_cast<uint32_t>(digest[3]) << 24;
}

std::vector<CaseRow> Hashed(std::vector<CaseRow> rows, Suite suite) {
  for (CaseRow& row : rows) {
    row.hashed = true;
    row.suite = suite;
  }
  return rows;
}

Tensors MakeTensors(const Case& c) {
  Tensors tensors;
  for (const Argument& argument : c.op->arguments) {
    std::vector<int64_t> shape;
    for (const char letter : argument.dims) {
      shape.push_back('0' <= letter && letter <= '9' ? letter - '0' : c.size(letter));
    }
    const Dtype dtype = argument.stored == Stored::kRecipe ? c.recipe
                        : argument.stored == Stored::kF32  ? Dtype::kF32
                                                           : Dtype::kI64;
    Tensor tensor(dtype, shape);
    if (argument.role == Role::kOut) {
      std::fill(tensor.data.begin(), tensor.data.end(), std::byte{0xff});
    } else {
      const std::string path = c.op->name + "/" + c.Name() + "/" + argument.name;
      const uint32_t number = TensorNumber(path);
      if (c.input_class == "real" && c.op->recorded.contains(argument.name)) {
        FillRecorded(c, argument, &tensor);
      } else if (!c.op->fill || !c.op->fill(c, argument, number, &tensor)) {
        if (dtype == Dtype::kI64) throw UsageError(path + ": an i64 tensor that no fill makes");
        FillByClass(ClassOf(c, argument), c.seed, number, argument.exponent, &tensor);
      }
    }
    tensors.emplace(argument.name, std::move(tensor));
  }
  return tensors;
}

}  // namespace touchstone::lab
