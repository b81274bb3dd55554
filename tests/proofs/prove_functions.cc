// prove_functions: the proof of rule N5, that every elementary function is correctly rounded.
//
// Each function is run on all 2^32 binary32 inputs. Let d be its binary64 value before the one
// rounding. The derivation in functions.h bounds |d - f(x)| by 2^-51 |f(x)|, so the real f(x) lies
// between d (1 - 2^-40) and d (1 + 2^-40). If both round to the result, then so does f(x), rounding
// being monotonic. This holds for subnormal results and at overflow too. Any other input, and any
// whose d is zero or infinite, goes to MPFR, set to the precision and exponent range of binary32.
// Inputs outside the domain must give exactly the canonical NaN, inputs inside must not.
//
// The bound itself is checked too, as a cross-check of the derivation: on 2^20 inputs a function
// against MPFR at 120 bits. RopePower is checked on every argument that a RoPE table uses.
//
//   prove_functions [--function exp|log|log1p|sin|cos|erf|power]... [--threads N]
//
// Exit status: 0 all proved, 1 something is wrong, 2 usage.
#include <mpfr.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "reference/arithmetic/functions.h"
#include "reference/arithmetic/rope_power.h"
#include "reference/formats/require.h"
#include "tests/proofs/proof_crew.h"
#include "tests/proofs/proof_table.h"

