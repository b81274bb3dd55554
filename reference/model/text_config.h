// What a Llama 4 text model is: its sizes, its constants and the kind of each layer.
//
// A plain struct, filled by a checkpoint's reader or by a preset. Decimals stay in binary64 until
// an op takes them, rounded to binary32 once (N12). Shape letters as everywhere: V vocabulary, C
// width, H query heads, G key/value heads, D head width, E experts, F feed-forward width.
#pragma once

#include <cstdint>
#include <vector>

namespace touchstone {

struct TextRope {
  double theta = 0.0;
  bool llama3 = false;  // false: plain frequencies, the rest is not read
  double factor = 1.0;
  double low = 1.0;          // low_freq_factor
  double high = 1.0;         // high_freq_factor
  double original = 8192.0;  // original_max_position_embeddings

  friend bool operator==(const TextRope&, const TextRope&) = default;
};

struct TextLayer {
  bool has_rope = true;     // false: neither rotation nor QK norm, and q may get a temperature
  bool is_chunked = false;  // a token sees its own chunk only; false: all before it
  bool is_moe = false;      // router, routed experts and the shared one; false: one dense SwiGLU

  friend bool operator==(const TextLayer&, const TextLayer&) = default;
};

struct TextConfig {
  int64_t vocabulary = 0;   // V
  int64_t channels = 0;     // C
  int64_t heads = 0;        // H, a multiple of G
  int64_t kv_heads = 0;     // G
  int64_t head_width = 0;   // D, even; H * D need not be C
  int64_t dense_width = 0;  // F of dense layers; not read where there is none

  // Not read where no layer is MoE.
  int64_t experts = 0;          // E
  int64_t experts_a_token = 0;  // A, 1 to E
  int64_t expert_width = 0;     // F of a routed expert and of the shared one

  double rms_norm_eps = 0.0;  // of every RMSNorm and of QK norm
  TextRope rope;
  bool use_qk_norm = false;              // on layers with RoPE
  bool attn_temperature_tuning = false;  // on layers without RoPE
  double floor_scale = 0.0;              // of the temperature
  double attn_scale = 0.0;               // of the temperature
  int64_t attention_chunk_size = 0;      // positions a chunk; 0: no layer is chunked
  bool tied_lm_head = false;             // the logits' weights are the embedding's

  std::vector<TextLayer> layers;  // in forward order

  friend bool operator==(const TextConfig&, const TextConfig&) = default;
};

// Rows of the query and of the key/value projections: H * D and G * D.
int64_t QueryWidth(const TextConfig& config);
int64_t KvWidth(const TextConfig& config);

// The key/value head that a query head reads: h / (H / G).
int64_t KvHeadOf(const TextConfig& config, int64_t head);

// The layer's chunk length in positions; 0 where its attention is global.
int64_t ChunkOf(const TextConfig& config, int64_t layer);

// Whether the layer's q and k are normalised, and whether its q is scaled by position.
bool HasQkNorm(const TextConfig& config, int64_t layer);
bool HasTemperature(const TextConfig& config, int64_t layer);

// Layer l has no RoPE where (l + 1) % nope_interval = 0 (0: every layer has it), is chunked where
// it has RoPE and there are chunks, and is MoE where (l + 1) % moe_interval = 0 (0: none is).
std::vector<TextLayer> PatternedLayers(int64_t count, int64_t nope_interval, bool chunks,
                                       int64_t moe_interval);

// How many numbers the weights hold, counted from the shapes of their tensors: of one layer, and of
// the whole text model with embedding, final norm and, unless it is tied, lm_head.
int64_t LayerParameterCount(const TextConfig& config, int64_t layer);
int64_t ParameterCount(const TextConfig& config);

// The same, counting of each MoE layer's routed experts only the A that one token visits. (The
// embedding counts whole.)
int64_t ActiveParameterCount(const TextConfig& config);

// The text models of the published checkpoints. Temperature tuning is on, as Hugging Face's
// configuration has it; Meta's code leaves it off. The two agree on positions below 8191.

// Llama-4-Scout-17B-16E-Instruct, with the RoPE scaling as corrected (factor 16, high 1).
TextConfig Scout();

// Llama-4-Maverick-17B-128E-Instruct.
TextConfig Maverick();

// Llama-Guard-4-12B. Published: dense, pruned from Scout to its shared experts, no chunks, RoPE in
// every layer. All else is taken from Scout on that ground, RoPE scaling and QK norm included.
TextConfig LlamaGuard4();

}  // namespace touchstone
