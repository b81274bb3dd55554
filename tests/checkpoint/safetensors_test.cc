#include "reference/checkpoint/safetensors.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "reference/formats/require.h"
#include "tests/checkpoint/written.h"

namespace touchstone::checkpoint {
namespace {

constexpr char kSound[] = R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";

Entries Parse(const std::string& bytes) {
  return ParseSafetensors(std::as_bytes(std::span(bytes)), "f");
}

void Refused(const std::string& bytes, const std::string& text) {
  ExpectBad([&bytes] { Parse(bytes); }, text);
}

// With two bytes of data.
void RefusedHeader(const std::string& header, const std::string& text) {
  Refused(FileOf(header, "ab"), text);
}

// A tensor with this shape and these offsets, as JSON, in a file of two bytes of data.
void RefusedTensor(const std::string& dtype, const std::string& shape, const std::string& offsets,
                   const std::string& text) {
  RefusedHeader(
      "{\"x\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}",
      text);
}

TEST(Safetensors, ASoundFileGivesItsEntries) {
  const std::string bytes = FileOf("{" + TensorJson("b", "U8", "[2]", 0, 2) + "," +
                                       TensorJson("a", "I16", "[1,2]", 2, 6) + "}  ",
                                   "abcdef");
  const Entries entries = Parse(bytes);
  ASSERT_EQ(entries.size(), 2u);
  const Entry& a = entries.at("a");
  EXPECT_EQ(a.dtype, "I16");
  EXPECT_EQ(a.shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(a.bytes, 4u);
  EXPECT_EQ(std::memcmp(a.data, "cdef", 4), 0);
  EXPECT_EQ(std::memcmp(entries.at("b").data, "ab", 2), 0);
}

TEST(Safetensors, WhatIsUnusualButSoundIsAccepted) {
  EXPECT_TRUE(Parse(FileOf("{}", "")).empty());
  EXPECT_EQ(Parse(FileOf(R"({"__metadata__":{"format":"pt"},)" + std::string(kSound).substr(1) +
                             "       ",
                         "ab"))
                .size(),
            1u);
  const Entries entries = Parse(FileOf("{" + TensorJson("scalar", "U8", "[]", 0, 1) + "," +
                                           TensorJson("none", "F32", "[0]", 1, 1) + "," +
                                           TensorJson("wide", "F32", "[0,99999999]", 1, 1) + "," +
                                           TensorJson("pair", "F4", "[2]", 1, 2) + "," +
                                           TensorJson("\xc3\xa9\\u0000", "U8", "[0]", 2, 2) + "}",
                                       "ab"));
  EXPECT_EQ(entries.size(), 5u);
  EXPECT_TRUE(entries.at("scalar").shape.empty());
  EXPECT_EQ(entries.at("wide").bytes, 0u);
  EXPECT_EQ(entries.count(std::string("\xc3\xa9\0", 3)), 1u);
}

TEST(Safetensors, Rule1TheHeaderLiesInTheFile) {
  const std::string sound = FileOf(kSound, "ab");
  for (size_t bytes = 0; bytes < sound.size(); ++bytes) {
    SCOPED_TRACE(bytes);
    Refused(sound.substr(0, bytes), "expected");
  }
  Refused("", "0 bytes, expected the 8 of the header's length at least");
  Refused("1234567", "7 bytes, expected the 8");
  Refused(Length(3) + "{}", "a header of 3 bytes, expected at most 2, which the file has");
  Refused(Length(std::numeric_limits<uint64_t>::max()) + "{}", "expected at most 2");
  Refused(Length(std::numeric_limits<uint64_t>::max() - 7) + "{}", "expected at most 2");
  Refused(Length(uint64_t{1} << 63) + "{}", "expected at most 2");
  // Of a file that would be long enough.
  std::string large(100'000'009, ' ');
  large.replace(0, 10, Length(100'000'001) + "{}");
  Refused(large, "a header of 100000001 bytes, expected at most 100000000, the limit");
  large.replace(0, 8, Length(100'000'000));
  large.pop_back();
  EXPECT_TRUE(Parse(large).empty());
}

TEST(Safetensors, Rule2TheHeaderIsUtf8AndBeginsWithABrace) {
  RefusedHeader("", "begins with '', expected '{'");
  RefusedHeader(" " + std::string(kSound), "begins with ' {\"', expected '{'");
  RefusedHeader("\xef\xbb\xbf" + std::string(kSound), "begins with '\\xef\\xbb\\xbf'");
  for (const char* const name : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xc3"}) {
    RefusedHeader("{" + TensorJson(name, "U8", "[2]", 0, 2) + "}", "expected valid JSON in UTF-8");
  }
  RefusedHeader("{" + TensorJson("\\ud800", "U8", "[2]", 0, 2) + "}", "expected valid JSON");
  RefusedHeader(std::string(kSound) + "\xff", "'\\xff', expected valid JSON in UTF-8");
}

TEST(Safetensors, Rule3TheHeaderIsOneObjectOfPlainObjects) {
  RefusedHeader("{", "the end, expected valid JSON");
  RefusedHeader("{not json}", "byte 2 of the JSON: 'o'");
  RefusedHeader(std::string(kSound) + "{}", "expected valid JSON");
  RefusedHeader(std::string(kSound) + std::string("\0{}", 3), "'\\x00', expected valid JSON");
  RefusedHeader("{/**/" + std::string(kSound).substr(1), "expected valid JSON");
  RefusedHeader(R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},})", "expected valid JSON");
  RefusedHeader(R"({"x":1})", "'x' is or holds 1, expected an object");
  RefusedHeader(R"({"x":[1]})", "'x' is or holds a list, expected an object");
  RefusedHeader(R"({"x":{"shape":{"dtype":1}}})", "'x', 'shape' is or holds an object");
  RefusedHeader(R"({"x":{"shape":[{}]}})", "is or holds an object");
  RefusedHeader(R"({"x":{"shape":[[2]]}})", "is or holds a list");
  RefusedHeader("{\"x\":" + std::string(1'000'000, '['), "a list, expected an object");
  std::string deep = "{";
  for (int i = 0; i < 100'000; ++i) deep += "\"x\":{";
  RefusedHeader(deep, "an object, expected a plain value");
  RefusedHeader(R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"y":0}})", "the key 'y'");
  RefusedHeader(R"({"x":{"dtype":"U8","shape":[2]}})", "no data_offsets, expected");
  RefusedHeader(R"({"x":{"dtype":"U8","data_offsets":[0,2]}})", "no shape, expected");
  RefusedHeader(R"({"x":{"shape":[2],"data_offsets":[0,2]}})", "no dtype, expected");
  RefusedHeader(R"({"x":{}})", "no dtype");
  // What one tensor has is not left for the next.
  const std::string after = "{" + TensorJson("w", "U8", "[2]", 0, 2) + ",\"x\":{";
  RefusedHeader(after + R"("shape":[0],"data_offsets":[2,2]}})", "'x': no dtype");
  RefusedHeader(after + R"("dtype":"U8","data_offsets":[0,2]}})", "'x': no shape");
  RefusedHeader(after + R"("dtype":"U8","shape":[2]}})", "'x': no data_offsets");
}

