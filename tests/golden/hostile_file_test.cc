// Files of strangers. Each is made with the HDF5 library itself or by bending bytes, and must end
// in BadFile whose text says file, place, what was found and what was expected.
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

#include "golden/hdf5_file.h"
#include "golden/hdf5_handle.h"
#include "golden/read_everything.h"
#include "reference/formats/contract_version.h"
#include "tests/golden/file_bytes.h"

// The library forgets memory of its own when it meets damaged metadata.
extern "C" const char* __lsan_default_suppressions();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "leak:libhdf5";
}
extern "C" const char* __lsan_default_options();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "print_suppressions=0";
}

namespace touchstone::golden {
namespace {

using Extents = std::vector<hsize_t>;

Handle Simple(const Extents& extents) {
  return {H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose};
}

Handle FixedString(size_t size) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), size);
  return type;
}

void AddAttribute(const Handle& object, const std::string& name, hid_t type, hid_t space,
                  const void* value) {
  const Handle attribute(
      H5Acreate2(object.id(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  ASSERT_TRUE(attribute);
  if (value != nullptr) {
    ASSERT_GE(H5Awrite(attribute.id(), type, value), 0);
  }
}

void AddScalar(const Handle& object, const std::string& name, hid_t type, const void* value) {
  const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
  AddAttribute(object, name, type, scalar.id(), value);
}

// As h5py writes a str.
void AddVariableString(const Handle& object, const std::string& name, const char* value) {
  const Handle type = FixedString(H5T_VARIABLE);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  AddScalar(object, name, type.id(), &value);
}

class HostileFile : public testing::Test {
 protected:
  HostileFile() : file_name_(folder_.File("hostile.h5")) {
    file_ =
        Handle(H5Fcreate(file_name_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    creation_ = Handle(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_alloc_time(creation_.id(), H5D_ALLOC_TIME_EARLY);
  }

  Handle AddDataset(const std::string& path, hid_t type, const Handle& space) {
    Handle dataset(H5Dcreate2(file_.id(), path.c_str(), type, space.id(), H5P_DEFAULT,
                              creation_.id(), H5P_DEFAULT),
                   H5Dclose);
    EXPECT_TRUE(dataset) << path;
    return dataset;
  }

  // A tensor in which nothing is wrong.
  void AddGood(const std::string& path) {
    AddVariableString(AddDataset(path, H5T_IEEE_F32LE, Simple({2, 3})), "dtype", "f32");
  }

  Handle AddGroup(const std::string& path) {
    return {H5Gcreate2(file_.id(), path.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose};
  }

  // Closes the file; reading it must end in this message.
  void ExpectBad(const std::string& place, const std::string& found_and_expected) {
    creation_.Close();
    ASSERT_TRUE(file_.Close());
    EXPECT_EQ(MessageOf<BadFile>([&] { ReadEverything(file_name_); }),
              file_name_ + ": " + place + found_and_expected);
  }

  const ErrorSilence silence_;
  const TemporaryFolder folder_;
  const std::string file_name_;
  Handle file_, creation_;
};

constexpr char kDtypes[] = ", expected one of f32 bf16 e4m3 e5m2 e8m0 int4 i64";

// The control: what the other tests change one thing of is accepted as it is.
TEST_F(HostileFile, IsGoodBeforeItIsBent) {
  AddGood("t");
  AddGroup("g");
  AddGood("g/t");
  file_.Close();
  EXPECT_EQ(MessageOf<BadFile>([&] { ReadEverything(file_name_); }), "");
  EXPECT_EQ(Reader(file_name_).Paths(), (std::vector<std::string>{"g/t", "t"}));
  EXPECT_EQ(Reader(file_name_).Read("t").shape, (std::vector<int64_t>{2, 3}));
}

TEST_F(HostileFile, HasNoDtype) {
  AddDataset("t", H5T_IEEE_F32LE, Simple({2}));
  ExpectBad("t@dtype: ", std::string("found no such attribute") + kDtypes);
}

TEST_F(HostileFile, HasAnUnknownDtype) {
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", "f16\x1b[2J");
  ExpectBad("t@dtype: ", std::string("found 'f16\\x1b[2J'") + kDtypes);
}

TEST_F(HostileFile, HasAnEmptyDtype) {
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", "");
  ExpectBad("t@dtype: ", std::string("found ''") + kDtypes);
}

TEST_F(HostileFile, HasADtypeThatIsANumber) {
  const int64_t value = 32;
  AddScalar(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", H5T_STD_I64LE, &value);
  ExpectBad("t@dtype: ", "found an integer of 8 bytes, expected a string");
}

TEST_F(HostileFile, HasSeveralDtypes) {
  const Handle type = FixedString(3);
  AddAttribute(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", type.id(), Simple({2}).id(),
               "f32f32");
  ExpectBad("t@dtype: ", "found an array, expected one string");
}

TEST_F(HostileFile, HasADtypeWithoutAValue) {
  const Handle null(H5Screate(H5S_NULL), H5Sclose);
  AddAttribute(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", FixedString(3).id(),
               null.id(), nullptr);
  ExpectBad("t@dtype: ", "found no value, expected one string");
}

TEST_F(HostileFile, HasADtypeOfVariableIntegers) {
  const Handle type(H5Tvlen_create(H5T_STD_U8LE), H5Tclose);
  hvl_t value{0, nullptr};
  AddScalar(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", type.id(), &value);
  ExpectBad("t@dtype: ",
            "found neither a number nor a string, but a type of 16 bytes, expected a little-endian "
            "integer or IEEE float");
}

TEST_F(HostileFile, HasElementsOfAnotherType) {
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", "bf16");
  ExpectBad("t: ",
            "found elements stored as a float of 4 bytes, expected an unsigned integer of 2 bytes, "
            "which its attribute dtype = bf16 says");
}

TEST_F(HostileFile, HasBigEndianElements) {
  AddVariableString(AddDataset("t", H5T_IEEE_F32BE, Simple({2})), "dtype", "f32");
  ExpectBad("t: ",
            "found elements stored as a float of 4 bytes, not little endian, expected a float of 4 "
            "bytes, which its attribute dtype = f32 says");
}

TEST_F(HostileFile, HasSignedElements) {
  AddVariableString(AddDataset("t", H5T_STD_I8LE, Simple({2})), "dtype", "e4m3");
  ExpectBad("t: ",
            "found elements stored as an integer of 1 bytes, expected an unsigned integer of 1 "
            "bytes, which its attribute dtype = e4m3 says");
}

TEST_F(HostileFile, HasStringsForElements) {
  AddVariableString(AddDataset("t", FixedString(4).id(), Simple({2})), "dtype", "f32");
  ExpectBad("t: ",
            "found elements stored as a string of 4 bytes, expected a float of 4 bytes, which its "
            "attribute dtype = f32 says");
}

TEST_F(HostileFile, HasVariableStringsForElements) {
  AddVariableString(AddDataset("t", FixedString(H5T_VARIABLE).id(), Simple({2})), "dtype", "i64");
  ExpectBad(
      "t: ",
      "found elements stored as a string of 8 bytes, expected an integer of 8 bytes, which its "
      "attribute dtype = i64 says");
}

TEST_F(HostileFile, HasNineExtents) {
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple(Extents(9, 1))), "dtype", "f32");
  ExpectBad("t: ", "found rank 9, expected 8 at most");
}

TEST_F(HostileFile, HasANullDataspace) {
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Handle(H5Screate(H5S_NULL), H5Sclose)), "dtype",
                    "f32");
  ExpectBad("t: ", "found no elements (a null dataspace), expected a shape");
}

// 2^58 bytes that were never stored: refused before anything of that size is allocated.
TEST_F(HostileFile, HasMoreElementsThanBytes) {
  H5Pset_alloc_time(creation_.id(), H5D_ALLOC_TIME_LATE);
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({1 << 28, 1 << 28})), "dtype", "f32");
  ExpectBad("t: ", "found the shape 268435456x268435456, expected 6144 bytes at most");
}

TEST_F(HostileFile, HasExtentsWhoseProductWrapsAround) {
  H5Pset_alloc_time(creation_.id(), H5D_ALLOC_TIME_LATE);
  const hsize_t huge = hsize_t{1} << 62;
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({huge, huge, 0})), "dtype", "f32");
  ExpectBad("t: ",
            "found the shape 4611686018427387904x4611686018427387904x0, expected "
            "9223372036854775807 bytes at most");
}

TEST_F(HostileFile, HasElementsThatWereNeverStored) {
  H5Pset_alloc_time(creation_.id(), H5D_ALLOC_TIME_LATE);
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", "f32");
  ExpectBad("t: ", "found 0 bytes stored, expected the 8 of the shape 2");
}

constexpr char kContiguous[] =
    ", expected contiguous storage without filters (h5repack -l CONTI -f NONE makes it)";

TEST_F(HostileFile, IsChunked) {
  const hsize_t chunk = 1;
  H5Pset_chunk(creation_.id(), 1, &chunk);
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", "f32");
  ExpectBad("t: ", std::string("found chunked storage") + kContiguous);
}

TEST_F(HostileFile, IsCompressed) {
  const hsize_t chunk = 2;
  H5Pset_chunk(creation_.id(), 1, &chunk);
  H5Pset_deflate(creation_.id(), 9);
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", "f32");
  ExpectBad("t: ", std::string("found chunked storage") + kContiguous);
}

TEST_F(HostileFile, IsCompactAndGood) {
  H5Pset_layout(creation_.id(), H5D_COMPACT);
  AddGood("t");
  file_.Close();
  EXPECT_EQ(Reader(file_name_).Read("t").data.size(), 24u);
}

TEST_F(HostileFile, HasItsElementsInAnotherFile) {
  SetBytes(folder_.File("secret"), "12345678");
  H5Pset_external(creation_.id(), folder_.File("secret").c_str(), 0, 8);
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, Simple({2})), "dtype", "f32");
  ExpectBad("t: ", "found elements in another file, expected them here");
}

