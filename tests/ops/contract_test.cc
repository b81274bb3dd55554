// What the headers forbid throws ContractViolation and what they promise of edges holds: empty
// tensors, aliasing, threads, prefill and decode. The values are the lab's business.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "reference/formats/philox.h"
#include "reference/ops/attention/attention.h"
#include "reference/ops/combine/combine.h"
#include "reference/ops/dispatch/dispatch.h"
#include "reference/ops/embedding/embedding.h"
#include "reference/ops/expert_linear/expert_linear.h"
#include "reference/ops/kv_append/kv_append.h"
#include "reference/ops/linear/linear.h"
#include "reference/ops/logits/logits.h"
#include "reference/ops/qk_norm/qk_norm.h"
#include "reference/ops/residual_add/residual_add.h"
#include "reference/ops/rmsnorm/rmsnorm.h"
#include "reference/ops/rope/rope.h"
#include "reference/ops/rope_frequencies/rope_frequencies.h"
#include "reference/ops/rope_table/rope_table.h"
#include "reference/ops/router/router.h"
#include "reference/ops/sampling/sampling.h"
#include "reference/ops/temperature/temperature.h"

namespace touchstone {
namespace {

using Floats = std::vector<float>;
using Indices = std::vector<int64_t>;

Floats Random(int64_t count, uint32_t tensor) {
  Floats x;
  for (int64_t i = 0; i < count; ++i) {
    x.push_back(std::ldexp(
        static_cast<float>(PhiloxF32Integer(PhiloxWord(3, tensor, static_cast<uint64_t>(i)))),
        -15));
  }
  return x;
}

template <char... kLetters, typename... Extent>
auto In(const Floats& x, Extent... extent) {
  return Packed<kLetters...>(x.data(), extent...);
}
template <char... kLetters, typename... Extent>
auto In(const Indices& x, Extent... extent) {
  return Packed<kLetters...>(x.data(), extent...);
}
template <char... kLetters, typename Vector, typename... Extent>
auto Out(Vector& x, Extent... extent) {
  return Packed<kLetters...>(x.data(), extent...);
}

TEST(Contract, Embedding) {
  const Floats table(6, 1.0f);
  Floats h(2);
  for (const int64_t id : {-1, 3}) {
    const Indices ids = {id};
    EXPECT_THROW(
        Embedding<float>(In<'T'>(ids, 1), In<'V', 'C'>(table, 3, 2), Out<'T', 'C'>(h, 1, 2)),
        ContractViolation);
  }
}

TEST(Contract, NormsOfNothing) {
  Floats none(1);
  EXPECT_THROW(
      RmsNorm<float>(In<'T', 'C'>(none, 1, 0), In<'C'>(none, 0), 1e-5f, Out<'T', 'C'>(none, 1, 0)),
      ContractViolation);
  EXPECT_THROW(
      QkNorm<float>(In<'T', 'H', 'D'>(none, 1, 1, 0), 1e-5f, Out<'T', 'H', 'D'>(none, 1, 1, 0)),
      ContractViolation);
  EXPECT_NO_THROW(RmsNorm<float>(In<'T', 'C'>(none, 0, 4), In<'C'>(Floats(4), 4), 1e-5f,
                                 Out<'T', 'C'>(none, 0, 4)));
}

TEST(Contract, ExtentsMustAgree) {
  Floats a(6), b(6), y(6);
  EXPECT_THROW(
      ResidualAdd<float>(In<'T', 'C'>(a, 2, 3), In<'T', 'C'>(b, 3, 2), Out<'T', 'C'>(y, 2, 3)),
      ContractViolation);
  EXPECT_THROW(Linear<float>(In<'T', 'C'>(a, 2, 3), In<'F', 'C'>(b, 3, 2), Out<'T', 'F'>(y, 2, 3)),
               ContractViolation);
  EXPECT_THROW(Logits<float>(In<'T', 'C'>(a, 2, 3), In<'V', 'C'>(b, 2, 3), Out<'T', 'V'>(y, 3, 2)),
               ContractViolation);
}

TEST(Contract, Rope) {
  Floats x(6), y(6);
  const Floats table(6);
  EXPECT_THROW(Rope<float>(In<'T', 'H', 'D'>(x, 1, 1, 3), In<'T', 'J', '2'>(table, 1, 1, 2),
                           Out<'T', 'H', 'D'>(y, 1, 1, 3)),
               ContractViolation);
  Floats f(2);
  EXPECT_THROW(RopeFrequencies(1.0f, {}, Out<'J'>(f, 2)), ContractViolation);
  EXPECT_THROW(RopeFrequencies(NAN, {}, Out<'J'>(f, 2)), ContractViolation);
  EXPECT_THROW(RopeFrequencies(1e4f, {.llama3 = true, .factor = 0.0f}, Out<'J'>(f, 2)),
               ContractViolation);
  EXPECT_THROW(RopeFrequencies(1e4f, {}, Out<'J'>(f, 0)), ContractViolation);
  const Floats one = {1.0f};
  Floats entry(2);
  for (const int64_t position : {int64_t{-1}, int64_t{1} << 24}) {
    const Indices positions = {position};
    EXPECT_THROW(
        RopeTable(In<'J'>(one, 1), In<'T'>(positions, 1), Out<'T', 'J', '2'>(entry, 1, 1, 2)),
        ContractViolation);
  }
}

TEST(Contract, Temperature) {
  Floats q(2);
  for (const int64_t position : {int64_t{-1}, (int64_t{1} << 24) - 1}) {
    const Indices positions = {position};
    EXPECT_THROW(Temperature<float>(In<'T', 'H', 'D'>(q, 1, 1, 2), In<'T'>(positions, 1), 8192.0f,
                                    0.1f, Out<'T', 'H', 'D'>(q, 1, 1, 2)),
                 ContractViolation);
  }
  const Indices zero = {0};
  EXPECT_THROW(Temperature<float>(In<'T', 'H', 'D'>(q, 1, 1, 2), In<'T'>(zero, 1), 0.0f, 0.1f,
                                  Out<'T', 'H', 'D'>(q, 1, 1, 2)),
               ContractViolation);
}

TEST(Contract, KvAppendWritesNothingWhereItDoesNotFit) {
  const Floats k(2, 1.0f);
  Floats keys(4), values(4);
  for (const int64_t first : {int64_t{-1}, int64_t{2}}) {
    EXPECT_THROW(
        KvAppend<float>(In<'T', 'G', 'D'>(k, 1, 1, 2), In<'T', 'G', 'D'>(k, 1, 1, 2), first,
                        Out<'S', 'G', 'D'>(keys, 2, 1, 2), Out<'S', 'G', 'D'>(values, 2, 1, 2)),
        ContractViolation);
  }
  EXPECT_EQ(keys, Floats(4));
  EXPECT_EQ(values, Floats(4));
}

TEST(Contract, RoutingAndExperts) {
  const Floats logits(4);
  Indices chosen(5);
  Floats scores(5);
  for (const int64_t A : {0, 5}) {
    EXPECT_THROW(Router<float>(In<'T', 'E'>(logits, 1, 4), Out<'T', 'A'>(chosen, 1, A),
                               Out<'T', 'A'>(scores, 1, A)),
                 ContractViolation);
  }
  const Floats x(4);
  Floats rows(4);
  Indices row_token(2), offsets(4);
  for (const Indices& bad : {Indices{0, 3}, Indices{-1, 0}, Indices{1, 1}}) {
    EXPECT_THROW(
        Dispatch<float>(In<'T', 'C'>(x, 1, 2), In<'T', 'A'>(bad, 1, 2), In<'T', 'A'>(scores, 1, 2),
                        Out<'R', 'C'>(rows, 2, 2), Out<'R'>(row_token, 2), Out<'O'>(offsets, 4)),
        ContractViolation);
  }
  for (const Indices& bad :
       {Indices{0, 1, 1}, Indices{1, 1, 2}, Indices{0, 3, 2}, Indices{0, 2, 1}}) {
    EXPECT_THROW(ExpertLinear<float>(In<'R', 'C'>(x, 2, 2), In<'E', 'F', 'C'>(Floats(8), 2, 2, 2),
                                     In<'O'>(bad, 3), Out<'R', 'F'>(rows, 2, 2)),
                 ContractViolation);
  }
  const Indices outside = {2};
  EXPECT_THROW(
      Combine<float>(In<'R', 'C'>(x, 1, 2), In<'R'>(outside, 1), Out<'T', 'C'>(rows, 2, 2)),
      ContractViolation);
}

TEST(Contract, Attention) {
  const Floats q(4), keys(4);
  Floats y(4);
  const auto run = [&](int64_t H, int64_t G, int64_t position, int64_t chunk) {
    const Indices positions = {position};
    Attention<float>(In<'T', 'H', 'D'>(q, 1, H, 1), In<'S', 'G', 'D'>(keys, 1, G, 1),
                     In<'S', 'G', 'D'>(keys, 1, G, 1), In<'T'>(positions, 1), chunk,
                     Out<'T', 'H', 'D'>(y, 1, H, 1));
  };
  EXPECT_NO_THROW(run(4, 2, 0, 0));
  EXPECT_THROW(run(3, 2, 0, 0), ContractViolation);
  EXPECT_THROW(run(4, 2, -1, 0), ContractViolation);
  EXPECT_THROW(run(4, 2, 0, -1), ContractViolation);
}

TEST(Contract, Sampling) {
  const auto run = [](const Floats& logits, const SamplingChoice& choice, int64_t position) {
    const Indices positions = {position};
    Indices taken(1);
    Sampling(In<'B', 'V'>(logits, 1, static_cast<int64_t>(logits.size())), In<'B'>(positions, 1),
             choice, Out<'B'>(taken, 1));
    return taken[0];
  };
  const Floats fine = {0.0f, 1.0f, -INFINITY};
  EXPECT_EQ(run(fine, {}, 0), 1);
  EXPECT_NO_THROW(run(fine, {.temperature = 1.0, .top_p = 0.9, .seed = 5}, 7));
  EXPECT_THROW(run({0.0f, NAN}, {}, 0), ContractViolation);
  EXPECT_THROW(run({0.0f, INFINITY}, {.temperature = 1.0}, 0), ContractViolation);
  EXPECT_THROW(run({-INFINITY, -INFINITY}, {.temperature = 1.0}, 0), ContractViolation);
  EXPECT_THROW(run(fine, {.temperature = -1.0}, 0), ContractViolation);
  EXPECT_THROW(run(fine, {.temperature = 1e-60}, 0), ContractViolation);
  EXPECT_THROW(run(fine, {.temperature = INFINITY}, 0), ContractViolation);
  EXPECT_THROW(run(fine, {.temperature = NAN}, 0), ContractViolation);
  EXPECT_THROW(run(fine, {.temperature = 1.0, .top_p = NAN}, 0), ContractViolation);
  EXPECT_THROW(run(fine, {.temperature = 1.0}, int64_t{1} << 32), ContractViolation);
  EXPECT_THROW(run({}, {}, 0), ContractViolation);
}

// Global and chunked attention over 1100 keys, crossing blocks and chunks: all queries at once, one
// at a time over a growing cache, and on any number of threads.
TEST(Contract, PrefillDecodeAndThreadsGiveTheSameBits) {
  const int64_t S = 1100, H = 2, D = 4;
  const Floats q = Random(S * H * D, 1), keys = Random(S * D, 2), values = Random(S * D, 3);
  Indices positions(static_cast<size_t>(S));
  for (int64_t t = 0; t < S; ++t) positions[static_cast<size_t>(t)] = t;
  for (const int64_t chunk : {int64_t{0}, int64_t{700}}) {
    Floats prefill(q.size()), threaded(q.size());
    for (const int threads : {1, 3}) {
      Attention<float>(In<'T', 'H', 'D'>(q, S, H, D), In<'S', 'G', 'D'>(keys, S, 1, D),
                       In<'S', 'G', 'D'>(values, S, 1, D), In<'T'>(positions, S), chunk,
                       Out<'T', 'H', 'D'>(threads == 1 ? prefill : threaded, S, H, D), threads);
    }
    EXPECT_EQ(prefill, threaded);
    for (int64_t t = 0; t < S; t += 97) {
      const Indices position = {t};
      const Floats one(q.begin() + t * H * D, q.begin() + (t + 1) * H * D);
      Floats y(static_cast<size_t>(H * D));
      Attention<float>(In<'T', 'H', 'D'>(one, 1, H, D), In<'S', 'G', 'D'>(keys, t + 1, 1, D),
                       In<'S', 'G', 'D'>(values, t + 1, 1, D), In<'T'>(position, 1), chunk,
                       Out<'T', 'H', 'D'>(y, 1, H, D));
      EXPECT_EQ(y, Floats(prefill.begin() + t * H * D, prefill.begin() + (t + 1) * H * D)) << t;
    }
  }
}

TEST(Contract, LinearReadsTransposedWeightsInPlaceOnAnyNumberOfThreads) {
  const int64_t T = 3, C = 600, F = 130;
  const Floats x = Random(T * C, 4), weight = Random(F * C, 5);
  Floats transposed(weight.size());
  for (int64_t f = 0; f < F; ++f) {
    for (int64_t c = 0; c < C; ++c) {
      transposed[static_cast<size_t>(c * F + f)] = weight[static_cast<size_t>(f * C + c)];
    }
  }
  Floats wanted(static_cast<size_t>(T * F));
  Linear<float>(In<'T', 'C'>(x, T, C), In<'F', 'C'>(weight, F, C), Out<'T', 'F'>(wanted, T, F));
  for (const int threads : {1, 2, 7}) {
    Floats y(wanted.size());
    Linear<float>(In<'T', 'C'>(x, T, C),
                  View<const float, 'F', 'C'>{transposed.data(), {F, C}, {1, F}},
                  Out<'T', 'F'>(y, T, F), threads);
    EXPECT_EQ(y, wanted) << threads;
  }
}

TEST(Contract, InPlace) {
  const Floats x = Random(12, 6), weight = Random(4, 7);
  Floats apart(12), same = x;
  RmsNorm<float>(In<'T', 'C'>(x, 3, 4), In<'C'>(weight, 4), 1e-5f, Out<'T', 'C'>(apart, 3, 4));
  RmsNorm<float>(In<'T', 'C'>(same, 3, 4), In<'C'>(weight, 4), 1e-5f, Out<'T', 'C'>(same, 3, 4));
  EXPECT_EQ(same, apart);
  const Floats table = Random(12, 8);
  same = x;
  Rope<float>(In<'T', 'H', 'D'>(x, 3, 1, 4), In<'T', 'J', '2'>(table, 3, 2, 2),
              Out<'T', 'H', 'D'>(apart, 3, 1, 4));
  Rope<float>(In<'T', 'H', 'D'>(same, 3, 1, 4), In<'T', 'J', '2'>(table, 3, 2, 2),
              Out<'T', 'H', 'D'>(same, 3, 1, 4));
  EXPECT_EQ(same, apart);
}

}  // namespace
}  // namespace touchstone
