#include "reference/model/forward.h"

#include <algorithm>

#include "reference/model/decoder.h"

namespace touchstone {
namespace {

// Logits of so many tokens are held at once.
constexpr int64_t kLogitTokens = 64;

// Tokens [first, first + count) of a sequence that one call computes.
struct Segment {
  int64_t first = 0, count = 0;
  Tensor table;  // their rotary table
};

std::vector<Segment> SegmentsOf(int64_t tokens, int64_t prefill) {
  const int64_t together = prefill == 0 ? tokens : std::min(prefill, tokens);
  std::vector<Segment> segments;
  segments.push_back({0, together, {}});
  for (int64_t t = together; t < tokens; ++t) segments.push_back({t, 1, {}});
  return segments;
}

// Rows [first, first + count) along the first axis.
Tensor Rows(const Tensor& x, int64_t first, int64_t count) {
  std::vector<int64_t> shape = x.shape;
  shape[0] = count;
  Tensor y(x.dtype, shape);
  if (count > 0) {
    const std::ptrdiff_t bytes = static_cast<std::ptrdiff_t>(y.data.size()) / count;
    std::copy_n(x.data.begin() + first * bytes, count * bytes, y.data.begin());
  }
  return y;
}

void SetRows(const Tensor& rows, int64_t first, Tensor* x) {
  const std::ptrdiff_t bytes = static_cast<std::ptrdiff_t>(rows.data.size()) / rows.shape.at(0);
  std::copy(rows.data.begin(), rows.data.end(), x->data.begin() + first * bytes);
}

}  // namespace

void Forward(const TextConfig& config, TextWeights* weights,
             const std::vector<std::vector<int64_t>>& sequences, const ForwardChoice& choice,
             const RowSink& sink) {
  const Decoder decoder(config, weights, choice.threads, choice.backend);
  const auto show = [&sink](int64_t sequence, int64_t first) -> Observer {
    if (!sink) return {};
    return [&sink, sequence, first](const std::string& path, const Tensor& rows) {
      sink(path, sequence, first, rows);
    };
  };
  const bool any_rope = std::any_of(config.layers.begin(), config.layers.end(),
                                    [](const TextLayer& layer) { return layer.has_rope; });

  std::vector<Tensor> stream;
  std::vector<std::vector<Segment>> segments;
  for (const std::vector<int64_t>& ids : sequences) {
    TOUCHSTONE_REQUIRE(!ids.empty() && choice.prefill >= 0);
    const auto b = static_cast<int64_t>(stream.size());
    stream.push_back(decoder.Embed(ids, show(b, 0)));
    segments.push_back(SegmentsOf(static_cast<int64_t>(ids.size()), choice.prefill));
    for (Segment& s : segments.back()) {
      s.table = decoder.RotaryTable(s.first, s.count, any_rope ? show(b, s.first) : Observer{});
    }
  }

  const auto layers = static_cast<int64_t>(config.layers.size());
  for (int64_t layer = 0; layer < layers; ++layer) {
    if (choice.progress) choice.progress(layer);
    for (size_t b = 0; b < sequences.size(); ++b) {
      KvCache cache(config, weights->storage(), stream[b].shape[0]);
      for (const Segment& s : segments[b]) {
        const Tensor h = Rows(stream[b], s.first, s.count);
        SetRows(decoder.RunLayer(layer, h, s.table, &cache, show(static_cast<int64_t>(b), s.first)),
                s.first, &stream[b]);
      }
    }
  }

  if (choice.progress) choice.progress(layers);
  for (size_t b = 0; b < sequences.size(); ++b) {
    const int64_t tokens = stream[b].shape[0];
    for (int64_t t = 0; t < tokens; t += kLogitTokens) {
      decoder.RunLogits(Rows(stream[b], t, std::min(kLogitTokens, tokens - t)),
                        show(static_cast<int64_t>(b), t));
    }
  }
}

std::map<std::string, Tensor> WholeActivations(const TextConfig& config, TextWeights* weights,
                                               const std::vector<std::vector<int64_t>>& sequences,
                                               const ForwardChoice& choice) {
  const auto batch = static_cast<int64_t>(sequences.size());
  int64_t tokens = 0;
  for (const auto& ids : sequences) tokens = std::max(tokens, static_cast<int64_t>(ids.size()));
  std::map<std::string, Tensor> activations;
  Forward(config, weights, sequences, choice,
          [&](const std::string& path, int64_t sequence, int64_t first, const Tensor& rows) {
            std::vector<int64_t> shape{batch, tokens};
            shape.insert(shape.end(), rows.shape.begin() + 1, rows.shape.end());
            Tensor& whole = activations.try_emplace(path, rows.dtype, shape).first->second;
            const auto row = static_cast<std::ptrdiff_t>(rows.data.size()) / rows.shape.at(0);
            std::copy(rows.data.begin(), rows.data.end(),
                      whole.data.begin() + (sequence * tokens + first) * row);
          });
  return activations;
}

}  // namespace touchstone