TEST_F(HostileFile, IsVirtual) {
  const Handle space = Simple({2});
  H5Pset_virtual(creation_.id(), space.id(), "other.h5", "t", space.id());
  AddVariableString(AddDataset("t", H5T_IEEE_F32LE, space), "dtype", "f32");
  ExpectBad("t: ", std::string("found a virtual dataset") + kContiguous);
}

TEST_F(HostileFile, HasASoftLink) {
  AddGood("t");
  H5Lcreate_soft("/t", file_.id(), "link", H5P_DEFAULT, H5P_DEFAULT);
  ExpectBad("link: ", "found a soft link, expected a group or a dataset");
}

TEST_F(HostileFile, HasADanglingSoftLink) {
  H5Lcreate_soft("/nowhere", file_.id(), "link", H5P_DEFAULT, H5P_DEFAULT);
  ExpectBad("link: ", "found a soft link, expected a group or a dataset");
}

TEST_F(HostileFile, HasAnExternalLink) {
  H5Lcreate_external("other.h5", "/t", file_.id(), "link", H5P_DEFAULT, H5P_DEFAULT);
  ExpectBad("link: ", "found an external link, expected a group or a dataset");
}

TEST_F(HostileFile, HasATensorTwice) {
  AddGood("a");
  H5Lcreate_hard(file_.id(), "a", file_.id(), "b", H5P_DEFAULT, H5P_DEFAULT);
  ExpectBad("b: ", "found a second path to an object, expected one path to each");
}

