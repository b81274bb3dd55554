// Strings of variable length, as h5py writes them: read from files of the HDF5 library, and refused
// where the heap was bent. Such files carry no check sums, so the reader's own checks must hold.
#include "golden/global_heap.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "golden/hdf5_file.h"
#include "golden/hdf5_handle.h"
#include "tests/golden/file_bytes.h"

namespace touchstone::golden {
namespace {

class GlobalHeap : public testing::Test {
 protected:
  GlobalHeap() : file_(folder_.File("strings.h5")) {
    const Handle file(H5Fcreate(file_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    const Handle root(H5Gopen2(file.id(), "/", H5P_DEFAULT), H5Gclose);
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.id(), H5T_VARIABLE);
    const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
    const auto add = [&](const char* name, const char* value) {
      const Handle attribute(
          H5Acreate2(root.id(), name, type.id(), scalar.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
      EXPECT_GE(H5Awrite(attribute.id(), type.id(), &value), 0);
    };
    add("first", "bf16");
    add("empty", "");
    add("long", long_text_.c_str());  // the collection grows
    add("last", "eight by");
    const Handle unwritten(
        H5Acreate2(root.id(), "unwritten", type.id(), scalar.id(), H5P_DEFAULT, H5P_DEFAULT),
        H5Aclose);
  }

  void SetUp() override {
    good_ = BytesOf(file_);
    heap_ = good_.find("GCOL");
    ASSERT_NE(heap_, std::string::npos);
    ASSERT_EQ(good_.substr(heap_ + kHead + kHead, 4), "bf16");  // the first object's bytes
  }

  // The message on reading `first` after `bytes` stand at the offset from the heap.
  std::string Bent(size_t offset, const std::string& bytes) {
    std::string bent = good_;
    bent.replace(heap_ + offset, bytes.size(), bytes);
    SetBytes(file_, bent);
    const std::string message = MessageOf<BadFile>([&] { (void)Reader(file_).Text("", "first"); });
    const std::string start = file_ + ": /@first: found ";
    EXPECT_TRUE(message.starts_with(start)) << message;
    return message.substr(std::min(message.size(), start.size()));
  }

  static constexpr size_t kHead = 16;  // of a collection, and of an object
  const ErrorSilence silence_;
  const TemporaryFolder folder_;
  const std::string file_;
  const std::string long_text_ = std::string(10000, 'x');
  std::string good_;
  size_t heap_ = 0;
};

TEST_F(GlobalHeap, GivesTheTextsThatTheLibraryWrote) {
  const Reader reader(file_);
  EXPECT_EQ(reader.Text("", "first"), "bf16");
  EXPECT_EQ(reader.Text("", "empty"), "");
  EXPECT_EQ(reader.Text("", "long"), long_text_);
  EXPECT_EQ(reader.Text("", "last"), "eight by");
  EXPECT_EQ(reader.Text("", "unwritten"), "");
}

TEST_F(GlobalHeap, RefusesABentCollection) {
  const std::string at = std::to_string(heap_);
  EXPECT_EQ(Bent(0, "X"), "no heap at address " + at + ", expected the heap of a string");
  EXPECT_EQ(Bent(4, "\x02"), "no heap at address " + at + ", expected the heap of a string");
  const auto message = [&](const std::string& size, const std::string& expected) {
    return "a heap of " + size + " bytes at address " + at + ", expected " + expected;
  };
  EXPECT_EQ(Bent(8, std::string("\x0f\0\0\0\0\0\0\0", 8)), message("15", "16 to 1048576"));
  EXPECT_EQ(Bent(8, std::string("\1\0\x10\0\0\0\0\0", 8)), message("1048577", "16 to 1048576"));
  EXPECT_EQ(Bent(8, std::string(8, '\xff')), message("18446744073709551615", "16 to 1048576"));
  EXPECT_EQ(Bent(8, std::string("\0\0\x10\0\0\0\0\0", 8)),
            message("1048576", "one that lies in the file"));
}

TEST_F(GlobalHeap, RefusesABentObject) {
  uint64_t room = 0;  // for the bytes of the first object
  std::memcpy(&room, good_.data() + heap_ + 8, sizeof(room));
  room -= 2 * kHead;
  const std::string at_most = " bytes, expected " + std::to_string(room) + " at most";
  const uint64_t too_many = room + 1;
  const std::string too_many_bytes(reinterpret_cast<const char*>(&too_many), sizeof(too_many));
  EXPECT_EQ(Bent(kHead, "\x7f"), "a string in heap object 1, expected one that is there");
  EXPECT_EQ(Bent(kHead, std::string(2, '\0')),
            "a string in heap object 1, expected one that is there");
  EXPECT_EQ(Bent(kHead + 8, std::string(8, '\xff')),
            "a heap object of 18446744073709551615" + at_most);
  EXPECT_EQ(Bent(kHead + 8, too_many_bytes),
            "a heap object of " + std::to_string(too_many) + at_most);
  EXPECT_EQ(Bent(kHead + 8, std::string("\x03\0\0\0\0\0\0\0", 8)),
            "a string of 4 bytes, expected the 3 of its heap object");
}

TEST_F(GlobalHeap, RefusesABentReference) {
  const auto message = [&](uint8_t length, uint8_t address_byte, uint8_t index) {
    HeapReference reference{};
    reference[0] = length;
    reference[11] = address_byte;
    reference[12] = index;
    return MessageOf<BadFile>([&] { ReadGlobalHeap(file_, "x", reference); });
  };
  const std::string size = std::to_string(good_.size());
  EXPECT_EQ(message(1, 0xff, 1), file_ + ": x: found a string at address 18374686479671623680, " +
                                     "expected one within the file's " + size + " bytes");
  EXPECT_EQ(message(1, 0, 1),
            file_ + ": x: found no heap at address 0, expected the heap of a string");
  EXPECT_EQ(message(0, 0xff, 1), "");  // no bytes at all: the empty text, wherever it points
}

}  // namespace
}  // namespace touchstone::golden
