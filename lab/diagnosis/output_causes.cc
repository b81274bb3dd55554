// Causes that the outputs alone show.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <set>

#include "lab/diagnosis/causes.h"

namespace touchstone::lab {
namespace {

using Found = std::optional<std::string>;

// One wrong element of a real output.
struct WrongElement {
  const Argument* output;
  int64_t i;
  double got, right;
};

std::vector<WrongElement> WrongReals(const Suspect& suspect) {
  std::vector<WrongElement> all;
  for (const auto& [name, wrong] : suspect.wrong) {
    const Tensor& got = suspect.got.at(name);
    if (got.dtype == Dtype::kI64) continue;
    for (const int64_t i : wrong) {
      all.push_back(
          {&suspect.c.op->argument(name), i, got.Real(i), suspect.right.at(name).Real(i)});
    }
  }
  return all;
}

bool WrongIntegers(const Suspect& suspect) {
  return std::any_of(suspect.wrong.begin(), suspect.wrong.end(), [&](const auto& entry) {
    return !entry.second.empty() && suspect.got.at(entry.first).dtype == Dtype::kI64;
  });
}

// Every wrong element has the property, and no output of integers is wrong.
bool All(const Suspect& suspect, const std::function<bool(const WrongElement&)>& holds) {
  const std::vector<WrongElement> wrong = WrongReals(suspect);
  return !wrong.empty() && !WrongIntegers(suspect) &&
         std::all_of(wrong.begin(), wrong.end(), holds);
}

Found Zeros(const Suspect& suspect) {
  // A sound kernel in another order may give 0 where the contract has the smallest numbers.
  if (!suspect.outside) return {};
  if (!All(suspect, [](const WrongElement& e) { return e.got == 0.0; })) return {};
  const bool subnormal = All(
      suspect, [](const WrongElement& e) { return std::fabs(e.right) < exact::kSmallestNormal; });
  if (subnormal)
    return "every wrong element is 0 where the right one is subnormal: flushed to zero";
  return "every wrong element is 0";
}

Found NotNumbers(const Suspect& suspect) {
  if (All(suspect, [](const WrongElement& e) { return std::isnan(e.got); }))
    return "every wrong element is NaN";
  if (All(suspect, [](const WrongElement& e) { return std::isinf(e.got); }))
    return "every wrong element is infinite";
  return {};
}

Found OneValue(const Suspect& suspect) {
  const std::vector<WrongElement> wrong = WrongReals(suspect);
  if (wrong.size() < 3 || wrong[0].got == 0.0 || !std::isfinite(wrong[0].got)) return {};
  const double value = wrong[0].got;
  if (!All(suspect, [&](const WrongElement& e) { return e.got == value; })) return {};
  return fmt::format("every wrong element is {:.9g}", value);
}

Found SignFlipped(const Suspect& suspect) {
  const bool flipped = All(suspect, [&](const WrongElement& e) {
    if (e.right == 0.0 || !std::isfinite(e.right) || !std::isfinite(e.got)) return false;
    const Tensor& got = suspect.got.at(e.output->name);
    Tensor negated = got;
    negated.SetReal(e.i, static_cast<float>(-e.got));
    return SameBits(negated, e.i, suspect.right.at(e.output->name), e.i) ||
           std::fabs(e.got + e.right) <= std::fabs(e.right) * 0x1p-7;
  });
  return flipped ? Found("the sign is flipped in every wrong element") : Found();
}

// The right value of real arithmetic times one factor, within two units of the last place.
Found ConstantFactor(const Suspect& suspect) {
  std::vector<double> ratios;
  for (const WrongElement& e : WrongReals(suspect)) {
    if (std::isfinite(e.got) && std::isfinite(e.right) && e.right != 0.0)
      ratios.push_back(e.got / e.right);
  }
  if (ratios.size() < 4) return {};
  std::nth_element(ratios.begin(), ratios.begin() + static_cast<ptrdiff_t>(ratios.size() / 2),
                   ratios.end());
  const double factor = ratios[ratios.size() / 2];
  if (factor == 0.0 || factor == -1.0 || std::fabs(factor - 1.0) < 0x1p-6) return {};
  const bool constant = All(suspect, [&](const WrongElement& e) {
    const Dtype dtype = suspect.got.at(e.output->name).dtype;
    const double unit = dtype == Dtype::kF32 ? 0x1p-22 : 0x1p-6;
    return std::fabs(e.got - factor * e.right) <= unit * std::fabs(e.got) + exact::kSmallestNormal;
  });
  if (!constant) return {};
  std::string known;
  for (const auto& [letter, size] : suspect.c.sizes) {
    const double n = static_cast<double>(size);
    const auto is = [&](double x) { return std::fabs(factor / x - 1.0) < 0x1p-6; };
    if (n < 2.0 || !known.empty()) continue;
    if (is(n))
      known = fmt::format(" = {}", letter);
    else if (is(1.0 / n))
      known = fmt::format(" = 1/{}", letter);
    else if (is(std::sqrt(n)))
      known = fmt::format(" = sqrt({})", letter);
    else if (is(1.0 / std::sqrt(n)))
      known = fmt::format(" = 1/sqrt({})", letter);
  }
  return fmt::format("every wrong element is {:.6g}{} times the right one", factor, known);
}

// Another last rounding, in any order of sums: the kernel's value is one that it gives, and,
// rounding being monotone, lies between the roundings of the bound's two ends.
struct Rounding {
  std::string words;
  double (*round)(double x);
  bool of_16_bits;  // or of a binary32 output
};

// binary32, then the low bits dropped after `added` units of the lowest: towards zero, or to
// nearest. In integers alone, as in profile.cc.
double Dropped(double x, int bits, uint32_t added) {
  const float single = static_cast<float>(x);
  const uint32_t word = std::bit_cast<uint32_t>(single);
  const bool finite = (word & 0x7f800000) != 0x7f800000;
  const uint32_t mask = ~((uint32_t{1} << bits) - 1);
  return static_cast<double>(finite ? std::bit_cast<float>((word + added) & mask) : single);
}

Found OtherRounding(const Suspect& suspect) {
  const std::vector<Rounding> roundings = {
      {"the output is truncated instead of rounded", [](double x) { return Dropped(x, 16, 0); },
       true},
      {"ties of the output's rounding go away from zero instead of to even",
       [](double x) { return Dropped(x, 16, 0x8000); }, true},
      {"the output went through bf16 on its way to f32",
       [](double x) { return exact::RoundReal(x, Dtype::kBf16); }, false},
      {"the output went through tf32 (11 significant bits) on its way to f32",
       [](double x) { return Dropped(x, 13, 0x1000); }, false},
      {"the output is cut to 16 bits on its way to f32", [](double x) { return Dropped(x, 16, 0); },
       false},
  };
  if (!suspect.outside || WrongIntegers(suspect)) return {};
  for (const Rounding& rounding : roundings) {
    bool explains = true;
    int64_t seen = 0;
    for (const auto& [name, wrong] : suspect.wrong) {
      const Tensor& got = suspect.got.at(name);
      if (got.dtype == Dtype::kI64) continue;
      explains = explains && (got.dtype == Dtype::kBf16) == rounding.of_16_bits;
      const exact::Enclosure& e = suspect.expected.results.reals.at(name);
      for (int64_t i = 0; explains && i < got.count(); ++i) {
        if (e.undecidable.data()[i] || std::isnan(e.value.data()[i])) continue;
        const double x = got.Real(i);
        explains = (rounding.round(x) == x || std::isnan(x)) &&
                   rounding.round(e.lower.data()[i]) <= x && x <= rounding.round(e.upper.data()[i]);
        ++seen;
      }
    }
    if (explains && seen > 0) return rounding.words;
  }
  return {};
}

// Wrong elements that may be right ones of another place. Some agree by chance, or because the
// bound there is wide: only most of the wrong elements, telling ones of several values, are a move.
class Moves {
 public:
  explicit Moves(const Suspect& suspect) : suspect_(suspect) {}

