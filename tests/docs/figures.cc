// figures --write FOLDER | --check FOLDER: the numbers behind the figures of the walkthrough, from
// the ops as they run.
//
//   visible_keys.tsv  which keys a query sees. The rule is not asked: all queries are zero, so that
//                     a visible key weighs as much as any other, and value j is 1 in element j and
//                     0 elsewhere, so that element j of the output is the weight of key j.
//   temperature.tsv   what the attention temperature makes of a query of 1, by position.
//   rope_bands.tsv    the wavelength of every pair of a head, in positions, for published scalings.
//
// --check computes again and compares every byte: these numbers are bits of the contract. Exit code
// 0: as committed; 1: not; 2: usage.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <numbers>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "reference/formats/tensor.h"
#include "reference/model/text_config.h"
#include "reference/ops/attention/attention.h"
#include "reference/ops/rope_frequencies/rope_frequencies.h"
#include "reference/ops/temperature/temperature.h"
#include "tests/committed_table.h"

namespace touchstone {
namespace {

// One line a query: o where it sees the key, a full stop where it does not.
std::string VisibleKeys(const std::string& layer, int64_t tokens, int64_t chunk) {
  Tensor q(Dtype::kF32, {tokens, 1, tokens}), keys(Dtype::kF32, {tokens, 1, tokens});
  Tensor values(Dtype::kF32, keys.shape), y(Dtype::kF32, q.shape);
  Tensor positions(Dtype::kI64, {tokens});
  for (int64_t j = 0; j < tokens; ++j) {
    positions.values<int64_t>()[j] = j;
    keys.values<float>()[j * tokens + j] = 1.0f;
    values.values<float>()[j * tokens + j] = 1.0f;
  }
  Attention<float>(
      std::as_const(q).As<float, 'T', 'H', 'D'>(), std::as_const(keys).As<float, 'S', 'G', 'D'>(),
      std::as_const(values).As<float, 'S', 'G', 'D'>(), std::as_const(positions).As<int64_t, 'T'>(),
      chunk, y.As<float, 'T', 'H', 'D'>());
  std::string text;
  for (int64_t t = 0; t < tokens; ++t) {
    const float* weights = y.values<float>() + t * tokens;
    int64_t seen = 0;
    std::string marks;
    for (int64_t j = 0; j < tokens; ++j) {
      seen += weights[j] != 0.0f;
      marks += weights[j] != 0.0f ? 'o' : '.';
    }
    for (int64_t j = 0; j < tokens; ++j) {
      if (weights[j] != 0.0f && weights[j] != 1.0f / static_cast<float>(seen)) {
        throw std::runtime_error(fmt::format("query {}, key {}: weight {}", t, j, weights[j]));
      }
    }
    text += fmt::format("{}\t{}\t{}\t{}\t{}\n", layer, chunk, t, seen, marks);
  }
  return text;
}

std::string VisibleKeysTable() {
  constexpr int64_t kTokens = 24, kChunk = 8;
  return "layer\tchunk\tquery\tkeys\tseen\n" + VisibleKeys("with RoPE", kTokens, kChunk) +
         VisibleKeys("without RoPE", kTokens, 0);
}

// Positions to show: the powers of ten, and both sides of the first 16 steps and of some later
// ones, up to the end of Scout's context.
std::set<int64_t> ShownPositions(int64_t floor_scale) {
  constexpr int64_t kLast = 10485759;
  std::set<int64_t> positions{0, kLast};
  for (int64_t position = 1; position <= kLast; position *= 10) positions.insert(position);
  for (int64_t step = 1; step * floor_scale - 1 <= kLast; step += step < 16 ? 1 : step / 16) {
    positions.insert(step * floor_scale - 2);
    positions.insert(step * floor_scale - 1);
  }
  return positions;
}

template <typename Storage>
std::vector<double> Temperatures(const TextConfig& config, const Tensor& positions) {
  const int64_t T = positions.count();
  Tensor q(kDtypeOf<Storage>, {T, 1, 1}), y(kDtypeOf<Storage>, q.shape);
  for (int64_t t = 0; t < T; ++t) q.SetReal(t, 1.0f);
  Temperature<Storage>(std::as_const(q).As<Storage, 'T', 'H', 'D'>(), positions.As<int64_t, 'T'>(),
                       static_cast<float>(config.floor_scale),
                       static_cast<float>(config.attn_scale), y.As<Storage, 'T', 'H', 'D'>());
  std::vector<double> temperatures;
  for (int64_t t = 0; t < T; ++t) temperatures.push_back(y.Real(t));
  return temperatures;
}

std::string TemperatureTable() {
  const TextConfig scout = Scout();
  const std::set<int64_t> shown = ShownPositions(static_cast<int64_t>(scout.floor_scale));
  Tensor positions(Dtype::kI64, {static_cast<int64_t>(shown.size())});
  std::copy(shown.begin(), shown.end(), positions.values<int64_t>());
  const std::vector<double> f32 = Temperatures<float>(scout, positions);
  const std::vector<double> bf16 = Temperatures<Bf16>(scout, positions);
  std::string text = "position\ttemperature\tbits\tq of 1 in bf16\n";
  size_t t = 0;
  for (const int64_t position : shown) {
    text += fmt::format("{}\t{:.9g}\t{:a}\t{:.9g}\n", position, f32[t], f32[t], bf16[t]);
    ++t;
  }
  return text;
}

// Wavelengths of all pairs, and what became of each: kept, between, divided.
struct Bands {
  std::vector<double> wavelengths;
  std::vector<std::string> bands;
};

std::vector<float> Frequencies(const TextConfig& config) {
  const TextRope& rope = config.rope;
  Tensor f(Dtype::kF32, {config.head_width / 2});
  RopeFrequencies(static_cast<float>(rope.theta),
                  {rope.llama3, static_cast<float>(rope.factor), static_cast<float>(rope.low),
                   static_cast<float>(rope.high), static_cast<float>(rope.original)},
                  f.As<float, 'J'>());
  return {f.values<float>(), f.values<float>() + f.count()};
}

Bands BandsOf(const TextConfig& config) {
  TextConfig plain = config;
  plain.rope.llama3 = false;
  const std::vector<float> scaled = Frequencies(config), unscaled = Frequencies(plain);
  Bands bands;
  for (size_t j = 0; j < scaled.size(); ++j) {
    bands.wavelengths.push_back(2.0 * std::numbers::pi / static_cast<double>(scaled[j]));
    const float divided = unscaled[j] / static_cast<float>(config.rope.factor);
    const bool kept = scaled[j] == unscaled[j];
    bands.bands.emplace_back(kept ? "kept" : scaled[j] == divided ? "divided" : "between");
  }
  return bands;
}

std::string BandsTable() {
  TextConfig first = Scout();
  first.rope.factor = 8.0;
  first.rope.high = 4.0;
  const Bands corrected = BandsOf(Scout()), published = BandsOf(first), plain = BandsOf(Maverick());
  std::string text =
      "pair\tMaverick\tScout as corrected\tband\tScout as first published\tits band\n";
  for (size_t j = 0; j < plain.wavelengths.size(); ++j) {
    text += fmt::format("{}\t{:.6g}\t{:.6g}\t{}\t{:.6g}\t{}\n", j, plain.wavelengths[j],
                        corrected.wavelengths[j], corrected.bands[j], published.wavelengths[j],
                        published.bands[j]);
  }
  return text;
}

int Main(const std::string& mode, const std::string& folder) {
  const std::map<std::string, std::string> tables{{"visible_keys.tsv", VisibleKeysTable()},
                                                  {"temperature.tsv", TemperatureTable()},
                                                  {"rope_bands.tsv", BandsTable()}};
  int faults = 0;
  for (const auto& [name, text] : tables) {
    faults += WriteOrCompare(mode, folder + "/" + name, text);
  }
  fmt::print("{} tables, {} faults\n", tables.size(), faults);
  return faults == 0 ? 0 : 1;
}

}  // namespace
}  // namespace touchstone

int main(int count, char** words) {
  const std::string mode = count == 3 ? words[1] : "";
  if (mode != "--write" && mode != "--check") {
    fmt::print(stderr, "usage: figures --write FOLDER | --check FOLDER\n");
    return 2;
  }
  try {
    return touchstone::Main(mode, words[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "figures: {}\n", error.what());
    return 1;
  }
}
