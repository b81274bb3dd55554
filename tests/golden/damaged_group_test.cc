// Groups of many links, which the HDF5 library keeps in a heap with an index beside it: whatever
// byte of these is bent, the file ends in BadFile. The library itself crashes over some when it is
// asked for the links in an order other than the stored one.
#include <gtest/gtest.h>

#include <string>

#include "golden/hdf5_file.h"
#include "golden/read_everything.h"
#include "tests/golden/file_bytes.h"

namespace touchstone::golden {
namespace {

TEST(DamagedGroup, EndsInBadFileWhateverByteIsBent) {
  const TemporaryFolder folder;
  const std::string file = folder.File("damaged.h5");
  {
    Writer writer(file);
    for (int i = 0; i < 20; ++i) {
      writer.Write("g/tensor" + std::to_string(i), Tensor(Dtype::kI64, {0}));
    }
    writer.Close();
  }
  const std::string good = BytesOf(file);
  int bent = 0, refused = 0;
  for (const std::string block : {"FRHP", "FHDB", "BTHD", "BTLF"}) {
    const size_t begin = good.find(block);
    ASSERT_NE(begin, std::string::npos) << "the links are not in a heap: no " << block;
    for (size_t at = begin; at < begin + 512 && at < good.size(); at += 3) {
      for (const int bit : {1, 0x40}) {
        std::string bytes = good;
        bytes[at] = static_cast<char>(bytes[at] ^ bit);
        SetBytes(file, bytes);
        ++bent;
        refused += MessageOf<BadFile>([&] { ReadEverything(file); }).empty() ? 0 : 1;
      }
    }
  }
  EXPECT_GT(bent, 1000);
  EXPECT_GT(refused, bent / 2) << "of " << bent;  // the others are bytes that nothing uses
}

}  // namespace
}  // namespace touchstone::golden
