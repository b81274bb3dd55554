#include "tests/outside/agreement.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <tuple>

#include "tests/outside/recording.h"
#include "tests/outside/rounded_attention.h"

namespace touchstone::outside {
namespace {

using exact::Enclosure;
using exact::Exactly;
using exact::RoundReal;
using In = exact::Operands<Enclosure>;
using Out = exact::Results<Enclosure>;

// ---- comparison ---------------------------------------------------------------------------------

// Half the distance from |x| to the next larger value of the format.
double HalfSpacing(double x, Dtype dtype) {
  const int exponent = x == 0.0 ? -126 : std::max(std::ilogb(x), -126);
  return std::ldexp(1.0, exponent - (dtype == Dtype::kF32 ? 24 : 8));
}

void Compare(const Enclosure& expected, const Tensor& recorded, const std::string& name,
             Finding* finding) {
  TOUCHSTONE_REQUIRE(expected.value.size() == recorded.count());
  for (int64_t i = 0; i < recorded.count(); ++i) {
    if (expected.undecidable.data()[i]) {
      ++finding->undecidable;
      continue;
    }
    const double got = recorded.Real(i), value = expected.value.data()[i];
    const double lower = RoundReal(expected.lower.data()[i], recorded.dtype);
    const double upper = RoundReal(expected.upper.data()[i], recorded.dtype);
    const bool accepted = lower <= got && got <= upper;
    const double bound =
        got > value ? expected.upper.data()[i] - value : value - expected.lower.data()[i];
    const double ratio =
        got == value ? 0.0 : std::fabs(got - value) / (bound + HalfSpacing(got, recorded.dtype));
    ++finding->elements;
    finding->decided += lower == upper ? 1 : 0;
    finding->outside += accepted ? 0 : 1;
    finding->largest_ratio = std::max(finding->largest_ratio, std::isnan(ratio) ? INFINITY : ratio);
    if (!accepted && finding->first_outside.empty()) {
      char text[200];
      std::snprintf(text, sizeof text, ", element %lld: %.9g, accepted %.9g to %.9g",
                    static_cast<long long>(i), got, lower, upper);
      finding->first_outside = name + text;
    }
  }
}

// ---- ops ----------------------------------------------------------------------------------------

// Elements in rows of `cols`.
Enclosure InRowsOf(int64_t cols, const Enclosure& x) {
  const int64_t size = x.rows() * x.cols();
  return exact::Gather(x, size / cols, cols, [cols](int64_t i, int64_t j) { return i * cols + j; });
}

Out Enclose(const std::string& op, const In& in) {
  Out out;
  exact::FindSecondReference(op).enclose(in, &out);
  return out;
}

// (E, rows, cols) of which cols [first, first + count) are wanted, as (E count, rows): a weight
// that is stored (E, C, F), in rows of its inputs.
Enclosure Transposed(const Tensor& weight, int64_t first, int64_t count) {
  const int64_t rows = weight.shape.at(1), cols = weight.shape.at(2);
  return exact::Gather(
      Exactly(weight), weight.shape.at(0) * count, rows,
      [=](int64_t i, int64_t j) { return (i / count * rows + j) * cols + first + i % count; });
}

class Judge {
 public:
  Judge(const Recording& run, std::vector<Finding>* findings) : run_(run), findings_(findings) {}

  void Run() {
    if (run_.Has("model.embed_tokens")) Embedding();
    if (run_.Has("model.rotary_emb")) {
      Compare("rope_frequencies+rope_table", RotaryTable(), "model.rotary_emb");
    }
    for (int64_t layer = 0; layer < run_.config().layers; ++layer) Layer(layer);
    if (run_.Has("model.norm")) Last();
  }

 private:
  // -- what the run recorded
  Enclosure Rows(const std::string& name) const { return Exactly(run_.Rows(name)); }
  Enclosure Weight(const std::string& name) const { return Exactly(run_.Weight(name + ".weight")); }
  std::string Decode(const std::string& op) const {
    return op + (run_.is_decode() ? " decode" : "");
  }

