#include "fuzz/search/generator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <optional>

#include "fuzz/search/given_values.h"
#include "lab/input_class.h"
#include "reference/formats/require.h"

namespace touchstone::fuzz {
namespace {

using lab::Attributes;
using lab::Case;
using lab::Sizes;

// Lanes of vectors and warps, rows of registers, slices of 512 and their neighbours.
constexpr int64_t kEdges[] = {1,   1,   1,   2,   2,   3,   3,   4,    5,    6,   7,   8,
                              9,   15,  16,  17,  31,  32,  33,  63,   64,   65,  127, 128,
                              129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025};

// Product of the sizes that are not derived, as a measure of the work.
int64_t Cost(const lab::OpSpec& op, const Sizes& sizes) {
  int64_t cost = 1;
  for (const auto& [letter, unused] : op.sizes) {
    if (cost < int64_t{1} << 40) cost *= std::max<int64_t>(sizes.at(letter), 1);
  }
  return cost;
}

void KeepCost(const lab::OpSpec& op, int64_t most, Sizes* sizes) {
  while (Cost(op, *sizes) > most) {
    const auto largest =
        std::max_element(sizes->begin(), sizes->end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    largest->second /= 2;
  }
}

bool IsGeneral(const std::string& input_class) {
  const auto& names = lab::GeneralClassNames();
  return std::find(names.begin(), names.end(), input_class) != names.end();
}

// The letters that are 0, of those that are not derived.
std::string ZeroLetters(const Case& c) {
  std::string letters;
  for (const auto& [letter, size] : c.op->sizes) {
    if (c.sizes.at(letter) == 0) letters += letter;
  }
  return letters;
}

int64_t DrawSize(int64_t row_size, const std::vector<int64_t>& listed, Draws* draws) {
  switch (draws->Below(8)) {
    case 0:
      return draws->Of(listed);
    case 1:
      return std::max<int64_t>(row_size + draws->Between(-1, 1), 0);
    case 2:
      return draws->Between(1, 70);
    case 3:
      return std::max<int64_t>((int64_t{1} << draws->Below(11)) + draws->Between(-1, 1), 1);
    case 4:
      return 2 * draws->Below(40) + 1;
    default:
      return *(std::begin(kEdges) + draws->Below(std::ssize(kEdges)));
  }
}

}  // namespace

std::string Describe(const Trial& trial) {
  return trial.c.Name() + (trial.given ? " with given values" : "");
}

Generator::Generator(const lab::OpSpec& op, std::vector<Dtype> recipes)
    : op_(&op), recipes_(std::move(recipes)) {
  for (const Case& c : lab::CasesOf(op)) {
    if (c.recipe == op.recipes.front()) rows_.push_back(c);
  }
  TOUCHSTONE_REQUIRE(!rows_.empty() && !recipes_.empty());
  for (const Case& c : rows_) {
    if (std::find(classes_.begin(), classes_.end(), c.input_class) == classes_.end()) {
      classes_.push_back(c.input_class);
    }
    for (const auto& [letter, size] : op.sizes) {
      const int64_t here = c.sizes.at(letter);
      listed_[letter].push_back(here);
      unit_[letter] = std::gcd(unit_[letter], here);
    }
    for (const auto& [name, value] : c.attributes) listed_values_[name].push_back(value);
    const std::string zeros = ZeroLetters(c);
    if (!zeros.empty()) zeros_.emplace(IsGeneral(c.input_class) ? "" : c.input_class, zeros);
  }
  std::erase_if(listed_values_, [](const auto& item) {
    return std::set<double>(item.second.begin(), item.second.end()).size() < 2;
  });
  FindRelations();
}

void Generator::FindRelations() {
  for (const auto& [a, default_a] : op_->sizes) {
    for (const auto& [b, default_b] : op_->sizes) {
      if (a == b) continue;
      const auto in_all_rows = [&, x = a, y = b](const auto& holds) {
        return std::all_of(rows_.begin(), rows_.end(), [&](const Case& c) {
          return c.size(x) == 0 || c.size(y) == 0 || holds(c.size(x), c.size(y));
        });
      };
      if (in_all_rows([](int64_t x, int64_t y) { return x % y == 0; })) {
        multiples_.emplace_back(a, b);
      } else if (in_all_rows([](int64_t x, int64_t y) { return x <= y; })) {
        at_most_.emplace_back(a, b);
      }
      for (const auto& [name, values] : listed_values_) {
        const bool fits =
            std::all_of(rows_.begin(), rows_.end(), [&, which = name, x = a, y = b](const Case& c) {
              const double value = c.attribute(which);
              return value == std::floor(value) && 0.0 <= value &&
                     value + static_cast<double>(c.size(x)) <= static_cast<double>(c.size(y));
            });
        if (fits) rooms_.push_back({name, a, b});
      }
    }
  }
}

bool Generator::ZerosAreListed(const Case& c) const {
  const std::string zeros = ZeroLetters(c);
  if (zeros.empty()) return true;
  return zeros_.contains({c.input_class, zeros}) ||
         (IsGeneral(c.input_class) && zeros_.contains({"", zeros}));
}

void Generator::KeepRelations(Draws* draws, Case* c) const {
  for (const auto& [letter, unit] : unit_) {
    int64_t& size = c->sizes.at(letter);
    if (unit > 1 && size > 0) size = std::max<int64_t>(size / unit, 1) * unit;
  }
  for (const auto& [a, b] : at_most_) c->sizes.at(a) = std::min(c->size(a), c->size(b));
  for (const auto& [a, b] : multiples_) {
    int64_t& size = c->sizes.at(a);
    const int64_t unit = c->size(b);
    if (unit > 0 && size > 0) size = std::max<int64_t>(size / unit, 1) * unit;
  }
  for (const Room& room : rooms_) {
    const int64_t most = std::max<int64_t>(c->size(room.all) - c->size(room.taken), 0);
    double& value = c->attributes.at(room.attribute);
    if (value > static_cast<double>(most)) value = static_cast<double>(draws->Between(0, most));
  }
}

Sizes Generator::DrawSizes(const Sizes& row, Draws* draws) const {
  Sizes sizes;
  for (const auto& [letter, size] : op_->sizes) {
    const int64_t listed = row.at(letter);
    sizes[letter] = draws->Once(3) ? listed : DrawSize(listed, listed_.at(letter), draws);
  }
  // Mostly small: many cases find more than large ones. One in 128 may be large.
  const int64_t most = draws->Once(128) ? 15 : draws->Between(3, 9);
  KeepCost(*op_, int64_t{1} << (most + std::ssize(sizes) - 1), &sizes);
  return sizes;
}

void Generator::DrawAttributes(Attributes* attributes, Draws* draws) const {
  for (const auto& [name, values] : listed_values_) {
    double& value = attributes->at(name);
    const int64_t way = draws->Below(6);
    if (way < 2) value = draws->Of(values);
    if (way > 2) continue;
    // A neighbour, between the least and the largest that the list has.
    const bool whole = value == std::floor(value) && std::fabs(value) < 0x1p53;
    const double next = whole ? value + static_cast<double>(draws->Between(-1, 1))
                              : std::ldexp(value, static_cast<int>(draws->Between(-1, 1)));
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    if (*least <= next && next <= *most) value = next;
  }
}

Trial Generator::OfClass(Case c, lab::Poison poison) {
  if (c.op->derive) c.op->derive(&c.sizes);
  Trial trial{.c = c, .tensors = lab::MakeTensors(c), .patterns = {"class"}, .poison = poison};
  return trial;
}

Trial Generator::Make(uint64_t seed, uint64_t index, uint32_t attempt) const {
  Draws draws(seed, index, attempt);
  const Case& row = draws.Of(rows_);
  Case c = row;
  c.recipe = draws.Of(recipes_);
  c.hashed = false;
  if (!draws.Once(3)) c.input_class = draws.Of(classes_);
  c.seed = draws.Word();
  // The last attempts keep the sizes of the list, which are valid.
  const bool as_listed = attempt + 4 >= kAttempts;
  if (as_listed) {
    c.input_class = row.input_class;
    if (Cost(*op_, c.sizes) > int64_t{1} << 20) throw ContractViolation("too large for a trial");
  } else {
    for (const auto& [letter, size] : DrawSizes(row.sizes, &draws)) c.sizes.at(letter) = size;
    DrawAttributes(&c.attributes, &draws);
    if (attempt > 0) KeepRelations(&draws, &c);
  }
  if (!ZerosAreListed(c)) throw ContractViolation("a size of 0 that the op's list does not have");

  Trial trial = OfClass(c, index % 2 == 0 ? lab::Poison::kNan : lab::Poison::kFinite);
  if (draws.Once(2)) GiveValues(&draws, &trial);
  return trial;
}

}  // namespace touchstone::fuzz
