// bits --threads N OUTFILE: writes the bits of every op of reference/ops.def, in both recipes, and
// of the arithmetic under them, on fixed inputs. Any build of the reference, on any machine and any
// number of threads, writes the same bytes; tests/all/bits compares their hash with MANIFEST.
//
// The inputs cross the slices of the chain, the blocks of the attention, its chunks, the rows that
// are summed side by side and the 256 lanes, and hold NaN, infinities and subnormals.
//
// Exit status: 0 written, 1 an op threw or a section is too small, 2 usage.
#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>

#include "tests/bits/cases.h"

namespace touchstone::bits {
namespace {

void RunAll(Output& out, int threads) {
  RunArithmetic(out);
#define OP(word, Function)         \
  out.Begin(#word " f32");         \
  Run_##word<float>(out, threads); \
  out.Begin(#word " bf16");        \
  Run_##word<Bf16>(out, threads);
#define OP_F32(word, Function) \
  out.Begin(#word);            \
  Run_##word(out, threads);
#define CHAIN(word, parts)  // adds no formula
#include "reference/ops.def"
#undef OP
#undef OP_F32
#undef CHAIN
}

int Main(int count, char** arguments) {
  int threads = 0;
  if (count == 4 && std::string(arguments[1]) == "--threads") {
    const std::string text = arguments[2];
    std::from_chars(text.data(), text.data() + text.size(), threads);
  }
  if (threads < 1) {
    std::fprintf(stderr, "usage: bits --threads N OUTFILE\n");
    return 2;
  }
  Output out;
  RunAll(out, threads);
  const std::string& bytes = out.Finish();
  std::ofstream file(arguments[3], std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error(std::string("cannot write ") + arguments[3]);
  return 0;
}

}  // namespace
}  // namespace touchstone::bits

int main(int count, char** arguments) {
  try {
    return touchstone::bits::Main(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bits: %s\n", error.what());
    return 1;
  }
}
