// The ops of a mixture of experts and of a dense feed-forward.
#include "reference/ops/combine/combine.h"
#include "reference/ops/dispatch/dispatch.h"
#include "reference/ops/expert_linear/expert_linear.h"
#include "reference/ops/router/router.h"
#include "reference/ops/swiglu/swiglu.h"
#include "tests/bits/cases.h"

namespace touchstone::bits {

template <typename Storage>
void Run_router(Output& out, int) {
  Source source(0x3000);
  for (const Class inputs : kClasses) {
    for (const int64_t E : {4, 16, 128}) {
      const Tensor logits = source.Make<Storage>(inputs, {40, E}, 5);
      for (const int64_t A : {1, 2, 4}) {
        Tensor chosen(Dtype::kI64, {40, A});
        Tensor scores(kDtypeOf<Storage>, {40, A});
        Router(logits.As<Storage, 'T', 'E'>(), chosen.As<int64_t, 'T', 'A'>(),
               scores.As<Storage, 'T', 'A'>());
        out.Write(chosen);
        out.Write(scores);
      }
    }
  }
}
TOUCHSTONE_BITS_OF(router);

template <typename Storage>
void Run_dispatch(Output& out, int) {
  constexpr int64_t kTokens = 9, kWidth = 70, kExperts = 6;
  Source source(0x3100);
  for (const Class inputs : kClasses) {
    for (const int64_t A : {1, 3}) {
      const Tensor x = source.Make<Storage>(inputs, {kTokens, kWidth});
      const Tensor scores = source.Make<Storage>(inputs, {kTokens, A});
      // A different experts a token; the last expert owns no row.
      Tensor chosen = source.Indices({kTokens, A}, kExperts - 1);
      const auto choice = chosen.As<int64_t, 'T', 'A'>();
      for (int64_t t = 0; t < kTokens; ++t) {
        for (int64_t a = 1; a < A; ++a) choice(t, a) = (choice(t, 0) + a) % (kExperts - 1);
      }
      Tensor rows(kDtypeOf<Storage>, {kTokens * A, kWidth});
      Tensor row_token(Dtype::kI64, {kTokens * A});
      Tensor offsets(Dtype::kI64, {kExperts + 1});
      Dispatch(x.As<Storage, 'T', 'C'>(), std::as_const(chosen).As<int64_t, 'T', 'A'>(),
               scores.As<Storage, 'T', 'A'>(), rows.As<Storage, 'R', 'C'>(),
               row_token.As<int64_t, 'R'>(), offsets.As<int64_t, 'O'>());
      out.Write(rows);
      out.Write(row_token);
      out.Write(offsets);
    }
  }
}
TOUCHSTONE_BITS_OF(dispatch);

template <typename Storage>
void Run_expert_linear(Output& out, int threads) {
  Source source(0x3200);
  const Tensor offsets = Integers({0, 3, 3, 4, 9});  // the second expert owns no row
  for (const Class inputs : kClasses) {
    const Tensor x = source.Make<Storage>(inputs, {9, 600});
    const Tensor weight = source.Make<Storage>(inputs, {4, 70, 600});
    Tensor y(kDtypeOf<Storage>, {9, 70});
    ExpertLinear(x.As<Storage, 'R', 'C'>(), weight.As<Storage, 'E', 'F', 'C'>(),
                 offsets.As<int64_t, 'O'>(), y.As<Storage, 'R', 'F'>(), threads);
    out.Write(y);
  }
}
TOUCHSTONE_BITS_OF(expert_linear);

template <typename Storage>
void Run_swiglu(Output& out, int) {
  Source source(0x3300);
  for (const Class inputs : kClasses) {
    for (const int exponent : {7, 2}) {  // 2: gates to 127, where exp overflows
      const Tensor gate = source.Make<Storage>(inputs, {5, 500}, exponent);
      const Tensor up = source.Make<Storage>(inputs, {5, 500});
      Tensor y(kDtypeOf<Storage>, {5, 500});
      SwiGlu(gate.As<Storage, 'T', 'F'>(), up.As<Storage, 'T', 'F'>(), y.As<Storage, 'T', 'F'>());
      out.Write(y);
    }
  }
}
TOUCHSTONE_BITS_OF(swiglu);

template <typename Storage>
void Run_combine(Output& out, int) {
  Source source(0x3400);
  for (const Class inputs : kClasses) {
    const Tensor rows = source.Make<Storage>(inputs, {30, 70});
    const Tensor row_token = source.Indices({30}, 9);
    Tensor y(kDtypeOf<Storage>, {11, 70});  // two tokens without a row
    Combine(rows.As<Storage, 'R', 'C'>(), row_token.As<int64_t, 'R'>(), y.As<Storage, 'T', 'C'>());
    out.Write(y);
  }
}
TOUCHSTONE_BITS_OF(combine);

}  // namespace touchstone::bits
