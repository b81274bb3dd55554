// The attention half of a layer.
#include <algorithm>
#include <cmath>

#include "lab/agree/model_graph.h"
#include "reference/formats/require.h"

namespace touchstone::lab {
namespace {

using exact::Enclosure;
using exact::Exactly;
using exact::Matrix;

Enclosure Scaled(const Enclosure& x, double factor) {
  return exact::Multiply(x, Exactly(Matrix::Constant(1, 1, factor)));
}

// Columns of a row in another order: column j of the result is column source(j) of x.
template <typename Source>
Enclosure Columns(const Enclosure& x, Source source) {
  return exact::Gather(x, x.rows(), x.cols(),
                       [&](int64_t i, int64_t j) { return i * x.cols() + source(j); });
}

Enclosure Rows(const Enclosure& x, int64_t first, int64_t count) {
  return {x.value.middleRows(first, count), x.lower.middleRows(first, count),
          x.upper.middleRows(first, count), x.undecidable.middleRows(first, count)};
}

}  // namespace

Derived ModelGraph::Projection(int64_t layer, const std::string& path) {
  const Derived& x = Known(At(layer, "attention_norm"));
  const LayerWeights& weights = WeightsOf(layer);
  In in = Operands(layer);
  in.reals["x"] = x.real;
  in.reals["weight"] = Exactly(path.ends_with("/q")   ? weights.q
                               : path.ends_with("/k") ? weights.k
                                                      : weights.v);
  return Joined({&x}, path, "linear", InRowsOf(config_.head_width, Apply("linear", in)));
}

// Layers without RoPE pass on what they are given, here and below.
Derived ModelGraph::Rotated(int64_t layer, const std::string& path) {
  const bool is_query = path.ends_with("/q_rope");
  const bool norm_first = options_.fault == Fault::kQkNormBeforeRope && HasQkNorm(config_, layer);
  const Derived& projected = Known(At(layer, is_query ? "attention/q" : "attention/k"));
  if (!config_.layers[static_cast<size_t>(layer)].has_rope) return projected;
  const Derived& table = Known("rope_table");
  const int64_t D = config_.head_width;
  In in = Operands(layer);
  in.sizes['H'] = is_query ? config_.heads : config_.kv_heads;
  in.reals["x"] = projected.real;
  if (norm_first) in.reals["x"] = Apply("qk_norm", in);
  in.reals["table"] = InRowsOf(2, table.real);
  if (options_.fault == Fault::kRopeOtherDirection) {
    Matrix sign(1, 2);
    sign << 1.0, -1.0;
    in.reals["table"] = exact::Multiply(in.reals["table"], Exactly(sign), 0.0);
  }
  if (options_.fault != Fault::kRopeHalfSplit) {
    return Joined({&projected, &table}, path, "rope", Apply("rope", in));
  }
  // Pairs (j, j + D/2): those columns side by side, rotated, and back.
  in.reals["x"] = Columns(in.reals["x"], [D](int64_t j) { return j / 2 + j % 2 * (D / 2); });
  const Enclosure turned = Apply("rope", in);
  return Joined({&projected, &table}, path, "rope",
                Columns(turned, [D](int64_t j) { return j % (D / 2) * 2 + j / (D / 2); }));
}

Derived ModelGraph::QkNormed(int64_t layer, const std::string& path) {
  const bool is_query = path.ends_with("/q_norm");
  const Derived& x = Known(At(layer, is_query ? "attention/q_rope" : "attention/k_rope"));
  const bool missing =
      options_.fault == Fault::kQkNormMissing || options_.fault == Fault::kQkNormBeforeRope;
  if (!HasQkNorm(config_, layer) || missing) return x;
  In in = Operands(layer);
  const int64_t heads = is_query ? config_.heads : config_.kv_heads, D = config_.head_width;
  if (options_.fault == Fault::kQkNormEpsilon) in.attributes["eps"] = 1e-6;
  in.reals["x"] =
      options_.fault == Fault::kQkNormOverAllHeads ? InRowsOf(heads * D, x.real) : x.real;
  if (options_.fault == Fault::kQkNormIsL2) in.attributes["eps"] /= static_cast<double>(D);
  Enclosure y = Apply("qk_norm", in);
  if (options_.fault == Fault::kQkNormIsL2) y = Scaled(y, 1.0 / std::sqrt(static_cast<double>(D)));
  return Joined({&x}, path, "qk_norm", InRowsOf(D, y));
}

Derived ModelGraph::Heated(int64_t layer, const std::string& path) {
  const Derived& q = Known(At(layer, "attention/q_norm"));
  const bool also_here =
      options_.fault == Fault::kTemperatureOnRopeLayers && config_.attn_temperature_tuning;
  if (!HasTemperature(config_, layer) && !also_here) return q;
  In in = Operands(layer);
  in.reals["q"] = q.real;
  // Where the query is kept in binary32, the product is the last operation.
  in.storage = RoundingsOf(layer).attention_storage;
  if (const std::optional<Tensor> tensor = recorded_(path)) in.storage = tensor->dtype;
  if (!FaultyTemperature(options_.fault, 0, config_)) {
    return Joined({&q}, path, "temperature", Apply("temperature", in));
  }
  Matrix factor(q.real.rows(), 1);
  for (int64_t i = 0; i < factor.rows(); ++i) {
    factor(i, 0) = *FaultyTemperature(options_.fault, i / config_.heads, config_);
  }
  const Enclosure wrong = exact::Within(factor, 8.0 * exact::kUnit * factor);
  return Joined({&q}, path, "temperature",
                exact::Multiply(q.real, wrong, exact::LastOperation(in.storage)));
}

// Attention where the keys that a query sees are not those of the op: each token by itself, over
// the keys that it sees.
Enclosure ModelGraph::SeenOneByOne(const In& all, int64_t chunk) const {
  const int64_t H = config_.heads, G = config_.kv_heads;
  Enclosure y = Exactly(Matrix::Zero(tokens() * H, config_.head_width));
  for (int64_t t = 0; t < tokens(); ++t) {
    const VisibleKeys seen = KeysSeen(options_.fault, t, chunk, tokens(), options_.prefill);
    In in = all;
    in.attributes["chunk"] = 0.0;
    in.reals["q"] = Rows(all.real("q"), t * H, H);
    in.reals["keys"] = Rows(all.real("keys"), seen.first * G, (seen.end - seen.first) * G);
    in.reals["values"] = Rows(all.real("values"), seen.first * G, (seen.end - seen.first) * G);
    in.sizes['T'] = 1;
    in.sizes['S'] = seen.end - seen.first;
    in.integers["positions"] = {seen.end - seen.first - 1};
    const Enclosure one = Apply("attention", in);
    y.value.middleRows(t * H, H) = one.value;
    y.lower.middleRows(t * H, H) = one.lower;
    y.upper.middleRows(t * H, H) = one.upper;
    y.undecidable.middleRows(t * H, H) = one.undecidable;
  }
  return y;
}

Derived ModelGraph::Heads(int64_t layer, const std::string& path) {
  const Derived& q = Known(At(layer, "attention/q_temperature"));
  const Derived& k = Known(At(layer, "attention/k_norm"));
  const Derived& v = Known(At(layer, "attention/v"));
  const int64_t chunk = ChunkOf(config_, layer), D = config_.head_width;
  const int64_t H = config_.heads, share = config_.heads / config_.kv_heads;
  In in = Operands(layer);
  in.storage = RoundingsOf(layer).attention_storage;
  in.fast_exponential = RoundingsOf(layer).fast_exponential;
  in.attributes["chunk"] = static_cast<double>(chunk);
  in.reals["q"] = InRowsOf(D, q.real);
  in.reals["keys"] = InRowsOf(D, k.real);
  in.reals["values"] = InRowsOf(D, v.real);
  if (options_.fault == Fault::kScaleOneOverD) {
    in.reals["q"] = Scaled(in.reals["q"], 1.0 / std::sqrt(static_cast<double>(D)));
  } else if (options_.fault == Fault::kScaleInBf16) {
    const double scale = 1.0 / std::sqrt(static_cast<double>(D));
    in.reals["q"] = Scaled(in.reals["q"], exact::RoundReal(scale, Dtype::kBf16) /
                                              exact::RoundReal(scale, Dtype::kF32));
  }
  // Head h of the wrong model reads h % G: it stands where the op reads that.
  const auto heads_by = [&](const Enclosure& x, auto source) {
    return exact::Gather(x, x.rows(), x.cols(), [&](int64_t i, int64_t j) {
      return (i / H * H + source(i % H)) * x.cols() + j;
    });
  };
  const bool modulo = options_.fault == Fault::kHeadsModuloGroups;
  const int64_t G = config_.kv_heads;
  if (modulo) {
    in.reals["q"] = heads_by(in.reals["q"], [=](int64_t h) { return h % share * G + h / share; });
  }
  Enclosure y =
      ChangesVisibility(options_.fault) ? SeenOneByOne(in, chunk) : Apply("attention", in);
  if (modulo) y = heads_by(y, [=](int64_t h) { return h % G * share + h / G; });
  return Joined({&q, &k, &v}, path, chunk > 0 ? "attention chunked" : "attention global",
                std::move(y));
}

Derived ModelGraph::AttentionOutput(int64_t layer, const std::string& path) {
  const Derived& heads = Known(At(layer, "attention/heads"));
  In in = Operands(layer);
  in.reals["x"] = InRowsOf(QueryWidth(config_), heads.real);
  in.reals["weight"] = Exactly(WeightsOf(layer).o);
  return Joined({&heads}, path, "linear", Apply("linear", in));
}

Derived ModelGraph::AttentionResidual(int64_t layer, const std::string& path) {
  const Derived& h = options_.fault == Fault::kResidualFromNorm ? Known(At(layer, "attention_norm"))
                                                                : Stream(layer);
  if (options_.fault == Fault::kAttentionNotAdded) return h;
  const Derived& output = Known(At(layer, "attention/output"));
  In in = Operands(layer);
  in.reals["a"] = h.real;
  in.reals["b"] = output.real;
  return Joined({&h, &output}, path, "residual_add", Apply("residual_add", in));
}

}  // namespace touchstone::lab
