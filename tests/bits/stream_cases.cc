// The ops on the stream of hidden states, from the ids of tokens to the next one.
#include "reference/ops/embedding/embedding.h"
#include "reference/ops/linear/linear.h"
#include "reference/ops/logits/logits.h"
#include "reference/ops/residual_add/residual_add.h"
#include "reference/ops/rmsnorm/rmsnorm.h"
#include "reference/ops/sampling/sampling.h"
#include "tests/bits/cases.h"

namespace touchstone::bits {

template <typename Storage>
void Run_embedding(Output& out, int) {
  Source source(0x1000);
  for (const Class inputs : kClasses) {
    const Tensor ids = source.Indices({30}, 50);
    const Tensor table = source.Make<Storage>(inputs, {50, 96});
    Tensor h(kDtypeOf<Storage>, {30, 96});
    Embedding(ids.As<int64_t, 'T'>(), table.As<Storage, 'V', 'C'>(), h.As<Storage, 'T', 'C'>());
    out.Write(h);
  }
}
TOUCHSTONE_BITS_OF(embedding);

template <typename Storage>
void Run_rmsnorm(Output& out, int) {
  Source source(0x1100);
  for (const Class inputs : kClasses) {
    for (const int64_t C : {1, 80, 256, 257, 700, 5120}) {
      const Tensor x = source.Make<Storage>(inputs, {3, C});
      const Tensor weight = source.Make<Storage>(inputs, {C});
      Tensor y(kDtypeOf<Storage>, {3, C});
      RmsNorm(x.As<Storage, 'T', 'C'>(), weight.As<Storage, 'C'>(), 1e-5f,
              y.As<Storage, 'T', 'C'>());
      out.Write(y);
    }
  }
}
TOUCHSTONE_BITS_OF(rmsnorm);

template <typename Storage>
void Run_linear(Output& out, int threads) {
  struct Sizes {
    int64_t T, C, F;
  };
  const Sizes all[] = {{3, 0, 5},    {1, 1, 1},      {5, 511, 70},
                       {2, 513, 64}, {3, 1100, 130}, {1, 5120, 40}};
  Source source(0x1200);
  for (const Class inputs : kClasses) {
    for (const auto& [T, C, F] : all) {
      const Tensor x = source.Make<Storage>(inputs, {T, C});
      const Tensor weight = source.Make<Storage>(inputs, {F, C});
      Tensor y(kDtypeOf<Storage>, {T, F});
      Linear(x.As<Storage, 'T', 'C'>(), weight.As<Storage, 'F', 'C'>(), y.As<Storage, 'T', 'F'>(),
             threads);
      out.Write(y);
    }
    // Weights stored (C, F), read in place.
    const Tensor x = source.Make<Storage>(inputs, {4, 600});
    const Tensor stored = source.Make<Storage>(inputs, {600, 65});
    const View<const Storage, 'F', 'C'> weight{stored.values<Storage>(), {65, 600}, {1, 65}};
    Tensor y(kDtypeOf<Storage>, {4, 65});
    Linear(x.As<Storage, 'T', 'C'>(), weight, y.As<Storage, 'T', 'F'>(), threads);
    out.Write(y);
  }
}
TOUCHSTONE_BITS_OF(linear);

template <typename Storage>
void Run_residual_add(Output& out, int) {
  Source source(0x1300);
  for (const Class inputs : kClasses) {
    const Tensor a = source.Make<Storage>(inputs, {7, 300});
    const Tensor b = source.Make<Storage>(inputs, {7, 300}, 10);
    Tensor y(kDtypeOf<Storage>, {7, 300});
    ResidualAdd(a.As<Storage, 'T', 'C'>(), b.As<Storage, 'T', 'C'>(), y.As<Storage, 'T', 'C'>());
    out.Write(y);
  }
}
TOUCHSTONE_BITS_OF(residual_add);

template <typename Storage>
void Run_logits(Output& out, int threads) {
  Source source(0x1400);
  for (const Class inputs : kClasses) {
    const Tensor x = source.Make<Storage>(inputs, {2, 1030});
    const Tensor weight = source.Make<Storage>(inputs, {300, 1030});
    Tensor y(Dtype::kF32, {2, 300});
    Logits(x.As<Storage, 'T', 'C'>(), weight.As<Storage, 'V', 'C'>(), y.As<float, 'T', 'V'>(),
           threads);
    out.Write(y);
  }
}
TOUCHSTONE_BITS_OF(logits);

// NaN and infinite logits are refused by contract; the two classes without them.
void Run_sampling(Output& out, int) {
  Source source(0x1500);
  for (const Class inputs : {Class::kNormal, Class::kTies}) {
    const Tensor logits = source.Make<float>(inputs, {64, 900}, 5);
    const Tensor positions = source.Indices({64}, int64_t{1} << 32);
    for (const double temperature : {0.0, 0.6, 1.0, 3.0}) {
      for (const double top_p : {0.0, 0.3, 0.9, 1.0}) {
        Tensor taken(Dtype::kI64, {64});
        Sampling(logits.As<float, 'B', 'V'>(), positions.As<int64_t, 'B'>(),
                 SamplingChoice{temperature, top_p, 0xfffffffffffffff0}, taken.As<int64_t, 'B'>());
        out.Write(taken);
      }
    }
  }
}

}  // namespace touchstone::bits
