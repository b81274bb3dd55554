// What the writer writes the reader reads, byte for byte the same file wherever it is made; a file
// appears whole or not at all. The files of strangers are in hostile_file_test.cc.
#include "golden/hdf5_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "golden/read_everything.h"
#include "reference/formats/contract_version.h"
#include "tests/golden/file_bytes.h"

namespace touchstone::golden {
namespace {

using Shape = std::vector<int64_t>;
using Strings = std::vector<std::string>;

template <typename T>
Tensor Filled(Dtype dtype, const Shape& shape, const std::vector<T>& values) {
  Tensor tensor(dtype, shape);
  EXPECT_EQ(tensor.data.size(), values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return tensor;
}

template <typename T>
std::vector<T> ValuesOf(const Tensor& tensor) {
  std::vector<T> values(tensor.data.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

Tensor ReadBack(const TemporaryFolder& folder, const Tensor& tensor) {
  const std::string file = folder.File("back.h5");
  Writer writer(file);
  writer.Write("group/tensor", tensor);
  writer.Close();
  return Reader(file).Read("group/tensor");
}

void ExpectSame(const Tensor& got, const Tensor& wanted) {
  EXPECT_EQ(got.dtype, wanted.dtype);
  EXPECT_EQ(got.shape, wanted.shape);
  EXPECT_EQ(got.data, wanted.data);
}

TEST(Hdf5File, GivesEveryDtypeBack) {
  const TemporaryFolder folder;
  // Values without a NaN of the format, signed zeros, subnormals and infinities among them.
  const std::vector<Tensor> tensors{
      Filled<uint32_t>(Dtype::kF32, {2, 3}, {0, 0x80000000, 1, 0x7f800000, 0xff800000, 0x3f800001}),
      Filled<uint16_t>(Dtype::kBf16, {3, 2}, {0, 0x8000, 1, 0x7f80, 0xff80, 0x3f81}),
      Filled<int64_t>(Dtype::kI64, {3}, {std::numeric_limits<int64_t>::min(), -1, 10485759}),
      Filled<uint8_t>(Dtype::kE4m3, {4}, {0, 0x80, 0x7e, 0xfe}),
      Filled<uint8_t>(Dtype::kE5m2, {4}, {0, 0x80, 0x7c, 0xfc}),
      Filled<uint8_t>(Dtype::kE8m0, {3}, {0, 0x7f, 0xfe}),
      Filled<uint8_t>(Dtype::kInt4, {3}, {0, 7, 15}),
      Filled<uint32_t>(Dtype::kF32, {}, {0x40490fdb}),
      Filled<uint16_t>(Dtype::kBf16, {1, 1, 1, 1, 1, 1, 1, 2}, {0x4049, 0xc049}),
  };
  for (const Tensor& tensor : tensors) {
    SCOPED_TRACE(Name(tensor.dtype));
    ExpectSame(ReadBack(folder, tensor), tensor);
  }
}

TEST(Hdf5File, GivesNoTokensBack) {
  const TemporaryFolder folder;
  for (const Shape& shape : {Shape{0}, Shape{0, 5120}, Shape{4, 0, 128}}) {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kI64, Dtype::kE4m3}) {
      const Tensor tensor(dtype, shape);
      ExpectSame(ReadBack(folder, tensor), tensor);
    }
  }
}

// Rule N8. The first value of each is the format's canonical NaN, the last is beside the NaNs.
TEST(Hdf5File, MakesNansCanonical) {
  const TemporaryFolder folder;
  const Tensor f32 = ReadBack(
      folder, Filled<uint32_t>(Dtype::kF32, {5},
                               {0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff, 0xff800000}));
  EXPECT_EQ(ValuesOf<uint32_t>(f32),
            (std::vector<uint32_t>{0x7fc00000, 0x7fc00000, 0x7fc00000, 0x7fc00000, 0xff800000}));
  const Tensor bf16 = ReadBack(
      folder, Filled<uint16_t>(Dtype::kBf16, {5}, {0x7fc0, 0xffc0, 0x7f81, 0xffff, 0xff80}));
  EXPECT_EQ(ValuesOf<uint16_t>(bf16),
            (std::vector<uint16_t>{0x7fc0, 0x7fc0, 0x7fc0, 0x7fc0, 0xff80}));
  const Tensor e4m3 = ReadBack(folder, Filled<uint8_t>(Dtype::kE4m3, {3}, {0x7f, 0xff, 0xfe}));
  EXPECT_EQ(ValuesOf<uint8_t>(e4m3), (std::vector<uint8_t>{0x7f, 0x7f, 0xfe}));
  const Tensor e5m2 =
      ReadBack(folder, Filled<uint8_t>(Dtype::kE5m2, {6}, {0x7f, 0x7d, 0xfe, 0xff, 0xfd, 0xfc}));
  EXPECT_EQ(ValuesOf<uint8_t>(e5m2), (std::vector<uint8_t>{0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0xfc}));
  const Tensor e8m0 = ReadBack(folder, Filled<uint8_t>(Dtype::kE8m0, {2}, {0xff, 0x7f}));
  EXPECT_EQ(ValuesOf<uint8_t>(e8m0), (std::vector<uint8_t>{0xff, 0x7f}));
  const Tensor int4 = ReadBack(folder, Filled<uint8_t>(Dtype::kInt4, {2}, {0x7f, 0xff}));
  EXPECT_EQ(ValuesOf<uint8_t>(int4), (std::vector<uint8_t>{0x7f, 0xff}));
}

// One of everything that a golden file has, and more links and attributes in one group than fit in
// an object header.
void WriteSample(const std::string& file) {
  Writer writer(file);
  writer.Write("bf16/normal/C2_T1/x", Filled<uint16_t>(Dtype::kBf16, {1, 2}, {0x3f80, 0xffff}));
  writer.Write("bf16/normal/C2_T1/y", Filled<uint32_t>(Dtype::kF32, {1, 2}, {1, 0x7f800001}));
  writer.Write("bf16/normal/C2_T0/positions", Tensor(Dtype::kI64, {0}));
  writer.WriteText("bf16/normal/C2_T1", "input_class", "normal");
  for (int i = 0; i < 20; ++i) {
    writer.Write("many/t" + std::to_string(i), Tensor(Dtype::kE4m3, {i}));
    writer.WriteNumber("many", "n" + std::to_string(i), i);
  }
  writer.Close();
}

TEST(Hdf5File, HasTheSameBytesWheneverAndWhereverItIsMade) {
  const TemporaryFolder folder;
  WriteSample(folder.File("first.h5"));
  // Time stamps in HDF5 count seconds.
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  WriteSample(folder.File("second.h5"));
  EXPECT_EQ(BytesOf(folder.File("first.h5")), BytesOf(folder.File("second.h5")));
  // Made once; another machine, build or version of the library must make the same.
  EXPECT_EQ(Sha256OfFile(folder.File("first.h5")),
            "c2d5fb218dc30cd8c7ed4f3f4c94c1c84219840fcbe196c36b7bef90f2c45086");
}

TEST(Hdf5File, ListsPathsGroupsAndAttributes) {
  const TemporaryFolder folder;
  const std::string file = folder.File("sample.h5");
  WriteSample(file);
  const Reader reader(file);
  const Strings paths = reader.Paths();
  ASSERT_EQ(paths.size(), 23u);
  EXPECT_EQ(paths[0], "bf16/normal/C2_T0/positions");
  EXPECT_EQ(paths[1], "bf16/normal/C2_T1/x");
  EXPECT_EQ(paths[22], "many/t9");
  EXPECT_EQ(reader.Groups(),
            (Strings{"", "bf16", "bf16/normal", "bf16/normal/C2_T0", "bf16/normal/C2_T1", "many"}));
  EXPECT_EQ(reader.Attributes(""), Strings{"contract"});
  EXPECT_EQ(reader.Attributes("many/t9"), Strings{"dtype"});
  EXPECT_EQ(reader.Attributes("many").size(), 20u);
  EXPECT_EQ(reader.Number("many", "n19"), 19.0);
  ReadEverything(file);
}

TEST(Hdf5File, GivesAttributesBack) {
  const TemporaryFolder folder;
  const std::string file = folder.File("attributes.h5");
  const std::string long_text(70000, 'x');
  Writer writer(file);
  writer.Write("a/t", Tensor(Dtype::kF32, {1}));
  writer.WriteText("", "made_by", "RN(x*r) \xc3\xa9");
  writer.WriteText("a", "empty", "");
  writer.WriteText("a", "long", long_text);
  writer.WriteText("a/t", "of_a_tensor", "yes");
  writer.WriteNumber("new/group", "eps", 1e-5);
  writer.WriteNumber("", "nan", -std::numeric_limits<double>::quiet_NaN());
  writer.Close();

  const Reader reader(file);
  EXPECT_EQ(reader.Text("", "made_by"), "RN(x*r) \xc3\xa9");
  EXPECT_EQ(reader.Text("a", "empty"), "");
  EXPECT_EQ(reader.Text("a", "long"), long_text);
  EXPECT_EQ(reader.Text("a/t", "of_a_tensor"), "yes");
  EXPECT_EQ(reader.Text("a/t", "dtype"), "f32");
  EXPECT_EQ(reader.Number("new/group", "eps"), 1e-5);
  EXPECT_EQ(reader.Text("a", "absent"), std::nullopt);
  EXPECT_EQ(reader.Number("a", "absent"), std::nullopt);
  EXPECT_TRUE(reader.IsText("a", "long"));
  EXPECT_FALSE(reader.IsText("", "contract"));
  EXPECT_NE(MessageOf<BadFile>([&] {
              (void)reader.Text("", "contract");
            }).find("/@contract: found an integer of 8 bytes, expected a string"),
            std::string::npos);
  EXPECT_NE(MessageOf<BadFile>([&] {
              (void)reader.Number("a", "long");
            }).find("a@long: found a string of 70000 bytes, expected a little-endian integer"),
            std::string::npos);
}

TEST(Hdf5File, CarriesTheVersionOfTheContract) {
  const TemporaryFolder folder;
  const std::string file = folder.File("sample.h5");
  WriteSample(file);
  const Reader reader(file);
  EXPECT_EQ(reader.ContractVersion(), kContractVersion);
  reader.RequireContractVersion();
}

TEST(Hdf5File, AppearsOnlyWhenItIsClosed) {
  const TemporaryFolder folder;
  const std::string file = folder.File("new.h5");
  {
    Writer writer(file);
    writer.Write("t", Tensor(Dtype::kF32, {1000}));
    EXPECT_FALSE(std::filesystem::exists(file));
  }
  EXPECT_TRUE(folder.IsEmpty());
  SetBytes(file, "what was there");
  {
    Writer writer(file);
    writer.Write("t", Tensor(Dtype::kF32, {1000}));
  }
  EXPECT_EQ(BytesOf(file), "what was there");
  Writer writer(file);
  writer.Close();
  EXPECT_EQ(Reader(file).Paths(), Strings{});
  // Readable by whom the umask lets, like any new file.
  SetBytes(folder.File("plain"), "");
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::status(folder.File("plain")).permissions());
}

TEST(Hdf5File, LeavesWhatWasThereWhenTheProcessIsKilled) {
  const TemporaryFolder folder;
  const std::string file = folder.File("killed.h5");
  SetBytes(file, "what was there");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Writer writer(file);
    writer.Write("t", Tensor(Dtype::kF32, {100000}));
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(BytesOf(file), "what was there");
}

// A disk that is full: the process may write no file longer than 64 KiB.
TEST(Hdf5File, LeavesNothingWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const std::string file = folder.File("full.h5");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  rlimit limit = before;
  limit.rlim_cur = 65536;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string message = MessageOf<std::runtime_error>([&] {
    Writer writer(file);
    writer.Write("t", Tensor(Dtype::kF32, {100000}));
    writer.Close();
  });
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(message.rfind(file + ": cannot write", 0), 0u) << message;
  EXPECT_TRUE(folder.IsEmpty());
}

TEST(Hdf5File, SaysWhatCannotBeWritten) {
  const TemporaryFolder folder;
  const std::string file = folder.File("refused.h5");
  const Tensor tensor(Dtype::kF32, {1});
  {
    Writer writer(file);
    writer.Write("a/t", tensor);
    EXPECT_NE(MessageOf<std::runtime_error>([&] {
                writer.Write("a/t", tensor);
              }).find("cannot write 'a/t' ('name already exists')"),
              std::string::npos);
    EXPECT_THROW(writer.Close(), ContractViolation);  // it would lack a tensor
  }
  {
    Writer writer(file);
    writer.Write("a/t", tensor);
    EXPECT_THROW(writer.Write("a/t/below", tensor), std::runtime_error);
  }
  EXPECT_TRUE(folder.IsEmpty());
  EXPECT_NE(MessageOf<std::runtime_error>([&] {
              Writer(folder.File("absent/x.h5"));
            }).find("No such file or directory"),
            std::string::npos);
}

TEST(Hdf5File, RefusesCallsAgainstItsContract) {
  const TemporaryFolder folder;
  const std::string file = folder.File("misused.h5");
  const Tensor tensor(Dtype::kF32, {1});
  Writer writer(file);
  for (const std::string path : {"", "/a", "a/", "a//b", "a/./b", "..", "a b", "a\nb", "\x80"}) {
    EXPECT_THROW(writer.Write(path, tensor), ContractViolation) << path;
  }
  EXPECT_THROW(writer.Write("nine", Tensor(Dtype::kF32, Shape(9, 1))), ContractViolation);
  Tensor short_of_data = tensor;
  short_of_data.data.pop_back();
  EXPECT_THROW(writer.Write("short", short_of_data), ContractViolation);
  EXPECT_THROW(writer.WriteText("", "", "x"), ContractViolation);
  EXPECT_THROW(writer.WriteText("", "nul", std::string("a\0b", 3)), ContractViolation);
  writer.Write("t", tensor);  // none of them broke it
  writer.Close();
  EXPECT_THROW(writer.Write("u", tensor), ContractViolation);
  EXPECT_THROW(writer.WriteNumber("", "n", 1), ContractViolation);
  EXPECT_THROW(writer.Close(), ContractViolation);
  EXPECT_EQ(Reader(file).Paths(), Strings{"t"});
}

}  // namespace
}  // namespace touchstone::golden
