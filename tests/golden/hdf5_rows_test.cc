// Tensors written and read in pieces: the same file, the same elements, and nothing twice or never.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "golden/hdf5_file.h"
#include "tests/golden/file_bytes.h"

namespace touchstone::golden {
namespace {

using Shape = std::vector<int64_t>;

// 0, 1, 2, ... in row-major order.
Tensor Counted(const Shape& shape) {
  Tensor tensor(Dtype::kI64, shape);
  if (tensor.count() > 0) {
    std::iota(tensor.values<int64_t>(), tensor.values<int64_t>() + tensor.count(), int64_t{0});
  }
  return tensor;
}

// Elements first to first + count - 1 in another shape.
Tensor Part(const Tensor& tensor, int64_t first, const Shape& shape) {
  Tensor part(tensor.dtype, shape);
  const size_t bytes = ElementBytes(tensor.dtype);
  if (!part.data.empty()) {
    std::memcpy(part.data.data(), tensor.data.data() + static_cast<size_t>(first) * bytes,
                part.data.size());
  }
  return part;
}

std::vector<int64_t> ElementsOf(const Tensor& tensor) {
  return {tensor.values<int64_t>(), tensor.values<int64_t>() + tensor.count()};
}

class Hdf5Rows : public testing::Test {
 protected:
  std::string File(const char* name) const { return folder_.File(name); }