TEST_F(HostileFile, HasACycle) {
  AddGroup("g");
  H5Lcreate_hard(file_.id(), "/", file_.id(), "g/root", H5P_DEFAULT, H5P_DEFAULT);
  ExpectBad("g/root: ", "found a second path to an object, expected one path to each");
}

TEST_F(HostileFile, HasACommittedType) {
  Handle type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tcommit2(file_.id(), "type", type.id(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  type.Close();
  ExpectBad("type: ", "found an object of another kind, expected a group or a dataset");
}

TEST_F(HostileFile, HasANameThatWritesToTheTerminal) {
  AddGood("\x1b[2Jx");
  ExpectBad("/: ",
            "found the name '\\x1b[2Jx', expected printable ASCII without spaces or slashes");
}

TEST_F(HostileFile, IsTooDeep) {
  std::string path = "g";
  for (int depth = 1; depth < 40; ++depth, path += "/g") AddGroup(path);
  std::string deepest = "g";
  for (int depth = 1; depth < 32; ++depth) deepest += "/g";
  ExpectBad(deepest + ": ", "found a deeper group, expected 32 levels at most");
}

TEST_F(HostileFile, HasAnArrayForAnAttribute) {
  const std::vector<double> values{1, 2};
  AddAttribute(AddGroup("g"), "eps", H5T_IEEE_F64LE, Simple({2}).id(), values.data());
  ExpectBad("g@eps: ", "found an array, expected one number");
}

TEST_F(HostileFile, HasANumberThatBinary64CannotHold) {
  const int64_t value = (int64_t{1} << 53) + 1;
  AddScalar(AddGroup("g"), "seed", H5T_STD_I64LE, &value);
  ExpectBad("g@seed: ", "found 9007199254740993, expected a number within 2^53 of 0");
}

TEST_F(HostileFile, HasNumbersOfEveryGoodType) {
  Handle group = AddGroup("g");
  const int8_t i8 = -1;
  const uint8_t u8 = 255;
  const int64_t i64 = -(int64_t{1} << 53);
  const uint64_t u64 = uint64_t{1} << 53;
  const float f32 = 0.5f;
  AddScalar(group, "i8", H5T_STD_I8LE, &i8);
  AddScalar(group, "u8", H5T_STD_U8LE, &u8);
  AddScalar(group, "i64", H5T_STD_I64LE, &i64);
  AddScalar(group, "u64", H5T_STD_U64LE, &u64);
  AddScalar(group, "f32", H5T_IEEE_F32LE, &f32);
  group.Close();
  file_.Close();
  const Reader reader(file_name_);
  EXPECT_EQ(reader.Number("g", "i8"), -1.0);
  EXPECT_EQ(reader.Number("g", "u8"), 255.0);
  EXPECT_EQ(reader.Number("g", "i64"), -0x1p53);
  EXPECT_EQ(reader.Number("g", "u64"), 0x1p53);
  EXPECT_EQ(reader.Number("g", "f32"), 0.5);
}

TEST_F(HostileFile, HasNoContract) {
  file_.Close();
  EXPECT_EQ(
      MessageOf<BadFile>([&] { Reader(file_name_).RequireContractVersion(); }),
      file_name_ + ": /@contract: found no such attribute, expected the contract's version, 1");
}

TEST_F(HostileFile, HasAnotherContract) {
  const int64_t version = kContractVersion + 6;
  AddScalar(Handle(H5Gopen2(file_.id(), "/", H5P_DEFAULT), H5Gclose), "contract", H5T_STD_I64LE,
            &version);
  file_.Close();
  const Reader reader(file_name_);
  EXPECT_EQ(reader.ContractVersion(), kContractVersion + 6);
  EXPECT_EQ(
      MessageOf<BadFile>([&] { reader.RequireContractVersion(); }),
      file_name_ + ": /@contract: found contract version 7, expected 1, that of this program");
}

TEST_F(HostileFile, HasAContractThatIsNoVersion) {
  const double version = 1.5;
  AddScalar(Handle(H5Gopen2(file_.id(), "/", H5P_DEFAULT), H5Gclose), "contract", H5T_IEEE_F64LE,
            &version);
  file_.Close();
  EXPECT_EQ(MessageOf<BadFile>([&] { Reader(file_name_).ContractVersion(); }),
            file_name_ + ": /@contract: found 1.5, expected a version: a whole number from 1");
}

TEST_F(HostileFile, IsAskedForWhatItDoesNotHave) {
  AddGroup("g");
  file_.Close();
  const Reader reader(file_name_);
  EXPECT_EQ(MessageOf<BadFile>([&] { (void)reader.Read("t"); }),
            file_name_ + ": t: found no such path, expected a tensor");
  EXPECT_EQ(MessageOf<BadFile>([&] { (void)reader.Read("g"); }),
            file_name_ + ": g: found a group, expected a tensor");
  EXPECT_EQ(MessageOf<BadFile>([&] { (void)reader.Text("t", "dtype"); }),
            file_name_ + ": t: found no such path, expected a group or a dataset");
}

TEST_F(HostileFile, IsNoFile) {
  const auto message = [](const std::string& file) {
    return MessageOf<BadFile>([&] { ReadEverything(file); });
  };
  const std::string absent = folder_.File("absent.h5");
  EXPECT_EQ(message(absent), absent + ": found no such file, expected an HDF5 file");
  const std::string pipe = folder_.File("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& other : {pipe, folder_.path().string(), std::string("/dev/zero")}) {
    EXPECT_EQ(message(other),
              other + ": found something that is not a regular file, expected an HDF5 file");
  }
}

// The first bytes, one field after the other, in the three layouts that a superblock has.
TEST_F(HostileFile, HasABentSuperblock) {
  file_.Close();
  const std::string version0 = BytesOf(file_name_);
  { Writer(file_name_).Close(); }
  const std::string version2 = BytesOf(file_name_);
  ASSERT_EQ(version0[8], 0);
  ASSERT_EQ(version2[8], 2);

  const auto message = [&](std::string bytes, size_t at, char value) {
    if (at < bytes.size()) bytes[at] = value;
    SetBytes(file_name_, bytes);
    return MessageOf<BadFile>([&] { ReadEverything(file_name_); });
  };
  const std::string file = file_name_ + ": ";
  const std::string signature = "expected the HDF5 signature '\\x89HDF\\x0d\\x0a\\x1a\\x0a'";
  EXPECT_EQ(message("", 0, 0), file + "found an empty file, " + signature);
  EXPECT_EQ(message("PK\x03\x04 and so on", 99, 0),
            file + "found the first bytes 'PK\\x03\\x04 and', " + signature);
  EXPECT_EQ(message(version2.substr(0, 8), 99, 0),
            file + "found the first bytes '\\x89HDF\\x0d\\x0a\\x1a\\x0a', " + signature);
  EXPECT_EQ(message(version0, 8, 4), file + "found superblock version 4, expected 0 to 3");
  for (const auto& [bytes, addresses, base, extension, what] :
       {std::tuple{version0, 13, 24, 48, "a file driver"},
        std::tuple{version2, 9, 12, 20, "a superblock extension"}}) {
    const size_t size = bytes.size();
    const auto of_bytes = [&file, size](size_t found) {
      return file + "found " + std::to_string(found) + " bytes, expected the " +
             std::to_string(size) + " that its superblock says";
    };
    EXPECT_EQ(message(bytes, static_cast<size_t>(addresses), 4),
              file + "found addresses of 4 and lengths of 8 bytes, expected 8 and 8");
    EXPECT_EQ(message(bytes, static_cast<size_t>(base), 1),
              file + "found base address 1, expected 0");
    EXPECT_EQ(message(bytes, static_cast<size_t>(extension), 0),
              file + "found " + what + ", expected none");
    EXPECT_EQ(message(bytes.substr(0, size - 1), size, 0), of_bytes(size - 1));
    EXPECT_EQ(message(bytes + "x", size + 1, 0), of_bytes(size + 1));
    EXPECT_EQ(message(bytes.substr(0, 40), 99, 0).rfind(file + "found 40 bytes, expected", 0), 0u);
  }
}

// A golden file's metadata have check sums: no bent byte outside of the elements goes unseen, and
// each ends in BadFile. The elements are the manifest's business.
TEST_F(HostileFile, HasOneBentByte) {
  file_.Close();
  {
    Writer writer(file_name_);
    writer.Write("g/t", Tensor(Dtype::kI64, {0}));
    writer.WriteText("g", "input_class", "normal");
    writer.Close();
  }
  const std::string good = BytesOf(file_name_);
  size_t refused = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    SetBytes(file_name_, bytes);
    refused += MessageOf<BadFile>([&] { ReadEverything(file_name_); }).empty() ? 0 : 1;
  }
  EXPECT_EQ(refused, good.size());
  EXPECT_GT(refused, 400u);
}

// The library would print about such a file, while it is read and again when the program exits.
TEST_F(HostileFile, IsNotTalkedAboutByTheLibrary) {
  file_.Close();
  { Writer(file_name_).Close(); }
  std::string bytes = BytesOf(file_name_);
  bytes[60] = static_cast<char>(bytes[60] ^ 1);  // in the header of the root
  SetBytes(file_name_, bytes);
  const std::string said = folder_.File("said");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    H5Eset_auto2(H5E_DEFAULT, reinterpret_cast<H5E_auto2_t>(H5Eprint2), nullptr);  // as it starts
    if (std::freopen(said.c_str(), "w", stderr) == nullptr) std::exit(2);
    std::exit(MessageOf<BadFile>([&] { ReadEverything(file_name_); }).empty() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(BytesOf(said), "");
}

}  // namespace
}  // namespace touchstone::golden
