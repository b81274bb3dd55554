// Causes that are tested by computing the op again with the fault in it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <set>

#include "lab/diagnosis/causes.h"
#include "lab/diagnosis/profile_outputs.h"
#include "lab/judge.h"

namespace touchstone::lab {
namespace {

using Found = std::optional<std::string>;
using exact::Place;

// Whether a right kernel, given this case and these inputs, would have given what this one gave: by
// bits, or where the failed outputs are outside their bound by lying within the other bound.
bool Explains(const Suspect& suspect, const Case& c, const Tensors& inputs) {
  try {
    Tensors tensors = inputs;
    Run(c, &tensors, 1);
    if (SameOutputs(c, tensors, suspect.right)) return false;  // no fault in this case
    if (SameOutputs(c, tensors, suspect.got)) return true;
    if (!suspect.outside) return false;
    const Expected expected = Enclose(c, inputs, AllPlaces(*c.op, Place::kHull));
    return CompareWithExpected(c, suspect.got, expected).Passed();
  } catch (const std::exception&) {
    return false;  // the op refuses such inputs
  }
}

bool IsReal(const Argument& argument) { return argument.stored != Stored::kI64; }

// Letters that real inputs have and no output does: sums run over them, or choices.
std::set<char> InputLetters(const OpSpec& op) {
  std::set<char> letters, kept;
  for (const Argument& argument : op.arguments) {
    if (argument.role != Role::kIn) {
      kept.insert(argument.dims.begin(), argument.dims.end());
    } else if (IsReal(argument)) {
      letters.insert(argument.dims.begin(), argument.dims.end());
    }
  }
  std::erase_if(letters, [&](char letter) {
    return kept.contains(letter) || ('0' <= letter && letter <= '9');
  });
  return letters;
}

// The inputs with zeros where an argument's index along a letter is in [begin, end).
Tensors WithZeros(const Suspect& suspect, const Argument& argument, char letter, int64_t begin,
                  int64_t end) {
  Tensors inputs = suspect.inputs;
  Tensor& tensor = inputs.at(argument.name);
  const size_t d = argument.dims.find(letter);
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const int64_t at = CoordinatesOf(tensor.shape, i)[d];
    if (begin <= at && at < end) tensor.SetReal(i, 0.0f);
  }
  return inputs;
}

// Parts of a letter that kernels leave out.
struct LeftOut {
  int64_t begin, end;
  std::string words;
};

std::vector<LeftOut> PartsLeftOut(char upper, int64_t n) {
  const char letter = LowerCase(upper);
  std::vector<LeftOut> parts = {{n - 1, n, fmt::format("the last {}", letter)},
                                {0, 1, fmt::format("the first {}", letter)}};
  for (const int64_t width : {4, 8, 16, 32, 64, 128, 256, 512}) {
    const int64_t whole = n / width * width;
    if (0 < whole && whole < n) {
      parts.push_back(
          {whole, n, fmt::format("the tail of {} beyond the last multiple of {}", letter, width)});
    }
    if (width < whole) parts.push_back({width, n, fmt::format("{} from {} on", letter, width)});
  }
  if (n <= 16) {
    for (int64_t i = 1; i + 1 < n; ++i) {
      parts.push_back({i, i + 1, fmt::format("{}={}", letter, i)});
    }
  }
  return parts;
}

Found PartDropped(const Suspect& suspect) {
  for (const char letter : InputLetters(*suspect.c.op)) {
    const int64_t n = suspect.c.size(letter);
    if (n < 2) continue;
    for (const LeftOut& part : PartsLeftOut(letter, n)) {
      for (const Argument& argument : suspect.c.op->arguments) {
        const bool has = argument.dims.find(letter) != std::string::npos;
        if (argument.role != Role::kIn || !IsReal(argument) || !has) continue;
        if (Explains(suspect, suspect.c,
                     WithZeros(suspect, argument, letter, part.begin, part.end))) {
          return fmt::format("{} of {} is left out (counts as 0)", part.words, argument.name);
        }
      }
    }
  }
  return {};
}

// Letters along which a real input and an output both go.
std::set<char> SharedLetters(const OpSpec& op) {
  std::set<char> in, out;
  for (const Argument& argument : op.arguments) {
    if (!IsReal(argument)) continue;
    std::set<char>& letters = argument.role == Role::kIn ? in : out;
    letters.insert(argument.dims.begin(), argument.dims.end());
  }
  std::erase_if(in, [&](char letter) { return !out.contains(letter) || letter == 'T'; });
  return in;
}

// Whether every wrong element whose index along the letter lies outside [begin, end) is right for
// these inputs. Inside, the kernel may have read what the sum did not.
bool ExplainsBeside(const Suspect& suspect, const Tensors& inputs, char letter, int64_t begin,
                    int64_t end) {
  Suspect other = suspect;
  other.right = inputs;
  Run(suspect.c, &other.right, 1);
  other.expected = Enclose(suspect.c, inputs, AllPlaces(*suspect.c.op, Place::kHull));
  int64_t explained = 0;
  for (const auto& [name, wrong] : suspect.wrong) {
    const Argument& output = suspect.c.op->argument(name);
    const size_t d = output.dims.find(letter);
    for (const int64_t i : wrong) {
      if (d != std::string::npos) {
        const int64_t at = CoordinatesOf(suspect.got.at(name).shape, i)[d];
        if (begin <= at && at < end) continue;
      }
      if (!Accepts(other, output, i, i)) return false;
      ++explained;
    }
  }
  return explained > 0;
}

// A sum over a row that also has an output for each of its elements, as a norm has.
Found PartMissedBySum(const Suspect& suspect) {
  if (!suspect.outside) return {};
  for (const char letter : SharedLetters(*suspect.c.op)) {
    const int64_t n = suspect.c.size(letter);
    if (n < 2) continue;
    for (const LeftOut& part : PartsLeftOut(letter, n)) {
      for (const Argument& argument : suspect.c.op->arguments) {
        const bool has = argument.dims.find(letter) != std::string::npos;
        if (argument.role != Role::kIn || !IsReal(argument) || !has) continue;
        const Tensors inputs = WithZeros(suspect, argument, letter, part.begin, part.end);
        if (ExplainsBeside(suspect, inputs, letter, part.begin, part.end)) {
          return fmt::format("{} of {} is left out of a sum", part.words, argument.name);
        }
      }
    }
  }
  return {};
}

// The case without the last index of a letter.
Found LastNotSeen(const Suspect& suspect) {
  const OpSpec& op = *suspect.c.op;
  const bool indexed = std::any_of(op.arguments.begin(), op.arguments.end(), [](const Argument& a) {
    return !IsReal(a) && a.name != "positions";
  });
  if (indexed) return {};  // an index into the letter would lead outside
  for (const char letter : InputLetters(op)) {
    Case shorter = suspect.c;
    if (--shorter.sizes.at(letter) < 1) continue;
    if (op.derive) op.derive(&shorter.sizes);
    Tensors inputs = suspect.inputs;
    for (const Argument& argument : op.arguments) {
      const size_t d = argument.dims.find(letter);
      if (d == std::string::npos || argument.role != Role::kIn || !IsReal(argument)) continue;
      const Tensor& whole = suspect.inputs.at(argument.name);
      Tensor part(whole.dtype, ShapeOf(shorter, argument));
      for (int64_t i = 0; i < part.count(); ++i) {
        const int64_t from = IndexOf(whole.shape, CoordinatesOf(part.shape, i));
        part.SetReal(i, static_cast<float>(whole.Real(from)));
      }
      inputs.insert_or_assign(argument.name, std::move(part));
    }
    if (Explains(suspect, shorter, inputs)) {
      return fmt::format("the last {} is not seen", LowerCase(letter));
    }
  }
  return {};
}

Found InputsSwapped(const Suspect& suspect) {
  const std::vector<Argument>& arguments = suspect.c.op->arguments;
  for (size_t a = 0; a < arguments.size(); ++a) {
    for (size_t b = a + 1; b < arguments.size(); ++b) {
      if (arguments[a].role != Role::kIn || arguments[b].role != Role::kIn) continue;
      Tensors inputs = suspect.inputs;
      Tensor &x = inputs.at(arguments[a].name), &y = inputs.at(arguments[b].name);
      if (!IsReal(arguments[a]) || x.dtype != y.dtype || x.shape != y.shape) continue;
      std::swap(x.data, y.data);
      if (Explains(suspect, suspect.c, inputs)) {
        return fmt::format("{} and {} are exchanged", arguments[a].name, arguments[b].name);
      }
    }
  }
  return {};
}

Found InputTransposed(const Suspect& suspect) {
  for (const Argument& argument : suspect.c.op->arguments) {
    if (argument.role != Role::kIn || !IsReal(argument) || argument.dims.size() < 2) continue;
    const Tensor& right = suspect.inputs.at(argument.name);
    const int64_t cols = right.shape.back(), rows = right.shape[right.shape.size() - 2];
    if (cols < 2 || rows < 2) continue;
    // What a kernel reads that takes row-major data for column-major.
    Tensors inputs = suspect.inputs;
    Tensor& tensor = inputs.at(argument.name);
    for (int64_t i = 0; i < tensor.count(); ++i) {
      const int64_t in = i % (rows * cols);
      const int64_t from = i - in + in % cols * rows + in / cols;
      tensor.SetReal(i, static_cast<float>(right.Real(from)));
    }
    if (Explains(suspect, suspect.c, inputs)) {
      return fmt::format("{} is read column by column", argument.name);
    }
  }
  return {};
}

Found PositionsOff(const Suspect& suspect) {
  const auto found = suspect.inputs.find("positions");
  if (found == suspect.inputs.end() || found->second.dtype != Dtype::kI64) return {};
  for (const int64_t off : {1, -1}) {
    Tensors inputs = suspect.inputs;
    Tensor& positions = inputs.at("positions");
    int64_t* values = positions.values<int64_t>();
    for (int64_t i = 0; i < positions.count(); ++i) {
      values[i] = std::max<int64_t>(0, values[i] + off);
    }
    if (Explains(suspect, suspect.c, inputs)) {
      return fmt::format("positions are read {} too {}", std::abs(off), off > 0 ? "high" : "low");
    }
  }
  return {};
}

// The largest distance of what the kernel gave from what is right for another case.
double DistanceFromRightOutputs(const Suspect& suspect, const Case& c) {
  Tensors right = suspect.inputs;
  Run(c, &right, 1);
  double largest = 0.0;
  for (const auto& [name, wrong] : suspect.wrong) {
    const Tensor &got = suspect.got.at(name), &wanted = right.at(name);
    for (int64_t i = 0; i < got.count() && got.dtype != Dtype::kI64; ++i) {
      const double distance = std::fabs(got.Real(i) - wanted.Real(i));
      if (distance > largest) largest = distance;
    }
  }
  return largest;
}

// Values that implementations are known to have in place of the case's.
Found AttributeOff(const Suspect& suspect) {
  static const std::map<std::string, std::vector<double>> known = {
      {"eps", {0.0, 1e-12, 1e-8, 1e-6, 1e-5}},
      {"attn_scale", {0.0, 1.0}},
      {"floor_scale", {8192.0}},
      {"chunk", {0.0, 8192.0}},
      {"rope_theta", {10000.0, 500000.0}},
      {"llama3", {0.0, 1.0}},
      {"factor", {1.0, 8.0, 16.0, 32.0}},
      {"low_freq_factor", {1.0}},
      {"high_freq_factor", {4.0}},
      {"original_max_position_embeddings", {8192.0}},
      {"temperature", {1.0}},
      {"top_p", {1.0}},
      {"sampling_seed", {0.0, 1.0}},
  };
  for (const auto& [name, value] : suspect.c.attributes) {
    const auto others = known.find(name);
    if (others == known.end()) continue;
    // Of several that explain the outputs, the one that comes nearest.
    std::optional<double> best;
    double distance = INFINITY;
    for (const double other : others->second) {
      if (other == value) continue;
      Case c = suspect.c;
      c.attributes.at(name) = other;
      if (!Explains(suspect, c, suspect.inputs)) continue;
      const double its_distance = DistanceFromRightOutputs(suspect, c);
      if (best && !(its_distance < distance)) continue;
      best = other;
      distance = its_distance;
    }
    if (best) return fmt::format("{} is {} in place of {}", name, *best, value);
  }
  return {};
}

// Inner rounding places left out: right in the bounded contract, other bits in the exact one.
Found PlaceLeftOut(const Suspect& suspect) {
  if (suspect.outside || suspect.c.recipe == Dtype::kF32) return {};
  const auto accepts = [&](const Places& places) {
    const Expected expected = Enclose(suspect.c, suspect.inputs, places);
    return CompareWithExpected(suspect.c, suspect.got, expected).Passed();
  };
  const Places all_on = AllPlaces(*suspect.c.op, Place::kOn);
  if (all_on.empty() || accepts(all_on)) return {};
  for (const auto& [place, state] : all_on) {
    Places without = all_on;
    without[place] = Place::kOff;
    if (accepts(without)) return fmt::format("the rounding place {} is left out", Name(place));
  }
  if (accepts(AllPlaces(*suspect.c.op, Place::kOff))) return "no inner rounding place is taken";
  return {};
}

Found Allowed(const Suspect& suspect, const exact::Allowance& allowance, const char* words) {
  if (!suspect.outside) return {};
  const Expected expected =
      Enclose(suspect.c, suspect.inputs, AllPlaces(*suspect.c.op, Place::kHull), allowance);
  if (!CompareWithExpected(suspect.c, suspect.got, expected).Passed()) return {};
  return fmt::format("{} (within the bound of --allow {})", words, exact::AllowanceText(allowance));
}

Found Flushed(const Suspect& suspect) {
  return Allowed(suspect, {.ftz = true}, "subnormals are flushed to zero");
}

Found Tf32(const Suspect& suspect) {
  const Found rounded = Allowed(suspect, {.tf32 = true},
                                "errors are no larger than operands rounded to tf32 explain");
  if (rounded) return rounded;
  return Allowed(suspect, {.tf32_truncated = true},
                 "errors are no larger than operands cut to tf32 explain");
}

// Bits of an unsound profile of the panel: partial sums in 16 bits, operands in tf32, ...
Found UnsoundProfile(const Suspect& suspect) {
  for (const exact::Profile& profile : exact::ProfilePanel()) {
    if (exact::Sound(profile)) continue;
    const Tensors outputs = ProfileOutputs(suspect.c, suspect.inputs, profile);
    if (SameOutputs(suspect.c, outputs, suspect.right)) continue;
    if (!SameOutputs(suspect.c, outputs, suspect.got)) continue;
    // Where its order alone gives these bits nothing unsound is shown.
    const exact::Profile order{
        .order = profile.order, .width = profile.width, .fused = profile.fused};
    if (!SameOutputs(suspect.c, ProfileOutputs(suspect.c, suspect.inputs, order), suspect.got)) {
      return fmt::format("equal bits with {}", profile.name);
    }
  }
  return {};
}

// How outputs differ from the right ones.
struct Differences {
  double relative = INFINITY;  // root mean square, relative to that of the right outputs
  double largest = 0.0;
  int64_t larger = 0, smaller = 0;  // elements, in magnitude

