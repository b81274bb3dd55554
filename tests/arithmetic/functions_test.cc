// The elementary functions: special values, hard cases, the same bits in every build, and MPFR on a
// sample. All 2^32 inputs are the business of tests/proofs/prove_functions.cc.
#include "reference/arithmetic/functions.h"

#include <gtest/gtest.h>
#include <mpfr.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace touchstone {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr uint32_t kCanonicalNan = 0x7fc00000;

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

struct Function {
  const char* name;
  float (*ours)(float);
  int (*mpfr)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
  bool (*defined)(float);
  uint64_t checksum;  // over the sample below
};

bool AnyNumber(float x) { return x == x; }
bool NotNegative(float x) { return x >= 0.0f; }
bool FromMinusOne(float x) { return x >= -1.0f; }
bool BelowTwoTo24(float x) { return std::fabs(x) < 0x1p+24f; }

// The checksums were taken from a build whose results prove_functions had compared with MPFR.
const Function kFunctions[] = {
    {"exp", Exp, mpfr_exp, AnyNumber, 0xe26ee38c88f0da64},
    {"log", Log, mpfr_log, NotNegative, 0x7c8959df3a6a7a51},
    {"log1p", Log1p, mpfr_log1p, FromMinusOne, 0xd5ce368a6078abce},
    {"sin", Sin, mpfr_sin, BelowTwoTo24, 0xa4df523442133bf9},
    {"cos", Cos, mpfr_cos, BelowTwoTo24, 0xedcc1293fd58ccf4},
    {"erf", Erf, mpfr_erf, AnyNumber, 0x09d4dcd9ad748fb5},
};

TEST(Functions, EveryNanGivesTheCanonicalNan) {
  for (const uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xff800001u, 0x7fffffffu}) {
    for (const Function& f : kFunctions) {
      EXPECT_EQ(BitsOf(f.ours(FloatOf(bits))), kCanonicalNan) << f.name << " of " << bits;
    }
  }
}

TEST(Functions, OutsideTheDomainIsTheCanonicalNan) {
  for (const float x : {-0x1p-149f, -1.0f, -kInf}) EXPECT_EQ(BitsOf(Log(x)), kCanonicalNan) << x;
  for (const float x : {-0x1.000002p+0f, -2.0f, -kInf}) {
    EXPECT_EQ(BitsOf(Log1p(x)), kCanonicalNan) << x;
  }
  for (const float x : {0x1p+24f, -0x1p+24f, 0x1p+127f, kInf, -kInf}) {
    EXPECT_EQ(BitsOf(Sin(x)), kCanonicalNan) << x;
    EXPECT_EQ(BitsOf(Cos(x)), kCanonicalNan) << x;
  }
}

TEST(Functions, Zeros) {
  for (const float zero : {0.0f, -0.0f}) {
    EXPECT_EQ(BitsOf(Exp(zero)), BitsOf(1.0f));
    EXPECT_EQ(BitsOf(Log(zero)), BitsOf(-kInf));
    EXPECT_EQ(BitsOf(Log1p(zero)), BitsOf(zero));
    EXPECT_EQ(BitsOf(Sin(zero)), BitsOf(zero));
    EXPECT_EQ(BitsOf(Cos(zero)), BitsOf(1.0f));
    EXPECT_EQ(BitsOf(Erf(zero)), BitsOf(zero));
  }
  EXPECT_EQ(BitsOf(Log(1.0f)), BitsOf(0.0f));
}

TEST(Functions, Infinities) {
  EXPECT_EQ(BitsOf(Exp(kInf)), BitsOf(kInf));
  EXPECT_EQ(BitsOf(Exp(-kInf)), BitsOf(0.0f));
  EXPECT_EQ(BitsOf(Log(kInf)), BitsOf(kInf));
  EXPECT_EQ(BitsOf(Log1p(kInf)), BitsOf(kInf));
  EXPECT_EQ(BitsOf(Log1p(-1.0f)), BitsOf(-kInf));
  EXPECT_EQ(BitsOf(Erf(kInf)), BitsOf(1.0f));
  EXPECT_EQ(BitsOf(Erf(-kInf)), BitsOf(-1.0f));
}

// ln(2^128 - 2^103) = 88.72283905..., ln(2^-150) = -103.97207...
TEST(Functions, ExpAtTheEndsOfBinary32) {
  EXPECT_EQ(Exp(0x1.62e42ep+6f), 0x1.ffff08p+127f);
  EXPECT_EQ(BitsOf(Exp(0x1.62e430p+6f)), BitsOf(kInf));
  EXPECT_EQ(BitsOf(Exp(-0x1.9fe368p+6f)), BitsOf(0x1p-149f));
  EXPECT_EQ(BitsOf(Exp(-0x1.9fe36ap+6f)), BitsOf(0.0f));
  // A subnormal result is rounded once, to the spacing 2^-149.
  EXPECT_EQ(Exp(-100.0f), 27 * 0x1p-149f);  // exp(-100) = 26.55 * 2^-149
}