  void Compare(const std::string& op, const Enclosure& expected, const std::string& name,
               const std::string& profile = "contract") {
    Compare(op, expected, run_.Rows(name), name, profile);
  }
  void Compare(const std::string& op, const Enclosure& expected, const Tensor& recorded,
               const std::string& name, const std::string& profile) {
    outside::Compare(expected, recorded, run_.where() + "/" + name, Find(op, profile));
  }
  Finding* Find(const std::string& op, const std::string& profile) {
    for (Finding& finding : *findings_) {
      if (std::tie(finding.op, finding.implementation, finding.profile) ==
              std::tie(op, run_.implementation(), profile) &&
          finding.recipe == Name(run_.recipe())) {
        return &finding;
      }
    }
    findings_->push_back({op, run_.implementation(), std::string(Name(run_.recipe())), profile});
    return &findings_->back();
  }

  // -- operands
  In Operands(std::map<std::string, Enclosure> reals) const {
    In in;
    in.reals = std::move(reals);
    in.storage = in.output = run_.recipe();
    const TextConfig& config = run_.config();
    in.attributes = {{"eps", config.eps},
                     {"floor_scale", config.floor_scale},
                     {"attn_scale", config.attn_scale},
                     {"rope_theta", config.theta},
                     {"llama3", config.scaled_rope ? 1.0 : 0.0},
                     {"factor", config.factor},
                     {"low_freq_factor", config.low},
                     {"high_freq_factor", config.high},
                     {"original_max_position_embeddings", config.original}};
    in.sizes = {{'T', static_cast<int64_t>(run_.rows().size())},
                {'G', config.key_heads},
                {'D', config.head_width},
                {'J', config.head_width / 2},
                {'A', config.experts_a_token},
                {'E', config.experts}};
    in.integers["positions"] = run_.rows();
    return in;
  }
  Enclosure Apply(const std::string& op, std::map<std::string, Enclosure> reals) const {
    return Enclose(op, Operands(std::move(reals))).reals.at("y");
  }
  Enclosure Linear(const Enclosure& x, const std::string& weight) const {
    return Apply("linear", {{"x", x}, {"weight", Weight(weight)}});
  }
  // An op's result as the next op of a chain reads it: rounded to the recipe's storage.
  Enclosure Stored(Enclosure x) const {
    const auto round = [this](double v) { return RoundReal(v, run_.recipe()); };
    x.lower = x.lower.unaryExpr(round);
    x.upper = x.upper.unaryExpr(round);
    return x;
  }

  // -- the model
  void Embedding() {
    In in = Operands({{"table", Weight("model.embed_tokens")}});
    in.integers["ids"] = run_.ids_of_rows();
    Compare("embedding", Enclose("embedding", in).reals.at("h"), "model.embed_tokens");
  }

  Enclosure RotaryTable() const {
    In in = Operands({});
    in.reals["f"] = Stored32(Enclose("rope_frequencies", in).reals.at("f"));
    return Enclose("rope_table", in).reals.at("table");
  }
  // Frequencies and tables are binary32 in every recipe.
  static Enclosure Stored32(Enclosure x) {
    const auto round = [](double v) { return RoundReal(v, Dtype::kF32); };
    x.lower = x.lower.unaryExpr(round);
    x.upper = x.upper.unaryExpr(round);
    return x;
  }

  void Layer(int64_t layer) {
    const std::string p = "model.layers." + std::to_string(layer);
    const std::string before =
        layer == 0 ? "model.embed_tokens" : "model.layers." + std::to_string(layer - 1);
    const std::string attn = p + ".self_attn", ff = p + ".feed_forward";
    if (run_.Has(p + ".input_layernorm")) {
      Norm(Rows(before), p + ".input_layernorm");
      for (const char* projection : {".q_proj", ".k_proj", ".v_proj"}) {
        Compare("linear", Linear(Rows(p + ".input_layernorm"), attn + projection),
                attn + projection);
      }
    }
    if (run_.Has(attn + ".o_proj.in")) Attention(layer, attn);
    std::optional<Enclosure> after;  // attention, in the stream: nobody recorded it
    if (run_.Has(attn + ".o_proj")) {
      Compare("linear", Linear(Rows(attn + ".o_proj.in"), attn + ".o_proj"), attn + ".o_proj");
      after = Stored(Add(Rows(before), Rows(attn + ".o_proj")));
      Compare("residual_add+rmsnorm", RmsNorm(*after, p + ".post_attention_layernorm"),
              p + ".post_attention_layernorm");
    }
    if (run_.Has(ff + ".router.scores")) Router(ff);
    if (run_.Has(ff + ".experts.sum")) Mixture(ff, Rows(p + ".post_attention_layernorm"));
    if (run_.Has(ff + ".down_proj")) Dense(ff, Rows(p + ".post_attention_layernorm"));
    if (after) {
      const std::string f = run_.config().IsMixture(layer) ? ff : ff + ".down_proj";
      Compare("residual_add+residual_add", Add(*after, Rows(f)), p);
    }
  }

