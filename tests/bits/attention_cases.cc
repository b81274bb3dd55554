// The ops of an attention block.
#include <utility>

#include "reference/ops/attention/attention.h"
#include "reference/ops/kv_append/kv_append.h"
#include "reference/ops/qk_norm/qk_norm.h"
#include "reference/ops/rope/rope.h"
#include "reference/ops/rope_frequencies/rope_frequencies.h"
#include "reference/ops/rope_table/rope_table.h"
#include "reference/ops/temperature/temperature.h"
#include "tests/bits/cases.h"

namespace touchstone::bits {
namespace {

// What is published, and what is smooth between two wavelengths.
constexpr RopeScaling kPlain{false, 1.0f, 1.0f, 1.0f, 8192.0f};
constexpr RopeScaling kHardSwitch{true, 16.0f, 1.0f, 1.0f, 8192.0f};
constexpr RopeScaling kSmoothBand{true, 8.0f, 1.0f, 4.0f, 8192.0f};

Tensor Frequencies(float theta, const RopeScaling& scaling, int64_t J) {
  Tensor f(Dtype::kF32, {J});
  RopeFrequencies(theta, scaling, f.As<float, 'J'>());
  return f;
}

// Edges of blocks and chunks, and the ends of what the op takes.
Tensor FarPositions() {
  return Integers({0, 1, 2, 511, 512, 8190, 8191, 8192, 16383, 65535, 131071, 1000003, 10485759,
                   (1 << 24) - 2});
}

Tensor Table(int64_t J) {
  const Tensor f = Frequencies(500000.0f, kSmoothBand, J);
  const Tensor positions = FarPositions();
  Tensor table(Dtype::kF32, {positions.count(), J, 2});
  RopeTable(f.As<float, 'J'>(), positions.As<int64_t, 'T'>(), table.As<float, 'T', 'J', '2'>());
  return table;
}

}  // namespace

void Run_rope_frequencies(Output& out, int) {
  for (const float theta : {10000.0f, 500000.0f, 1e6f, 1.0000001f}) {
    for (const RopeScaling& scaling : {kPlain, kHardSwitch, kSmoothBand}) {
      for (const int64_t J : {1, 32, 40, 44, 64, 128}) out.Write(Frequencies(theta, scaling, J));
    }
  }
}

void Run_rope_table(Output& out, int) {
  for (const int64_t J : {1, 40, 64, 128}) out.Write(Table(J));
}

template <typename Storage>
void Run_rope(Output& out, int) {
  Source source(0x2000);
  for (const Class inputs : kClasses) {
    const Tensor table = Table(40);
    const int64_t T = table.shape[0];
    const Tensor x = source.Make<Storage>(inputs, {T, 3, 80});
    Tensor y(kDtypeOf<Storage>, {T, 3, 80});
    Rope(x.As<Storage, 'T', 'H', 'D'>(), table.As<float, 'T', 'J', '2'>(),
         y.As<Storage, 'T', 'H', 'D'>());
    out.Write(y);
  }
}
TOUCHSTONE_BITS_OF(rope);

template <typename Storage>
void Run_qk_norm(Output& out, int) {
  Source source(0x2100);
  for (const Class inputs : kClasses) {
    for (const int64_t D : {1, 64, 128, 300}) {
      const Tensor x = source.Make<Storage>(inputs, {5, 3, D});
      Tensor y(kDtypeOf<Storage>, {5, 3, D});
      QkNorm(x.As<Storage, 'T', 'H', 'D'>(), 1e-5f, y.As<Storage, 'T', 'H', 'D'>());
      out.Write(y);
    }
  }
}
TOUCHSTONE_BITS_OF(qk_norm);

template <typename Storage>
void Run_temperature(Output& out, int) {
  Source source(0x2200);
  const Tensor positions = FarPositions();
  const int64_t T = positions.count();
  for (const Class inputs : kClasses) {
    for (const float floor_scale : {8192.0f, 3.0f}) {
      const Tensor q = source.Make<Storage>(inputs, {T, 3, 64});
      Tensor y(kDtypeOf<Storage>, {T, 3, 64});
      Temperature(q.As<Storage, 'T', 'H', 'D'>(), positions.As<int64_t, 'T'>(), floor_scale, 0.1f,
                  y.As<Storage, 'T', 'H', 'D'>());
      out.Write(y);
    }
  }
}
TOUCHSTONE_BITS_OF(temperature);

template <typename Storage>
void Run_kv_append(Output& out, int) {
  Source source(0x2300);
  for (const Class inputs : kClasses) {
    const Tensor k = source.Make<Storage>(inputs, {5, 2, 16});
    const Tensor v = source.Make<Storage>(inputs, {5, 2, 16});
    for (const int64_t first : {0, 3, 35}) {
      Tensor keys = source.Make<Storage>(inputs, {40, 2, 16});
      Tensor values = source.Make<Storage>(inputs, {40, 2, 16});
      KvAppend(k.As<Storage, 'T', 'G', 'D'>(), v.As<Storage, 'T', 'G', 'D'>(), first,
               keys.As<Storage, 'S', 'G', 'D'>(), values.As<Storage, 'S', 'G', 'D'>());
      out.Write(keys);
      out.Write(values);
    }
  }
}
TOUCHSTONE_BITS_OF(kv_append);

template <typename Storage>
void Run_attention(Output& out, int threads) {
  struct Sizes {
    int64_t S, H, G, D;
    std::vector<int64_t> positions;
    std::vector<int64_t> chunks;  // 0: global
  };
  // Several blocks of 512; chunks that begin inside a block, at its edge, and beyond every key,
  // where nothing is visible; a head wider than a slice of the chain.
  const Sizes all[] = {
      {1100, 4, 2, 16, {0, 1, 511, 512, 1023, 1024, 1099, 5000}, {0, 512, 700}},
      {40, 3, 1, 80, {0, 7, 39, 40}, {0, 8}},
      {5, 2, 2, 600, {0, 4}, {0}},
  };
  Source source(0x2400);
  for (const Class inputs : kClasses) {
    for (const auto& [S, H, G, D, at, chunks] : all) {
      const int64_t T = std::ssize(at);
      const Tensor q = source.Make<Storage>(inputs, {T, H, D}, 6);
      const Tensor keys = source.Make<Storage>(inputs, {S, G, D}, 6);
      const Tensor values = source.Make<Storage>(inputs, {S, G, D});
      const Tensor positions = Integers(at);
      for (const int64_t chunk : chunks) {
        Tensor y(kDtypeOf<Storage>, {T, H, D});
        Attention(q.As<Storage, 'T', 'H', 'D'>(), keys.As<Storage, 'S', 'G', 'D'>(),
                  values.As<Storage, 'S', 'G', 'D'>(), positions.As<int64_t, 'T'>(), chunk,
                  y.As<Storage, 'T', 'H', 'D'>(), threads);
        out.Write(y);
      }
    }
  }
}
TOUCHSTONE_BITS_OF(attention);

}  // namespace touchstone::bits