TEST(Functions, TinyInputs) {
  for (const float x : {0x1p-149f, -0x1p-149f, 0x1.8p-127f}) {
    EXPECT_EQ(Exp(x), 1.0f);
    EXPECT_EQ(Cos(x), 1.0f);
    EXPECT_EQ(Sin(x), x);
    EXPECT_EQ(Log1p(x), x);
  }
  EXPECT_EQ(Erf(0x1p-149f), 0x1p-149f);  // 1.128 spacings
  EXPECT_EQ(Erf(4.0f), 1.0f);
}

// Every input on which the same evaluation, its last sum rounded to binary64 by nearest even in
// place of to odd, rounds twice and ends one step off (found by running it on all 2^32).
TEST(Functions, HardCases) {
  EXPECT_EQ(Log(0x1.827a74p-7f), -0x1.1c2b1ep+2f);
  EXPECT_EQ(Log(0x1.2f1fd6p+3f), 0x1.1fcbcep+1f);
  EXPECT_EQ(Log(0x1.bacb4ap+25f), 0x1.1e0696p+4f);
  EXPECT_EQ(Log(0x1.b121a6p+76f), 0x1.a9a3f2p+5f);
  EXPECT_EQ(Log(0x1.6351d8p+95f), 0x1.08b512p+6f);
  EXPECT_EQ(Log1p(0x1.800006p-21f), 0x1.7ffffep-21f);
  EXPECT_EQ(Log1p(0x1.200036p-17f), 0x1.1fffe6p-17f);
  EXPECT_EQ(Log1p(0x1.fb035ap-2f), 0x1.9bddc2p-2f);
  EXPECT_EQ(Log1p(0x1.0f1fd6p+3f), 0x1.1fcbcep+1f);
  EXPECT_EQ(Log1p(0x1.b121a6p+76f), 0x1.a9a3f2p+5f);
  EXPECT_EQ(Log1p(0x1.6351d8p+95f), 0x1.08b512p+6f);
  EXPECT_EQ(Log1p(-0x1.7ffffap-21f), -0x1.800002p-21f);
  EXPECT_EQ(Log1p(-0x1.1fffcap-17f), -0x1.20001ap-17f);
  EXPECT_EQ(Log1p(-0x1.1d9188p-9f), -0x1.1de14ap-9f);
  EXPECT_EQ(Sin(0x1.33333p+13f), -0x1.63f4bap-2f);
  EXPECT_EQ(Sin(-0x1.33333p+13f), 0x1.63f4bap-2f);
}

// Every 4099th pattern. 4099 is prime, so that all low bits and exponents are met.
TEST(Functions, SameBitsInEveryBuild) {
  for (const Function& f : kFunctions) {
    uint64_t checksum = 0xcbf29ce484222325;  // FNV-1a over the 32-bit results
    for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4099) {
      checksum ^= BitsOf(f.ours(FloatOf(static_cast<uint32_t>(bits))));
      checksum *= 0x100000001b3;
    }
    EXPECT_EQ(checksum, f.checksum) << f.name << ": " << std::hex << checksum;
  }
}

TEST(Functions, EqualMpfrOnASample) {
  const mpfr_exp_t emin = mpfr_get_emin();
  const mpfr_exp_t emax = mpfr_get_emax();
  mpfr_set_emin(-148);  // binary32: 2^-149 to 2^128
  mpfr_set_emax(128);
  mpfr_t x, y;
  mpfr_init2(x, 24);
  mpfr_init2(y, 24);
  for (const Function& f : kFunctions) {
    int compared = 0;
    for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 1048583) {  // prime
      const float argument = FloatOf(static_cast<uint32_t>(bits));
      if (!f.defined(argument)) {
        EXPECT_EQ(BitsOf(f.ours(argument)), kCanonicalNan) << f.name << " of " << argument;
        continue;
      }
      mpfr_set_flt(x, argument, MPFR_RNDN);
      mpfr_subnormalize(y, f.mpfr(y, x, MPFR_RNDN), MPFR_RNDN);
      EXPECT_EQ(BitsOf(f.ours(argument)), BitsOf(mpfr_get_flt(y, MPFR_RNDN)))
          << f.name << " of " << std::hexfloat << argument;
      ++compared;
    }
    EXPECT_GT(compared, 1000) << f.name;
  }
  mpfr_clear(x);
  mpfr_clear(y);
  mpfr_set_emin(emin);
  mpfr_set_emax(emax);
}

}  // namespace
}  // namespace touchstone