  Enclosure Add(const Enclosure& a, const Enclosure& b) const {
    return Apply("residual_add", {{"a", a}, {"b", b}});
  }
  Enclosure RmsNorm(const Enclosure& x, const std::string& name) const {
    return Apply("rmsnorm", {{"x", x}, {"weight", InRowsOf(x.cols(), Weight(name))}});
  }
  void Norm(const Enclosure& x, const std::string& name) {
    Compare("rmsnorm", RmsNorm(x, name), name);
  }

  // The keys of all tokens as attention reads them.
  std::string KeysName(int64_t layer, const std::string& attn) const {
    if (!run_.config().HasRope(layer)) return attn + ".k_proj";
    return run_.config().qk_norm ? attn + ".qk_norm.k" : RopeName(layer, 'k');
  }
  // Rotated queries and keys are numbered by the layers that have RoPE.
  std::string RopeName(int64_t layer, char x) const {
    const auto& has_rope = run_.config().has_rope;
    const auto n = std::count(has_rope.begin(), has_rope.begin() + layer, true);
    return "rope.t." + std::to_string(n) + "." + x;
  }

  void Rope(int64_t layer, const std::string& attn) {
    // Meta's table was not recorded: the chain starts at the configuration.
    const bool recorded = run_.Has("model.rotary_emb");
    const Enclosure table =
        recorded ? InRowsOf(2, Rows("model.rotary_emb")) : Stored32(RotaryTable());
    for (const char x : {'q', 'k'}) {
      const std::string projection = attn + (x == 'q' ? ".q_proj" : ".k_proj");
      In in =
          Operands({{"x", InRowsOf(run_.config().head_width, Rows(projection))}, {"table", table}});
      in.sizes['H'] = x == 'q' ? run_.config().heads : run_.config().key_heads;
      Compare(recorded ? "rope" : "rope_frequencies+rope_table+rope",
              Enclose("rope", in).reals.at("y"), RopeName(layer, x));
      if (!run_.config().qk_norm) continue;
      const std::string normed = attn + (x == 'q' ? ".qk_norm.q" : ".qk_norm.k");
      const Enclosure head = InRowsOf(run_.config().head_width, Rows(RopeName(layer, x)));
      Compare("qk_norm", Apply("qk_norm", {{"x", head}}), normed);
    }
  }

  void Attention(int64_t layer, const std::string& attn) {
    const TextConfig& config = run_.config();
    const bool has_rope = config.HasRope(layer);
    if (has_rope) Rope(layer, attn);
    const int64_t D = config.head_width, chunk = config.Chunk(layer);
    In in = Operands({{"keys", InRowsOf(D, Exactly(run_.Read(KeysName(layer, attn))))},
                      {"values", InRowsOf(D, Exactly(run_.Read(attn + ".v_proj")))}});
    in.sizes['H'] = config.heads;
    in.sizes['S'] = run_.tokens();
    in.attributes["chunk"] = static_cast<double>(chunk);
    bool promoted = false;  // to binary32
    std::string op = Decode(chunk > 0 ? "attention chunked" : "attention global");
    if (has_rope) {
      in.reals["q"] =
          InRowsOf(D, Rows(config.qk_norm ? attn + ".qk_norm.q" : RopeName(layer, 'q')));
    } else if (run_.Has(attn + ".q_final")) {
      const Tensor q = run_.Rows(attn + ".q_final");
      promoted = q.dtype == Dtype::kF32;
      in.reals["q"] = InRowsOf(D, Exactly(q));
      Temperature(attn);
    } else if (config.temperature) {
      in.reals["q"] = Stored(Heated(attn, run_.recipe()));
      op = "temperature+" + op;
    } else {
      in.reals["q"] = InRowsOf(D, Rows(attn + ".q_proj"));
    }
    AttentionUnderItsProfile(op, in, promoted, attn + ".o_proj.in");
  }

