// The manifest: hashes against published digests, and a parser that takes nothing but what the
// writer writes.
#include "golden/manifest.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "reference/formats/contract_version.h"
#include "tests/golden/file_bytes.h"

namespace touchstone::golden {
namespace {

// SHA-256 of no bytes and of "abc" (FIPS 180-2, B.1).
const std::string kHashOfNothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string kHashOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

template <typename T>
Tensor Filled(Dtype dtype, const std::vector<int64_t>& shape, const std::vector<T>& values) {
  Tensor tensor(dtype, shape);
  EXPECT_EQ(tensor.data.size(), values.size() * sizeof(T));
  std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return tensor;
}

TEST(Manifest, HashesTheBytesOfTheElements) {
  EXPECT_EQ(Sha256(Tensor(Dtype::kF32, {0, 80})), kHashOfNothing);
  EXPECT_EQ(Sha256(Filled<char>(Dtype::kInt4, {3}, {'a', 'b', 'c'})), kHashOfAbc);
  // Little endian: the same bytes as two elements of bf16 and as one of f32.
  const std::string hash = Sha256(Filled<uint32_t>(Dtype::kF32, {1}, {0x40490fdb}));
  EXPECT_EQ(Sha256(Filled<uint16_t>(Dtype::kBf16, {2}, {0x0fdb, 0x4049})), hash);
  EXPECT_EQ(Sha256(Filled<uint8_t>(Dtype::kInt4, {4}, {0xdb, 0x0f, 0x49, 0x40})), hash);
}

TEST(Manifest, HashesEveryNanAlike) {
  const auto hash = [](uint32_t bits) {
    return Sha256(Filled<uint32_t>(Dtype::kF32, {1}, {bits}));
  };
  EXPECT_EQ(hash(0xff800001), hash(0x7fc00000));
  EXPECT_NE(hash(0xff800000), hash(0x7fc00000));
  EXPECT_NE(hash(0x80000000), hash(0));
  EXPECT_EQ(Sha256(Filled<uint16_t>(Dtype::kBf16, {1}, {0xff81})),
            Sha256(Filled<uint16_t>(Dtype::kBf16, {1}, {0x7fc0})));
}

TEST(Manifest, ComparesHashDtypeAndShape) {
  const Entry entry = EntryOf(Filled<uint16_t>(Dtype::kBf16, {2}, {1, 2}));
  EXPECT_EQ(entry, EntryOf(Filled<uint16_t>(Dtype::kBf16, {2}, {1, 2})));
  EXPECT_NE(entry, EntryOf(Filled<uint16_t>(Dtype::kBf16, {2}, {1, 3})));
  EXPECT_NE(entry, EntryOf(Filled<uint16_t>(Dtype::kBf16, {2, 1}, {1, 2})));
  EXPECT_NE(entry, EntryOf(Filled<uint32_t>(Dtype::kF32, {1}, {0x00020001})));
}

Manifest Sample() {
  Manifest manifest;
  manifest.entries["ops/rmsnorm.h5:bf16/normal/C80_T3/y"] = {kHashOfAbc, Dtype::kBf16, {3, 80}};
  manifest.entries["ops/rmsnorm.h5:bf16/normal/C80_T3/x"] = {kHashOfNothing, Dtype::kF32, {0, 80}};
  manifest.entries["ops/logits.h5:a"] = {kHashOfAbc, Dtype::kI64, {}};
  manifest.entries["ops/logits.h5:b"] = {
      kHashOfAbc, Dtype::kE4m3, {1, 2, 3, 4, 5, 6, 7, std::numeric_limits<int64_t>::max()}};
  return manifest;
}

TEST(Manifest, WritesItsLines) {
  EXPECT_EQ(FormatManifest(Sample()),
            "# The SHA-256 of every tensor in the golden files: hash, dtype, extents, file:path.\n"
            "# contract 1\n" +
                kHashOfAbc + "  i64  scalar  ops/logits.h5:a\n" + kHashOfAbc +
                "  e4m3  1x2x3x4x5x6x7x9223372036854775807  ops/logits.h5:b\n" + kHashOfNothing +
                "  f32  0x80  ops/rmsnorm.h5:bf16/normal/C80_T3/x\n" + kHashOfAbc +
                "  bf16  3x80  ops/rmsnorm.h5:bf16/normal/C80_T3/y\n");
}

TEST(Manifest, ReadsWhatItWrote) {
  const TemporaryFolder folder;
  const std::string file = folder.File("MANIFEST");
  WriteManifest(file, Sample());
  EXPECT_EQ(ReadManifest(file).entries, Sample().entries);
  EXPECT_EQ(BytesOf(file), FormatManifest(Sample()));
  WriteManifest(file, {});  // replaces it
  EXPECT_TRUE(ReadManifest(file).entries.empty());
  std::filesystem::remove(file);
  EXPECT_TRUE(folder.IsEmpty());
}

TEST(Manifest, RefusesEntriesThatCouldNotBeReadBack) {
  const auto format = [](const std::string& name, const Entry& entry) {
    Manifest manifest;
    manifest.entries[name] = entry;
    return FormatManifest(manifest);
  };
  const Entry good{kHashOfAbc, Dtype::kF32, {1}};
  EXPECT_NE(format("f:p", good), "");
  for (const std::string name : {"", "f", ":p", "f:", "f:a b", "f:p\n"}) {
    EXPECT_THROW(format(name, good), ContractViolation) << name;
  }
  EXPECT_THROW(format("f:p", {"abc", Dtype::kF32, {1}}), ContractViolation);
  EXPECT_THROW(format("f:p", {kHashOfAbc, Dtype::kF32, std::vector<int64_t>(9, 1)}),
               ContractViolation);
}

TEST(Manifest, LeavesWhatWasThereWhereItCannotWrite) {
  const TemporaryFolder folder;
  EXPECT_THROW(WriteManifest(folder.File("absent/MANIFEST"), Sample()), std::runtime_error);
  std::filesystem::create_directory(folder.File("taken"));
  EXPECT_THROW(WriteManifest(folder.File("taken"), Sample()), std::runtime_error);
  std::filesystem::remove(folder.File("taken"));
  EXPECT_TRUE(folder.IsEmpty());
}

std::string Refusal(const std::string& text) {
  return MessageOf<BadFile>([&] { ParseManifest(text, "M"); });
}

const std::string kHead = "# contract 1\n";
const std::string kGoodLine = kHashOfAbc + "  f32  2x3  f:b\n";

TEST(Manifest, TakesAnyComments) {
  EXPECT_EQ(ParseManifest("#\n# x\n" + kHead + "# y\n" + kGoodLine, "M").entries.size(), 1u);
  EXPECT_TRUE(ParseManifest(kHead, "M").entries.empty());
}

TEST(Manifest, NeedsTheVersionOfTheContract) {
  EXPECT_EQ(Refusal(""), "M: line 1: found the end, expected '# contract 1'");
  EXPECT_EQ(Refusal("# x\n"), "M: line 2: found the end, expected '# contract 1'");
  EXPECT_EQ(Refusal("# contract 7\n"),
            "M: line 1: found contract version 7, expected 1, that of this program");
  EXPECT_EQ(Refusal("# contract 01\n"),
            "M: line 1: found contract version '01', expected a whole number");
  EXPECT_EQ(Refusal("# contract one\n"),
            "M: line 1: found contract version 'one', expected a whole number");
  EXPECT_EQ(Refusal(kHead + kHead), "M: line 2: found a second contract line, expected one");
  EXPECT_EQ(Refusal("#\nrubbish\n"),
            "M: line 2: found 'rubbish', expected '# contract 1' before the first entry");
  // After the first entry a comment is a bad entry.
  EXPECT_NE(Refusal(kHead + kGoodLine + kHead), "");
}

TEST(Manifest, RefusesBadLines) {
  const std::string rest = "  f32  2x3  f:b\n";
  const auto line2 = [](const std::string& line) { return Refusal(kHead + line); };
  const std::string start = "M: line 2: found ";
  EXPECT_EQ(line2(kGoodLine), "");
  EXPECT_EQ(line2(kHashOfAbc + "  f32  2x3  f:b"),
            start + "the end of the file inside a line, expected a whole line");
  const std::string fields = "expected hash, dtype, extents and name, two spaces between";
  EXPECT_EQ(line2("\n"), start + "'', " + fields);
  EXPECT_EQ(line2("<<<<<<< ours\n"), start + "'<<<<<<< ours', " + fields);
  EXPECT_EQ(line2("a  f32  2x3\n"), start + "'a  f32  2x3', " + fields);

  const std::string hex = "expected 64 lower-case hex digits";
  EXPECT_EQ(line2("abc" + rest), start + "the hash 'abc', " + hex);
  std::string upper = kHashOfAbc;
  upper[0] = 'B';
  EXPECT_EQ(line2(upper + rest), start + "the hash '" + upper + "', " + hex);
  EXPECT_EQ(line2(kHashOfAbc + "0" + rest), start + "the hash '" + kHashOfAbc + "0', " + hex);
  EXPECT_EQ(line2(" " + kHashOfAbc + rest), start + "the hash ' " + kHashOfAbc + "', " + hex);

  EXPECT_EQ(line2(kHashOfAbc + "  f16  2x3  f:b\n"),
            start + "the dtype 'f16', expected one of f32 bf16 e4m3 e5m2 e8m0 int4 i64");
  const auto with_shape = [&](const std::string& shape) {
    return line2(kHashOfAbc + "  f32  " + shape + "  f:b\n");
  };
  const auto bad_shape = [&](const std::string& shape) {
    return start + "the extents '" + shape + "', expected up to 8 of them, like 3x80, or 'scalar'";
  };
  for (const std::string shape : {"", "x", "2x", "x3", "2xx3", "-1", "+1", "02", "2X3", " 2",
                                  "9223372036854775808", "1x1x1x1x1x1x1x1x1", "Scalar", "2x3x"}) {
    EXPECT_EQ(with_shape(shape), bad_shape(shape));
  }
  const auto with_name = [&](const std::string& name) {
    return line2(kHashOfAbc + "  f32  2x3  " + name + "\n");
  };
  const auto bad_name = [&](const std::string& name) {
    return start + "the name '" + name + "', expected <file>:<path>";
  };
  for (const std::string name : {"", "f", ":b", "f:", "f:b ", "f:b  g"}) {
    EXPECT_EQ(with_name(name), bad_name(name));
  }
  EXPECT_EQ(line2(kHashOfAbc + "  f32  2x3  f:b\r\n"),
            start + "the name 'f:b\\x0d', expected <file>:<path>");
}

TEST(Manifest, RefusesNamesTwiceOrOutOfOrder) {
  EXPECT_EQ(Refusal(kHead + kGoodLine + kGoodLine),
            "M: line 3: found the name 'f:b' a second time, expected each once");
  EXPECT_EQ(Refusal(kHead + kGoodLine + kHashOfAbc + "  f32  2x3  f:a\n"),
            "M: line 3: found the name 'f:a' after 'f:b', expected names sorted");
}

TEST(Manifest, SaysWhichFileCannotBeRead) {
  const TemporaryFolder folder;
  for (const std::string& file : {folder.File("absent"), folder.path().string()}) {
    EXPECT_EQ(MessageOf<BadFile>([&] { ReadManifest(file); }),
              file + ": found no such regular file, expected a manifest");
  }
  const std::string file = folder.File("MANIFEST");
  SetBytes(file, "# contract " + std::to_string(kContractVersion + 1) + "\n");
  EXPECT_EQ(MessageOf<BadFile>([&] { ReadManifest(file); }).rfind(file + ": line 1: ", 0), 0u);
}

}  // namespace
}  // namespace touchstone::golden