  // An element whose right place the move leaves unknown.
  void AddLost() { ++wrong_; }
  // Element i may be what belongs to j; false ends the matter.
  bool Add(const Argument& output, int64_t i, int64_t j) {
    if (!Accepts(suspect_, output, i, j)) return false;
    ++wrong_;
    moved_.push_back({&output, i, j});
    return true;
  }
  bool Convince() const {
    int64_t telling = 0;
    std::set<double> values;
    for (const Element& e : moved_) {
      if (!IsTelling(suspect_, *e.output, e.i, e.j)) continue;
      ++telling;
      values.insert(suspect_.got.at(e.output->name).Real(e.i));
    }
    return 2 * telling > wrong_ && values.size() >= 4;
  }

 private:
  struct Element {
    const Argument* output;
    int64_t i, j;
  };
  const Suspect& suspect_;
  std::vector<Element> moved_;
  int64_t wrong_ = 0;
};

// source(at) is where an element came from; false: from nowhere.
using Source = std::function<bool(const std::vector<int64_t>& shape, std::vector<int64_t>* at)>;

bool Moved(const Suspect& suspect, const Source& source) {
  Moves moves(suspect);
  for (const auto& [name, wrong] : suspect.wrong) {
    const Argument& output = suspect.c.op->argument(name);
    const std::vector<int64_t>& shape = suspect.got.at(name).shape;
    for (const int64_t i : wrong) {
      std::vector<int64_t> at = CoordinatesOf(shape, i);
      if (!source(shape, &at)) {
        moves.AddLost();
      } else if (!moves.Add(output, i, IndexOf(shape, at))) {
        return false;
      }
    }
  }
  return moves.Convince();
}

Found AlongALetter(const Suspect& suspect) {
  struct Step {
    std::string words;
    int64_t (*source)(int64_t i, int64_t n);  // negative: from nowhere
  };
  const std::vector<Step> steps = {
      {"{0} is off by one: an element holds what belongs to {0}-1",
       [](int64_t i, int64_t) { return i - 1; }},
      {"{0} is off by one: an element holds what belongs to {0}+1",
       [](int64_t i, int64_t n) { return i + 1 < n ? i + 1 : -1; }},
      {"neighbours along {0} are swapped",
       [](int64_t i, int64_t n) { return (i ^ 1) < n ? i ^ 1 : -1; }},
      {"the halves of {0} are swapped",
       [](int64_t i, int64_t n) { return n % 2 == 0 ? (i + n / 2) % n : -1; }},
      {"{0} runs backwards", [](int64_t i, int64_t n) { return n - 1 - i; }},
      {"every wrong element holds what belongs to {0}=0",
       [](int64_t, int64_t) { return int64_t{0}; }},
  };
  std::string letters;
  for (const auto& [name, wrong] : suspect.wrong) {
    if (!wrong.empty()) letters += suspect.c.op->argument(name).dims;
  }
  for (const char letter : letters) {
    for (const Step& step : steps) {
      bool concerned = true;
      const Source source = [&](const std::vector<int64_t>& shape, std::vector<int64_t>* at) {
        // Outputs of one shape have their letters in one order; others are asked one by one.
        for (const auto& [name, wrong] : suspect.wrong) {
          const Argument& output = suspect.c.op->argument(name);
          const size_t d = output.dims.find(letter);
          if (suspect.got.at(name).shape != shape || wrong.empty()) continue;
          if (d == std::string::npos) return concerned = false;
          const int64_t from = step.source((*at)[d], shape[d]);
          if (from < 0) return false;
          (*at)[d] = from;
          return true;
        }
        return false;
      };
      if (Moved(suspect, source) && concerned) {
        return fmt::format(fmt::runtime(step.words), LowerCase(letter));
      }
    }
  }
  return {};
}

// y[i, j] = right[j, i] in square tiles of the last two letters, or in the whole.
Found Transposed(const Suspect& suspect) {
  const std::vector<int64_t> tiles = {0, 4, 8, 16, 32, 64};
  for (const int64_t tile : tiles) {
    const Source source = [tile](const std::vector<int64_t>& shape, std::vector<int64_t>* at) {
      const size_t d = shape.size();
      if (d < 2) return false;
      int64_t &i = (*at)[d - 2], &j = (*at)[d - 1];
      if (tile == 0) {
        if (shape[d - 2] != shape[d - 1]) return false;
        std::swap(i, j);
        return true;
      }
      const int64_t i0 = i / tile * tile, j0 = j / tile * tile, down = i - i0, across = j - j0;
      i = i0 + across;
      j = j0 + down;
      return i < shape[d - 2] && j < shape[d - 1];
    };
    if (!Moved(suspect, source)) continue;
    for (const auto& [name, wrong] : suspect.wrong) {
      if (wrong.empty()) continue;
      const std::string& dims = suspect.c.op->argument(name).dims;
      const std::string letters =
          fmt::format("{} and {}", LowerCase(dims[dims.size() - 2]), LowerCase(dims.back()));
      return tile == 0 ? fmt::format("{} are transposed", letters)
                       : fmt::format("{} are transposed in tiles of {} x {}", letters, tile, tile);
    }
  }
  return {};
}

// The values of one row are right, and in another order: layouts of a whole tensor mixed up.
Found WholeTensorTransposed(const Suspect& suspect) {
  for (const auto& [name, wrong] : suspect.wrong) {
    const Argument& output = suspect.c.op->argument(name);
    const std::vector<int64_t>& shape = suspect.got.at(name).shape;
    if (wrong.size() < 4 || shape.size() < 2) continue;
    const int64_t rows = shape[shape.size() - 2], cols = shape.back(), matrix = rows * cols;
    Moves moves(suspect);
    const bool explains = std::all_of(wrong.begin(), wrong.end(), [&](int64_t i) {
      const int64_t in = i % matrix;
      return moves.Add(output, i, i - in + in % rows * cols + in / rows);
    });
    if (explains && moves.Convince()) return fmt::format("{} is written column by column", name);
  }
  return {};
}

Found AnotherTie(const Suspect& suspect) {
  if (suspect.outside || !WrongIntegers(suspect)) return {};
  return "another of several equal candidates was taken: a tie, which the contract gives to the "
         "lowest index";
}

}  // namespace

const std::vector<Cause>& CausesInOutputs() {
  static const std::vector<Cause> causes = {
      {"zeros", Zeros},
      {"NaN or infinite", NotNumbers},
      {"one value", OneValue},
      {"other rounding", OtherRounding},
      {"sign flipped", SignFlipped},
      {"moved along a letter", AlongALetter},
      {"transposed", Transposed},
      {"column by column", WholeTensorTransposed},
      {"constant factor", ConstantFactor},
      {"another tie", AnotherTie},
  };
  return causes;
}

}  // namespace touchstone::lab