  Enclosure Heated(const std::string& attn, Dtype storage) const {
    In in = Operands({{"q", InRowsOf(run_.config().head_width, Rows(attn + ".q_proj"))}});
    in.sizes['H'] = run_.config().heads;
    in.storage = storage;
    return Enclose("temperature", in).reals.at("y");
  }
  // Meta's temperature is binary32, and so is its product with a bf16 query: no rounding to bf16.
  void Temperature(const std::string& attn) {
    const bool promoted = run_.recipe() != Dtype::kF32;
    Compare("temperature", Heated(attn, Dtype::kF32), attn + ".q_final",
            promoted ? "query kept in f32" : "contract");
  }

  void AttentionUnderItsProfile(const std::string& op, const In& in, bool promoted,
                                const std::string& name) {
    const bool is_meta = run_.implementation() == "meta";
    const bool bf16_inside = run_.recipe() == Dtype::kBf16 && !(is_meta && promoted);
    if (!bf16_inside) {
      Compare(op, Enclose("attention", in).reals.at("y"), name);
      return;
    }
    const AttentionProfile& profile = is_meta ? FusedAttention() : EagerAttention();
    Compare(op, RoundedAttention(profile, in), name, profile.name);
  }

  void Router(const std::string& ff) {
    // Every recorded row: ties are rare.
    const Tensor logits = run_.Read(ff + ".router.logits");
    const Tensor scores = run_.Read(ff + ".router.scores");
    const std::string norm = ff.substr(0, ff.rfind('.')) + ".post_attention_layernorm";
    if (run_.Has(norm)) {
      Compare("linear", Linear(Rows(norm), ff + ".router"), ff + ".router.logits");
    }
    const Out out = Enclose("router", Operands({{"logits", Exactly(logits)}}));
    const auto& chosen = out.choices.at("chosen");
    const int64_t T = logits.shape.at(0), E = logits.shape.at(1);
    TOUCHSTONE_REQUIRE(run_.config().experts_a_token == 1);
    Finding* finding = Find("router", "contract");
    Tensor taken(scores.dtype, {T, 1});
    for (int64_t t = 0; t < T; ++t) {
      const auto& accepted = chosen.at(static_cast<size_t>(t));
      const int64_t expert = Taken(scores, t);
      const bool agrees = std::count(accepted.begin(), accepted.end(), expert) == 1;
      ++finding->elements;
      finding->decided += accepted.size() == 1 ? 1 : 0;
      finding->ties += accepted.size() > 1 ? 1 : 0;
      finding->outside += agrees ? 0 : 1;
      if (!agrees && finding->first_outside.empty()) {
        finding->first_outside = run_.where() + "/" + ff + ": expert of row " + std::to_string(t);
      }
      taken.SetReal(t, expert < 0 ? NAN : static_cast<float>(scores.Real(t * E + expert)));
    }
    Compare("router", out.reals.at("scores"), taken, ff + ".router.scores", "contract");
  }

  // The one expert whose score is not +0; -1 where there is none, or another one.
  static int64_t Taken(const Tensor& scores, int64_t row) {
    const int64_t E = scores.shape.at(1);
    int64_t taken = -1;
    for (int64_t e = 0; e < E; ++e) {
      if (scores.Real(row * E + e) == 0.0) continue;
      if (taken >= 0) return -1;
      taken = e;
    }
    return taken;
  }