  TemporaryFolder folder_;
};

TEST_F(Hdf5Rows, MakesTheFileThatWriteMakes) {
  const Tensor x = Counted({2, 5, 3});
  Tensor logits(Dtype::kF32, {10, 4});
  logits.values<float>()[7] = -std::numeric_limits<float>::quiet_NaN();
  {
    Writer writer(File("whole.h5"));
    writer.Write("a/x", x);
    writer.WriteText("a", "recipe", "f32");
    writer.Write("b/logits", logits);
    writer.Close();
  }
  Writer writer(File("pieces.h5"));
  writer.Create("a/x", Dtype::kI64, x.shape);
  writer.WriteText("a", "recipe", "f32");
  writer.Create("b/logits", Dtype::kF32, logits.shape);
  writer.WriteRows("b/logits", 3, Part(logits, 12, {7, 4}));
  writer.WriteRows("a/x", 7, Part(x, 21, {3, 3}));  // tokens 2 to 4 of the second sequence
  writer.WriteRows("a/x", 3, Part(x, 9, {4, 3}));   // across both
  writer.WriteRows("b/logits", 0, Part(logits, 0, {3, 4}));
  writer.WriteRows("a/x", 0, Part(x, 0, {3, 3}));
  writer.Close();
  EXPECT_EQ(BytesOf(File("pieces.h5")), BytesOf(File("whole.h5")));
}

TEST_F(Hdf5Rows, CountsRowsOverAsManyAxesAsTheRowsLeave) {
  const Tensor x = Counted({2, 3, 4});
  for (const size_t rank : {size_t{1}, size_t{2}, size_t{3}}) {
    SCOPED_TRACE(rank);
    Writer writer(File("x.h5"));
    writer.Create("x", Dtype::kI64, x.shape);
    Shape shape(x.shape.end() - static_cast<std::ptrdiff_t>(rank), x.shape.end());
    const int64_t row =
        x.count() / std::accumulate(x.shape.begin(),
                                    x.shape.end() - static_cast<std::ptrdiff_t>(rank) + 1,
                                    int64_t{1}, std::multiplies<>());
    shape[0] = 1;
    for (int64_t i = x.count() / row; i-- > 0;) writer.WriteRows("x", i, Part(x, i * row, shape));
    writer.Close();
    EXPECT_EQ(ElementsOf(Reader(File("x.h5")).Read("x")), ElementsOf(x));
  }
}

TEST_F(Hdf5Rows, TakesNoTokens) {
  Writer writer(File("none.h5"));
  writer.Create("x", Dtype::kBf16, {2, 0, 5});
  writer.WriteRows("x", 0, Tensor(Dtype::kBf16, {0, 5}));
  writer.Close();
  const Reader reader(File("none.h5"));
  EXPECT_EQ(reader.Layout("x").shape, (Shape{2, 0, 5}));
  EXPECT_EQ(reader.Layout("x").dtype, Dtype::kBf16);
  EXPECT_EQ(reader.ReadRows("x", 2, 0, 0).shape, (Shape{0, 5}));
}

TEST_F(Hdf5Rows, RefusesAnElementTwice) {
  Writer writer(File("x.h5"));
  const Tensor rows = Counted({2, 3});
  writer.Create("x", Dtype::kI64, {2, 4, 3});
  writer.WriteRows("x", 3, rows);
  for (const int64_t first : {2, 3, 4}) {
    EXPECT_THROW(writer.WriteRows("x", first, rows), ContractViolation) << first;
  }
  EXPECT_THROW(writer.WriteRows("x", 0, Counted({1, 4, 3})), ContractViolation);
  EXPECT_THROW(writer.WriteRows("x", 0, Counted({5, 3})), ContractViolation);
  writer.WriteRows("x", 1, rows);
  writer.WriteRows("x", 5, rows);
  writer.WriteRows("x", 0, Counted({1, 3}));
  writer.WriteRows("x", 7, Counted({1, 3}));
  writer.Close();
}

TEST_F(Hdf5Rows, RefusesToEndWithoutAllElements) {
  Writer writer(File("x.h5"));
  writer.Create("tokens/x", Dtype::kI64, {2, 4, 3});
  writer.WriteRows("tokens/x", 0, Counted({5, 3}));
  writer.WriteRows("tokens/x", 6, Counted({2, 3}));
  const std::string message = MessageOf<ContractViolation>([&] { writer.Close(); });
  EXPECT_NE(message.find("3 elements of 'tokens/x' were not written"), std::string::npos)
      << message;
  writer.WriteRows("tokens/x", 5, Counted({1, 3}));
  writer.Close();
}

TEST_F(Hdf5Rows, LeavesNoFileWhereElementsAreMissing) {
  {
    Writer writer(File("x.h5"));
    writer.Create("x", Dtype::kI64, {1});
  }
  EXPECT_TRUE(folder_.IsEmpty());
}

TEST_F(Hdf5Rows, RefusesRowsThatDoNotFit) {
  Writer writer(File("x.h5"));
  writer.Create("x", Dtype::kI64, {2, 4, 3});
  const auto write = [&](const std::string& path, int64_t first, const Tensor& rows) {
    return [&writer, path, first, rows] { writer.WriteRows(path, first, rows); };
  };
  EXPECT_THROW(write("y", 0, Counted({1, 3}))(), ContractViolation);
  EXPECT_THROW(write("x", 0, Counted({1, 2}))(), ContractViolation);
  EXPECT_THROW(write("x", 0, Counted({}))(), ContractViolation);
  EXPECT_THROW(write("x", 0, Counted({1, 2, 4, 3}))(), ContractViolation);
  EXPECT_THROW(write("x", 0, Tensor(Dtype::kF32, {1, 3}))(), ContractViolation);
  EXPECT_THROW(write("x", -1, Counted({1, 3}))(), ContractViolation);
  EXPECT_THROW(write("x", 8, Counted({1, 3}))(), ContractViolation);
  EXPECT_THROW(write("x", 7, Counted({2, 3}))(), ContractViolation);
  EXPECT_THROW(write("x", std::numeric_limits<int64_t>::max(), Counted({2, 3}))(),
               ContractViolation);
  EXPECT_THROW(writer.Create("z", Dtype::kI64, {-1}), ContractViolation);
  EXPECT_THROW(writer.Create("z", Dtype::kI64, {int64_t{1} << 40, int64_t{1} << 40}),
               ContractViolation);
  EXPECT_THROW(writer.Create("z", Dtype::kI64, {1, 1, 1, 1, 1, 1, 1, 1, 1}), ContractViolation);
}

TEST_F(Hdf5Rows, RefusesATensorThatIsThere) {
  Writer writer(File("x.h5"));
  writer.Create("x", Dtype::kI64, {1});
  EXPECT_THROW(writer.Create("x", Dtype::kI64, {1}), std::runtime_error);
}

TEST_F(Hdf5Rows, ReadsTheRowsThatAreAskedFor) {
  const Tensor x = Counted({3, 4, 2});
  {
    Writer writer(File("x.h5"));
    writer.Write("x", x);
    writer.Close();
  }
  const Reader reader(File("x.h5"));
  for (int leading = 1; leading <= 3; ++leading) {
    const int64_t rows = leading == 1 ? 3 : leading == 2 ? 12 : 24;
    const int64_t row = 24 / rows;
    for (int64_t first = 0; first <= rows; ++first) {
      for (int64_t count = 0; count <= rows - first; ++count) {
        const Tensor got = reader.ReadRows("x", leading, first, count);
        Shape shape(x.shape.begin() + leading - 1, x.shape.end());
        shape[0] = count;
        ASSERT_EQ(got.shape, shape);
        ASSERT_EQ(got.data, Part(x, first * row, shape).data) << leading << " " << first;
      }
    }
    EXPECT_THROW(reader.ReadRows("x", leading, rows, 1), ContractViolation);
    EXPECT_THROW(reader.ReadRows("x", leading, 0, rows + 1), ContractViolation);
    EXPECT_THROW(reader.ReadRows("x", leading, -1, 1), ContractViolation);
    EXPECT_THROW(reader.ReadRows("x", leading, 0, -1), ContractViolation);
  }
  EXPECT_THROW(reader.ReadRows("x", 0, 0, 1), ContractViolation);
  EXPECT_THROW(reader.ReadRows("x", 4, 0, 1), ContractViolation);
  EXPECT_THROW(reader.ReadRows("y", 1, 0, 1), BadFile);
}

}  // namespace
}  // namespace touchstone::golden