TEST(Safetensors, Rule3NoKeyIsThereTwice) {
  const std::string x = TensorJson("x", "U8", "[2]", 0, 2);
  RefusedHeader("{" + x + "," + x + "}", "the key 'x' twice");
  RefusedHeader("{" + x + "," + TensorJson("\\u0078", "U8", "[2]", 0, 2) + "}", "'x' twice");
  RefusedHeader(R"({"x":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                "'x': the key 'dtype' twice");
  RefusedHeader(R"({"x":{"dtype":"U8","shape":[2],"shap\u0065":[2],"data_offsets":[0,2]}})",
                "'x': the key 'shape' twice");
  RefusedHeader(R"({"__metadata__":{"a":"","a":""}})", "'__metadata__': the key 'a' twice");
  RefusedHeader(R"({"__metadata__":{},"__metadata__":{}})", "the key '__metadata__' twice");
}

TEST(Safetensors, Rule4MetadataMapTextToText) {
  RefusedHeader(R"({"__metadata__":{"a":1}})", "'__metadata__': 'a' is 1, expected text");
  RefusedHeader(R"({"__metadata__":{"a":null}})", "'a' is null, expected text");
  RefusedHeader(R"({"__metadata__":{"a":["b"]}})", "'a' is a list that holds the text 'b'");
  RefusedHeader(R"({"__metadata__":"pt"})", "expected an object");
  RefusedHeader(R"({"__metadata__":null})", "null, expected an object");
}

TEST(Safetensors, Rule5TheDtypeIsKnown) {
  RefusedTensor("\"F7\"", "[2]", "[0,2]", "dtype is the text 'F7', expected one that safetensors");
  RefusedTensor("\"u8\"", "[2]", "[0,2]", "dtype is the text 'u8'");
  RefusedTensor("\"\\u001b[2J\"", "[2]", "[0,2]", "dtype is the text '\\x1b[2J'");
  RefusedTensor("\"\"", "[2]", "[0,2]", "dtype is the text ''");
  RefusedTensor("8", "[2]", "[0,2]", "dtype is 8");
  RefusedTensor("null", "[2]", "[0,2]", "dtype is null");
}

TEST(Safetensors, Rule6ShapesAreUnsignedAndTheirProductFits) {
  for (const char* const shape :
       {"[2.0]", "[2e0]", "[-0]", "[-2]", "[\"2\"]", "[true]", "[null]", "2", "\"2\"", "null",
        "[9223372036854775808]", "[18446744073709551615]", "[18446744073709551616]"}) {
    SCOPED_TRACE(shape);
    RefusedTensor("\"U8\"", shape, "[0,2]", "expected a list of unsigned integers below 2^63");
  }
  for (const char* const shape :
       {"[4294967296,4294967296]", "[9223372036854775807,2]", "[9223372036854775807]",
        "[1152921504606846976]", "[4294967296,4294967296,4294967296,4294967296]",
        "[0,9223372036854775807,9223372036854775807]", "[4611686018427387904,4,0]"}) {
    SCOPED_TRACE(shape);
    RefusedTensor("\"U8\"", shape, "[0,2]", "expected less than 2^63 bits of data");
  }
  RefusedTensor("\"U8\"", "[02]", "[0,2]", "expected valid JSON");
}

TEST(Safetensors, Rule7OffsetsSpanWhatTheShapeNeeds) {
  RefusedTensor("\"U8\"", "[3]", "[0,2]", "data_offsets [0, 2] span 2 bytes, expected 3");
  RefusedTensor("\"U8\"", "[1]", "[0,2]", "expected 1 for shape [1] of U8");
  RefusedTensor("\"F32\"", "[2]", "[0,2]", "expected 8 for shape [2] of F32");
  RefusedTensor("\"U8\"", "[0]", "[0,2]", "expected 0 for shape [0] of U8");
  RefusedTensor("\"U8\"", "[2]", "[2,0]", "data_offsets are [2, 0], expected [begin, end]");
  RefusedTensor("\"U8\"", "[2]", "[2]", "data_offsets are [2], expected [begin, end]");
  RefusedTensor("\"U8\"", "[2]", "[0,1,2]", "data_offsets are [0, 1, 2]");
  RefusedTensor("\"U8\"", "[2]", "[-1,1]", "data_offsets is a list that holds a number with a");
  RefusedTensor("\"U8\"", "[2]", "[0,2.0]", "data_offsets is a list that holds a number that is");
  RefusedTensor("\"U8\"", "[2]", "[18446744073709551615,1]", "below 2^63");
  RefusedTensor("\"F4\"", "[3]", "[0,2]", "12 bits, expected whole bytes");
  RefusedTensor("\"F6_E2M3\"", "[2]", "[0,2]", "12 bits, expected whole bytes");
}

TEST(Safetensors, Rule8NoHolesAndNoOverlap) {
  const auto two = [](const std::string& first, const std::string& second) {
    return FileOf("{" + first + "," + second + "}", "abcd");
  };
  Refused(two(TensorJson("a", "U8", "[1]", 0, 1), TensorJson("b", "U8", "[2]", 2, 4)),
          "'b': its data begin at 2, expected where the tensor before it ends, at 1");
  Refused(two(TensorJson("a", "U8", "[3]", 0, 3), TensorJson("b", "U8", "[2]", 2, 4)),
          "'b': its data begin at 2, expected where the tensor before it ends, at 3");
  Refused(two(TensorJson("a", "U8", "[4]", 0, 4), TensorJson("b", "U8", "[4]", 0, 4)),
          "begin at 0, expected where the tensor before it ends, at 4");
  Refused(two(TensorJson("a", "U8", "[4]", 0, 4), TensorJson("b", "U8", "[0]", 2, 2)),
          "'b': its data begin at 2");
  Refused(two(TensorJson("a", "U8", "[1]", 1, 2), TensorJson("b", "U8", "[2]", 2, 4)),
          "'a': its data begin at 1, expected where the tensor before it ends, at 0");
  Refused(FileOf("{" + TensorJson("a", "U8", "[0]", 5, 5) + "}", ""), "begin at 5");
}

TEST(Safetensors, Rule9TheLastTensorEndsTheFile) {
  Refused(FileOf(kSound, "a"), "1 bytes of data, expected those of the tensors, 2");
  Refused(FileOf(kSound, "abc"), "3 bytes of data, expected those of the tensors, 2");
  Refused(FileOf("{}", "a"), "1 bytes of data, expected those of the tensors, 0");
}

// Rule 10: the header makes every alignment of the data.
TEST(Safetensors, Rule10DataOfAnyAlignmentAreCopied) {
  const TemporaryFolder folder;
  const std::vector<uint32_t> bits{0x3f800000, 0x80000000, 0x7fa00001, 0xff800000, 0x00000001, 7};
  const std::string data(reinterpret_cast<const char*>(bits.data()), 24);
  const std::string header = "{" + TensorJson("x", "F32", "[3,2]", 0, 24) + "}";
  for (size_t spaces = 0; spaces < 8; ++spaces) {
    const std::string path = folder.Write("f", FileOf(header + std::string(spaces, ' '), data));
    const SafetensorsFile file(path);
    const Tensor x = file.Read("x");
    EXPECT_EQ(x.dtype, Dtype::kF32);
    EXPECT_EQ(x.shape, (std::vector<int64_t>{3, 2}));
    ASSERT_EQ(x.data.size(), 24u);
    EXPECT_EQ(std::memcmp(x.data.data(), bits.data(), 24), 0);
    const Tensor row = file.ReadRows("x", 1, 1);
    EXPECT_EQ(row.shape, (std::vector<int64_t>{1, 2}));
    EXPECT_EQ(std::memcmp(row.data.data(), bits.data() + 2, 8), 0);
  }
}

// Rule 11.
TEST(Safetensors, Rule11OnlyRegularFilesAreMapped) {
  const TemporaryFolder folder;
  const auto open = [](const std::string& path) {
    ExpectBad([&path] { SafetensorsFile file(path); }, path);
  };
  open(folder.File("missing"));
  open(folder.path());
  open(folder.Write("empty", ""));
  const std::string pipe = folder.File("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  open(pipe);
  // What is read needs no right to write.
  const std::string path = folder.Write("f", FileOf(kSound, "ab"));
  ASSERT_EQ(chmod(path.c_str(), 0400), 0);
  EXPECT_EQ(SafetensorsFile(path).names(), std::vector<std::string>{"x"});
}

class SafetensorsRead : public testing::Test {
 protected:
  SafetensorsRead() {
    const std::string path = folder_.Write(
        "f", FileOf("{" + TensorJson("half", "F16", "[1]", 0, 2) + "," +
                        TensorJson("bf16", "BF16", "[3,1]", 2, 8) + "," +
                        TensorJson("scalar", "F32", "[]", 8, 12) + "," +
                        TensorJson("flat", "F32", "[2,0]", 12, 12) + "," +
                        TensorJson("none", "F32", "[0,5]", 12, 12) + "}",
                    std::string("\x01\x02\x80\x3f\xa1\x7f\x00\x80\x00\x00\x40\x40", 12)));
    file_ = std::make_unique<SafetensorsFile>(path);
  }

  TemporaryFolder folder_;
  std::unique_ptr<SafetensorsFile> file_;
};

TEST_F(SafetensorsRead, GivesTheBitsOfTheFile) {
  EXPECT_EQ(file_->names(), (std::vector<std::string>{"bf16", "flat", "half", "none", "scalar"}));
  const Tensor bf16 = file_->Read("bf16");
  EXPECT_EQ(bf16.shape, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(bf16.values<Bf16>()[0].bits, 0x3f80);
  EXPECT_EQ(bf16.values<Bf16>()[1].bits, 0x7fa1);  // a NaN, kept as it is
  EXPECT_EQ(bf16.values<Bf16>()[2].bits, 0x8000);
  const Tensor scalar = file_->Read("scalar");
  EXPECT_TRUE(scalar.shape.empty());
  EXPECT_EQ(scalar.values<float>()[0], 3.0f);
  EXPECT_EQ(file_->Read("none").shape, (std::vector<int64_t>{0, 5}));
}

TEST_F(SafetensorsRead, GivesRows) {
  const Tensor two = file_->ReadRows("bf16", 1, 2);
  EXPECT_EQ(two.shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(two.values<Bf16>()[0].bits, 0x7fa1);
  EXPECT_EQ(two.values<Bf16>()[1].bits, 0x8000);
  EXPECT_EQ(file_->ReadRows("bf16", 3, 0).shape, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(file_->ReadRows("flat", 1, 1).shape, (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(file_->ReadRows("none", 0, 0).shape, (std::vector<int64_t>{0, 5}));
}

TEST_F(SafetensorsRead, SaysWhatItCannotGive) {
  ExpectBad([this] { file_->Read("half"); }, "'half': dtype F16, expected one that is read: F32");
  ExpectBad([this] { file_->ReadRows("half", 0, 1); }, "'half': dtype F16");
  ExpectBad([this] { file_->Read("b\x1b"); }, "'b\\x1b': no such tensor in the file");
  ExpectBad([this] { file_->ReadRows("scalar", 0, 1); }, "'scalar': a scalar, expected");
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  ExpectBad([this] { file_->ReadRows("bf16", 2, 2); }, "'bf16': 3 rows, expected 2 of them from");
  ExpectBad([this] { file_->ReadRows("bf16", 4, 0); }, "'bf16': 3 rows");
  ExpectBad([this] { file_->ReadRows("bf16", 1, kMost); }, "'bf16': 3 rows");
  ExpectBad([this] { file_->ReadRows("bf16", kMost, kMost); }, "'bf16': 3 rows");
  ExpectBad([this] { file_->ReadRows("none", 0, 1); }, "'none': 0 rows");
  EXPECT_THROW(file_->ReadRows("bf16", -1, 1), ContractViolation);
  EXPECT_THROW(file_->ReadRows("bf16", 1, -1), ContractViolation);
}

// One by one, each byte of a sound file becomes another: nothing but BadCheckpoint comes out, and
// what is accepted stays within the file.
TEST(Safetensors, BentFilesAreRefusedOrSound) {
  const std::string sound = FileOf(kSound, "ab");
  size_t refused = 0;
  for (size_t at = 0; at < sound.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bent = sound;
      bent[at] = static_cast<char>(byte);
      try {
        for (const auto& [name, entry] : Parse(bent)) {
          const auto* const first = reinterpret_cast<const std::byte*>(bent.data());
          EXPECT_EQ(entry.data + entry.bytes, first + bent.size());
        }
      } catch (const BadCheckpoint&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 10'000u);
}

}  // namespace
}  // namespace touchstone::checkpoint