  void Mixture(const std::string& ff, const Enclosure& x) {
    // The file has the weights of these experts, ascending, which keeps the order of the rows.
    const Tensor stored = run_.Weight(ff + ".experts.stored");
    const int64_t* const first = stored.values<int64_t>();
    const int64_t* const last = first + stored.count();
    const Tensor scores = run_.Rows(ff + ".router.scores");
    In in = Operands({{"x", x}});
    Tensor taken(scores.dtype, {scores.shape.at(0), 1});
    for (int64_t t = 0; t < scores.shape.at(0); ++t) {
      const int64_t expert = Taken(scores, t);
      TOUCHSTONE_REQUIRE(std::binary_search(first, last, expert));
      in.integers["chosen"].push_back(std::lower_bound(first, last, expert) - first);
      taken.SetReal(t, static_cast<float>(scores.Real(t * scores.shape.at(1) + expert)));
    }
    in.reals["scores"] = Exactly(taken);
    in.sizes['E'] = stored.count();
    const Out dispatched = Enclose("dispatch", in);
    for (const char* name : {"offsets", "row_token"}) {
      for (const auto& accepted : dispatched.choices.at(name)) {
        in.integers[name].push_back(accepted.at(0));
      }
    }

    const Tensor gate_up = run_.Weight(ff + ".experts.gate_up_proj");
    const Tensor down = run_.Weight(ff + ".experts.down_proj");
    const int64_t C = down.shape.at(2), F = down.shape.at(1);
    const auto expert = [&](const Enclosure& rows, const Enclosure& weight, int64_t width) {
      in.reals = {{"x", rows}, {"weight", weight}};
      in.sizes['F'] = width;
      return Stored(Enclose("expert_linear", in).reals.at("y"));
    };
    const Enclosure rows = Stored(dispatched.reals.at("rows"));
    const Enclosure gate = expert(rows, Transposed(gate_up, 0, F), F);
    const Enclosure up = expert(rows, Transposed(gate_up, F, F), F);
    in.reals = {{"rows", expert(Activated(gate, up), Transposed(down, 0, C), C)}};
    Compare("dispatch+expert_linear+swiglu+expert_linear+combine",
            Enclose("combine", in).reals.at("y"), ff + ".experts.sum");

    Dense(ff + ".shared_expert", x);
    Compare("residual_add", Add(Rows(ff + ".shared_expert.down_proj"), Rows(ff + ".experts.sum")),
            ff);
  }

  Enclosure Activated(const Enclosure& gate, const Enclosure& up) const {
    return Stored(Apply("swiglu", {{"gate", gate}, {"up", up}}));
  }

  void Dense(const std::string& name, const Enclosure& x) {
    const std::string gate = name + ".gate_proj", up = name + ".up_proj";
    const std::string down = name + ".down_proj";
    if (run_.Has(gate)) {
      Compare("linear", Linear(x, gate), gate);
      Compare("linear", Linear(x, up), up);
      Compare("swiglu+linear", Linear(Activated(Rows(gate), Rows(up)), down), down);
    } else {
      const Enclosure activated = Activated(Stored(Linear(x, gate)), Stored(Linear(x, up)));
      Compare("linear+linear+swiglu+linear", Linear(activated, down), down);
    }
  }

  void Last() {
    const std::string last = "model.layers." + std::to_string(run_.config().layers - 1);
    Norm(Rows(last), "model.norm");
    Compare("logits", Apply("logits", {{"x", Rows("model.norm")}, {"weight", Weight("lm_head")}}),
            "lm_head");
  }

  const Recording& run_;
  std::vector<Finding>* findings_;
};

}  // namespace

const std::vector<std::string>& JudgedOps() {
  static const std::vector<std::string> kOps = {
      "embedding",
      "rmsnorm",
      "linear",
      "rope_frequencies+rope_table",
      "rope",
      "rope_frequencies+rope_table+rope",
      "qk_norm",
      "temperature",
      "attention chunked",
      "attention global",
      "temperature+attention global",
      "attention chunked decode",
      "temperature+attention global decode",
      "residual_add+rmsnorm",
      "router",
      "dispatch+expert_linear+swiglu+expert_linear+combine",
      "swiglu+linear",
      "linear+linear+swiglu+linear",
      "residual_add",
      "residual_add+residual_add",
      "logits"};
  return kOps;
}

std::vector<Finding> JudgeForeign(const std::string& folder, const Change& change) {
  std::vector<Finding> findings;
  for (const char* name :
       {"scout-tiny", "scout-launch-rope", "maverick-tiny", "guard-tiny", "scout-bytes"}) {
    Model model(folder + "/" + name + ".h5");
    if (change) change(&model.config);
    for (const Recording& run : RecordingsOf(model)) Judge(run, &findings).Run();
  }
  const auto key = [](const Finding& finding) {
    const auto& ops = JudgedOps();
    const auto place = std::find(ops.begin(), ops.end(), finding.op) - ops.begin();
    return std::tuple(place, finding.implementation, finding.recipe, finding.profile);
  };
  std::sort(findings.begin(), findings.end(),
            [&key](const Finding& a, const Finding& b) { return key(a) < key(b); });
  return findings;
}

}  // namespace touchstone::outside