  bool OneSided() const { return larger == 0 || smaller == 0; }
};

Differences DifferencesOf(const Suspect& suspect, const Tensors& outputs) {
  Differences differences;
  double error = 0.0, size = 0.0;
  for (const auto& [name, wrong] : suspect.wrong) {
    const Tensor& right = suspect.right.at(name);
    if (right.dtype == Dtype::kI64) return {};
    for (int64_t i = 0; i < right.count(); ++i) {
      const double y = right.Real(i), difference = outputs.at(name).Real(i) - y;
      if (!std::isfinite(difference)) return {};
      error += difference * difference;
      size += y * y;
      differences.largest = std::max(differences.largest, std::fabs(difference));
      differences.larger += difference * y > 0.0 ? 1 : 0;
      differences.smaller += difference * y < 0.0 ? 1 : 0;
    }
  }
  if (size > 0.0) differences.relative = std::sqrt(error / size);
  return differences;
}

// Where no order gives the bits: errors of the size that 16-bit partial sums make in some orders,
// within a factor of two, in about as many elements, and none far larger: those of a fault that is
// in one place are few and large, those of a missing term all go one way.
Found PartialSumsOf16Bits(const Suspect& suspect) {
  const Differences got = DifferencesOf(suspect, suspect.got);
  if (!suspect.outside || got.OneSided()) return {};
  for (const auto format : {exact::PartialFormat::kBf16, exact::PartialFormat::kF16}) {
    Differences least, most{.relative = 0.0};
    for (const exact::Order order :
         {exact::Order::kAscending, exact::Order::kDescending, exact::Order::kPairwise}) {
      const exact::Profile profile{.order = order, .partial = format};
      const Differences one =
          DifferencesOf(suspect, ProfileOutputs(suspect.c, suspect.inputs, profile));
      if (one.relative < least.relative) least = one;
      if (one.relative > most.relative) most = one;
    }
    const bool in_as_many = 2 * (got.larger + got.smaller) >= least.larger + least.smaller;
    if (0x1p-14 < least.relative && most.relative < 1.0 && in_as_many &&
        0.5 * least.relative <= got.relative && got.relative <= 2.0 * most.relative &&
        got.largest <= 4.0 * most.largest) {
      return fmt::format("errors are as large as partial sums in {} make them",
                         format == exact::PartialFormat::kBf16 ? "bf16" : "f16");
    }
  }
  return {};
}

}  // namespace

const std::vector<Cause>& CausesByRecomputing() {
  static const std::vector<Cause> causes = {
      {"inputs swapped", InputsSwapped},
      {"part dropped", PartDropped},
      {"part missed by a sum", PartMissedBySum},
      {"last not seen", LastNotSeen},
      {"positions off", PositionsOff},
      {"attribute off", AttributeOff},
      {"input transposed", InputTransposed},
      {"place left out", PlaceLeftOut},
      {"flushed", Flushed},
      {"unsound profile", UnsoundProfile},
      {"tf32", Tf32},
      {"partial sums of 16 bits", PartialSumsOf16Bits},
  };
  return causes;
}

}  // namespace touchstone::lab