namespace touchstone {
namespace {

constexpr uint64_t kInputs = uint64_t{1} << 32;
constexpr uint32_t kBlock = 4096;
constexpr uint32_t kBlocksPerTask = 256;
constexpr uint32_t kTasks = uint32_t{1} << 12;
constexpr double kFilterWidth = 0x1p-40;
constexpr uint32_t kCanonicalNan = 0x7fc00000;

// kFilterWidth must exceed the bound, plus one rounding each of d (1 - width) and d (1 + width).
static_assert(kFilterWidth > 2 * binary64::kErrorBound + 0x1p-52);

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

// Patterns first..last, and the same with the sign bit if mirrored: where the bound is sampled.
struct Interval {
  float first;
  float last;
  bool mirrored;
};

// What the proof knows of each function: the header's, MPFR's, the domain, and where to sample.
// Exp, Sin, Cos and Erf are sampled where x is not clamped.
struct ProofOfExp {
  static constexpr const char* kName = "exp";
  static constexpr Interval kEverywhere = {0x1p-60f, 100.0f, true};
  static constexpr Interval kClose = {0.25f, 100.0f, true};
  static float Rounded(float x) { return Exp(x); }
  static double Wide(double x) { return binary64::Exp(x); }
  static int Mpfr(mpfr_t y, mpfr_t x) { return mpfr_exp(y, x, MPFR_RNDN); }
  static bool Defined(float x) { return x == x; }
};

struct ProofOfLog {
  static constexpr const char* kName = "log";
  static constexpr Interval kEverywhere = {0x1p-149f, 0x1.fffffep+127f, false};
  static constexpr Interval kClose = {0.5f, 2.0f, false};
  static float Rounded(float x) { return Log(x); }
  static double Wide(double x) { return binary64::Log(x); }
  static int Mpfr(mpfr_t y, mpfr_t x) { return mpfr_log(y, x, MPFR_RNDN); }
  static bool Defined(float x) { return x >= 0.0f; }
};

struct ProofOfLog1p {
  static constexpr const char* kName = "log1p";
  static constexpr Interval kEverywhere = {0x1p-149f, 0x1.fffffep+127f, false};
  static constexpr Interval kClose = {0x1p-149f, 0x1.fffffep-1f, true};
  static float Rounded(float x) { return Log1p(x); }
  static double Wide(double x) { return binary64::Log1p(x); }
  static int Mpfr(mpfr_t y, mpfr_t x) { return mpfr_log1p(y, x, MPFR_RNDN); }
  static bool Defined(float x) { return x >= -1.0f; }
};

struct ProofOfSin {
  static constexpr const char* kName = "sin";
  static constexpr Interval kEverywhere = {0x1p-149f, 0x1.fffffep+23f, true};
  static constexpr Interval kClose = {0.5f, 0x1.fffffep+23f, true};
  static float Rounded(float x) { return Sin(x); }
  static double Wide(double x) { return binary64::Sin(x); }
  static int Mpfr(mpfr_t y, mpfr_t x) { return mpfr_sin(y, x, MPFR_RNDN); }
  static bool Defined(float x) { return (x > -0x1p+24f) & (x < 0x1p+24f); }
};

struct ProofOfCos {
  static constexpr const char* kName = "cos";
  static constexpr Interval kEverywhere = ProofOfSin::kEverywhere;
  static constexpr Interval kClose = ProofOfSin::kClose;
  static float Rounded(float x) { return Cos(x); }
  static double Wide(double x) { return binary64::Cos(x); }
  static int Mpfr(mpfr_t y, mpfr_t x) { return mpfr_cos(y, x, MPFR_RNDN); }
  static bool Defined(float x) { return ProofOfSin::Defined(x); }
};

struct ProofOfErf {
  static constexpr const char* kName = "erf";
  static constexpr Interval kEverywhere = {0x1p-149f, 0x1.fffffep+1f, true};
  static constexpr Interval kClose = {0x1p-6f, 0x1.fffffep+1f, true};
  static float Rounded(float x) { return Erf(x); }
  static double Wide(double x) { return binary64::Erf(x); }
  static int Mpfr(mpfr_t y, mpfr_t x) { return mpfr_erf(y, x, MPFR_RNDN); }
  static bool Defined(float x) { return x == x; }
};

// An MPFR number that frees itself.
class Number {
 public:
  explicit Number(mpfr_prec_t bits) { mpfr_init2(value_, bits); }
  ~Number() { mpfr_clear(value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  operator mpfr_ptr() { return value_; }

 private:
  mpfr_t value_;
};

// The exponent range is a thread's own; binary32 is 2^-149 .. 2^128 in MPFR's terms below.
void UseExponentsOfBinary32() {
  mpfr_set_emin(-148);
  mpfr_set_emax(128);
}

void UseAllExponents() {
  mpfr_set_emin(mpfr_get_emin_min());
  mpfr_set_emax(mpfr_get_emax_max());
}

// RN32(f(x)) by MPFR, with the exponents of binary32.
template <typename Function>
float RoundedByMpfr(float x, Number& argument, Number& result) {
  mpfr_set_flt(argument, x, MPFR_RNDN);
  const int ternary = Function::Mpfr(result, argument);
  mpfr_subnormalize(result, ternary, MPFR_RNDN);
  return mpfr_get_flt(result, MPFR_RNDN);
}

enum Flag : uint32_t { kUndecided = 1, kWrongNan = 2 };

// A comparison as a number: sums and products of these, unlike branches, can be vectorised.
uint32_t One(bool holds) { return static_cast<uint32_t>(holds); }

// Results and flags of kBlock consecutive patterns, without a branch: the compiler vectorises it.
// Returns the union of the flags.
template <typename Function>
__attribute__((noinline, flatten)) uint32_t EvaluateBlock(uint32_t first, uint32_t* results,
                                                          uint32_t* flags) {
  uint32_t any = 0;
  for (uint32_t i = 0; i < kBlock; ++i) {
    const float x = FloatOf(first + i);
    const double wide = Function::Wide(static_cast<double>(x));
    const uint32_t result = BitsOf(Function::Rounded(x));
    const uint32_t below = BitsOf(static_cast<float>(wide * (1.0 - kFilterWidth)));
    const uint32_t above = BitsOf(static_cast<float>(wide * (1.0 + kFilterWidth)));
    const uint32_t decided =
        One(below == result) & One(above == result) & One(wide != 0.0) & One(wide - wide == 0.0);
    const uint32_t is_nan = One((result & 0x7fffffff) > 0x7f800000);
    const uint32_t defined = One(Function::Defined(x));
    const uint32_t right_nan = One(result == kCanonicalNan) & (1 - defined);
    const uint32_t right_number = (1 - is_nan) & defined;
    const uint32_t flag =
        kUndecided * (1 - (is_nan | decided)) + kWrongNan * (1 - (right_nan | right_number));
    results[i] = result;
    flags[i] = flag;
    any |= flag;
  }
  return any;
}

std::string Line(const char* format, double x, double got, double want) {
  char text[160];
  std::snprintf(text, sizeof text, format, x, got, want);
  return text;
}

template <typename Function>
void ProveTask(uint32_t task, ProofTally& tally, Number& argument, Number& value) {
  static thread_local uint32_t results[kBlock];
  static thread_local uint32_t flags[kBlock];
  for (uint32_t block = 0; block < kBlocksPerTask; ++block) {
    const uint32_t first = (task * kBlocksPerTask + block) * kBlock;
    const uint32_t any = EvaluateBlock<Function>(first, results, flags);
    tally.inputs += kBlock;
    if (any == 0) continue;
    for (uint32_t i = 0; i < kBlock; ++i) {
      if (flags[i] == 0) continue;
      const float x = FloatOf(first + i);
      const float got = FloatOf(results[i]);
      if ((flags[i] & kWrongNan) != 0) {
        tally.Mistake(Line("x %a: got %a, a wrong NaN or number", x, got, 0));
        continue;
      }
      ++tally.to_mpfr;
      const float want = RoundedByMpfr<Function>(x, argument, value);
      if (BitsOf(want) != results[i]) {
        tally.Mistake(Line("x %a: got %a, correctly rounded %a", x, got, want));
      }
    }
  }
}

// A pseudo-random walk over patterns (splitmix64).
uint64_t Mix(uint64_t n) {
  n = (n + 1) * 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

float Sample(const Interval& interval, uint64_t n) {
  const uint64_t random = Mix(n);
  const uint32_t first = BitsOf(interval.first);
  const uint64_t count = BitsOf(interval.last) - first + 1;
  const uint32_t sign = interval.mirrored ? static_cast<uint32_t>(random >> 63) << 31 : 0;
  return FloatOf((first + static_cast<uint32_t>((random & 0x7fffffff) % count)) | sign);
}

constexpr uint64_t kSamples = uint64_t{1} << 20;
constexpr uint64_t kSamplesPerTask = uint64_t{1} << 12;

// The largest |d - f(x)| / |f(x)| of the task's samples.
template <typename Function>
double LargestErrorOfTask(uint64_t task) {
  constexpr mpfr_prec_t kPrecision = 120;
  Number argument(24), exact(kPrecision), error(kPrecision);
  double largest = 0.0;
  for (uint64_t i = 0; i < kSamplesPerTask; ++i) {
    const uint64_t n = task * kSamplesPerTask + i;
    const float x = Sample(n % 2 == 0 ? Function::kEverywhere : Function::kClose, n);
    mpfr_set_flt(argument, x, MPFR_RNDN);
    Function::Mpfr(exact, argument);
    if (mpfr_zero_p(exact)) continue;  // log 1
    mpfr_set_d(error, Function::Wide(static_cast<double>(x)), MPFR_RNDN);
    mpfr_sub(error, error, exact, MPFR_RNDA);
    mpfr_div(error, error, exact, MPFR_RNDA);
    largest = std::max(largest, std::fabs(mpfr_get_d(error, MPFR_RNDA)));
  }
  return largest;
}

template <typename Function>
ProofRow Prove(ProofCrew& crew) {
  ProofRow row;
  row.name = Function::kName;
  row.error_bound = binary64::kErrorBound;
  const ProofStopwatch stopwatch;
  std::mutex mutex;

  crew.Run(row.name + ", all inputs", kTasks, [&] {
    UseExponentsOfBinary32();
    auto argument = std::make_shared<Number>(24);
    auto value = std::make_shared<Number>(24);
    return [&row, &mutex, argument, value](uint32_t task) {
      ProofTally tally;
      ProveTask<Function>(task, tally, *argument, *value);
      const std::lock_guard<std::mutex> lock(mutex);
      row.tally.Join(tally);
    };
  });

  crew.Run(row.name + ", error bound", kSamples / kSamplesPerTask, [&] {
    UseAllExponents();
    return [&row, &mutex](uint32_t task) {
      const double largest = LargestErrorOfTask<Function>(task);
      const std::lock_guard<std::mutex> lock(mutex);
      row.measured_error = std::max(row.measured_error, largest);
    };
  });

  if (row.tally.inputs != kInputs) row.tally.Mistake("not every input was run");
  stopwatch.Store(row);
  return row;
}

// The smallest |r| after the reduction of sin and cos, over all x with k != 0; the sign is free.
ProofRow ProveReduction() {
  ProofRow row;
  row.name = "reduction";
  const ProofStopwatch stopwatch;
  double smallest = 1.0;
  float where = 0.0f;
  const uint32_t first = BitsOf(0x1.921fb4p-1f);  // below pi/4
  const uint32_t last = BitsOf(0x1.fffffep+23f);
  for (uint32_t bits = first; bits <= last; ++bits) {
    const double x = static_cast<double>(FloatOf(bits));
    const double r = std::fabs(binary64::ReduceByHalfPi(x).high);
    ++row.tally.inputs;
    if (r < smallest) {
      smallest = r;
      where = FloatOf(bits);
    }
  }
  std::printf("smallest |x - k pi/2| for |x| < 2^24: %a (2^%.2f) at x = %a\n", smallest,
              std::log2(smallest), static_cast<double>(where));
  // The rounding of r.high, u of it, and the third part of pi/2, below 2^-85, are left out.
  if (!(smallest > binary64::kSmallestReduced * (1 + 0x1p-50))) {
    row.tally.Mistake(Line("x %a: |r| %a is below the %a that functions.h states", where, smallest,
                           binary64::kSmallestReduced));
  }
  stopwatch.Store(row);
  return row;
}

// theta of published models, powers of ten, and what is awkward: not exact in binary32, near 1, the
// ends of the range.
std::vector<float> TableBases() {
  std::vector<float> bases = {10000.0f,     500000.0f, 1e6f,        8e6f,     1042.0f,  25000.0f,
                              50000.0f,     160000.0f, 1.6e6f,      5e6f,     5e7f,     29.0f,
                              10.0f / 3.0f, 150000.0f, 11158840.0f, 2.0f,     3.0f,     1.0f,
                              1.0000001f,   65536.0f,  0x1p+40f,    256.0f,   20000.0f, 26000.0f,
                              32000.0f,     40000.0f,  80000.0f,    600000.0f};
  for (float power = 10.0f; power < 2e12f && power <= 0x1p+40f; power *= 10.0f) {
    bases.push_back(power);
  }
  std::sort(bases.begin(), bases.end());
  bases.erase(std::unique(bases.begin(), bases.end()), bases.end());
  return bases;
}

// Every RN32(2 j / D), D even, 2 <= D <= 512.
std::vector<float> TableExponents() {
  std::set<float> exponents;
  for (int D = 2; D <= 512; D += 2) {
    for (int j = 0; j < D / 2; ++j) {
      exponents.insert(static_cast<float>(2 * j) / static_cast<float>(D));
    }
  }
  return {exponents.begin(), exponents.end()};
}

void CheckPower(float theta, float exponent, ProofTally& tally, Number& base, Number& power,
                Number& result) {
  ++tally.inputs;
  ++tally.to_mpfr;
  mpfr_set_flt(base, theta, MPFR_RNDN);
  mpfr_set_flt(power, exponent, MPFR_RNDN);
  mpfr_pow(result, base, power, MPFR_RNDN);
  const float want = mpfr_get_flt(result, MPFR_RNDN);
  try {
    const float got = RopePower(theta, exponent);
    if (BitsOf(got) != BitsOf(want)) {
      tally.Mistake(Line("theta %a: got %a, correctly rounded %a", theta, got, want));
    }
  } catch (const ContractViolation&) {
    tally.Mistake(
        Line("theta %a, exponent %a: refused, correctly rounded %a", theta, exponent, want));
  }
}

// Largest error of the pair before its rounding, on the sampled arguments.
double LargestErrorOfPower(uint64_t samples) {
  constexpr mpfr_prec_t kPrecision = 200;
  UseAllExponents();
  Number base(24), power(24), exact(kPrecision), value(kPrecision), error(kPrecision);
  double largest = 0.0;
  for (uint64_t n = 0; n < samples; ++n) {
    const float theta = Sample({1.0f, 0x1p+40f, false}, 2 * n);
    const float exponent = Sample({0x1p-20f, 0x1.fffffep-1f, false}, 2 * n + 1);
    mpfr_set_flt(base, theta, MPFR_RNDN);
    mpfr_set_flt(power, exponent, MPFR_RNDN);
    mpfr_pow(exact, base, power, MPFR_RNDN);
    const auto [pair, scale] = binary64_pair::ExpOfPair(
        binary64_pair::Scale(static_cast<double>(exponent), binary64_pair::LogOfBase(theta)));
    mpfr_set_d(value, pair.high, MPFR_RNDN);
    mpfr_add_d(value, value, pair.low, MPFR_RNDN);
    mpfr_mul_2si(value, value, scale, MPFR_RNDN);
    mpfr_sub(error, value, exact, MPFR_RNDA);
    mpfr_div(error, error, exact, MPFR_RNDA);
    largest = std::max(largest, std::fabs(mpfr_get_d(error, MPFR_RNDA)));
  }
  return largest;
}

ProofRow ProvePower(ProofCrew& crew) {
  ProofRow row;
  row.name = "power";
  row.error_bound = 0x1p-90;
  const ProofStopwatch stopwatch;
  std::mutex mutex;
  const std::vector<float> bases = TableBases();
  const std::vector<float> exponents = TableExponents();
  crew.Run("power, all tables", static_cast<uint32_t>(bases.size()), [&] {
    UseAllExponents();
    return [&](uint32_t task) {
      ProofTally tally;
      Number base(24), power(24), result(24);
      for (const float exponent : exponents) {
        CheckPower(bases[task], exponent, tally, base, power, result);
      }
      const std::lock_guard<std::mutex> lock(mutex);
      row.tally.Join(tally);
    };
  });
  row.measured_error = LargestErrorOfPower(uint64_t{1} << 16);
  stopwatch.Store(row);
  return row;
}

int Usage() {
  std::fprintf(stderr,
               "usage: prove_functions [--function exp|log|log1p|sin|cos|erf|power]..."
               " [--threads N]\n");
  return 2;
}

int Main(int count, char** arguments) {
  const std::vector<std::string> known = {"exp", "log", "log1p", "sin", "cos", "erf", "power"};
  std::vector<std::string> chosen;
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  for (int i = 1; i < count; ++i) {
    const std::string option = arguments[i];
    if (i + 1 == count) return Usage();
    const std::string value = arguments[++i];
    if (option == "--function" && std::find(known.begin(), known.end(), value) != known.end()) {
      chosen.push_back(value);
    } else if (option == "--threads" && std::atoi(value.c_str()) > 0) {
      threads = static_cast<unsigned>(std::atoi(value.c_str()));
    } else {
      return Usage();
    }
  }
  if (chosen.empty()) chosen = known;
  const auto wanted = [&chosen](const char* name) {
    return std::find(chosen.begin(), chosen.end(), name) != chosen.end();
  };

  ProofCrew crew(threads);
  std::vector<ProofRow> rows;
  if (wanted("exp")) rows.push_back(Prove<ProofOfExp>(crew));
  if (wanted("log")) rows.push_back(Prove<ProofOfLog>(crew));
  if (wanted("log1p")) rows.push_back(Prove<ProofOfLog1p>(crew));
  if (wanted("sin") || wanted("cos")) rows.push_back(ProveReduction());
  if (wanted("sin")) rows.push_back(Prove<ProofOfSin>(crew));
  if (wanted("cos")) rows.push_back(Prove<ProofOfCos>(crew));
  if (wanted("erf")) rows.push_back(Prove<ProofOfErf>(crew));
  if (wanted("power")) rows.push_back(ProvePower(crew));

  return PrintProofTable(rows) ? 0 : 1;
}

}  // namespace
}  // namespace touchstone

int main(int count, char** arguments) { return touchstone::Main(count, arguments); }
