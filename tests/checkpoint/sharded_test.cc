#include "reference/checkpoint/sharded.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/checkpoint/written.h"

namespace touchstone::checkpoint {
namespace {

constexpr char kIndexName[] = "model.safetensors.index.json";

// A folder with a checkpoint of two shards:
//   one.safetensors  a: BF16 [2], b: U8 [1]
//   two.safetensors  z: F32 [2, 1]
class Sharded : public testing::Test {
 protected:
  Sharded() {
    folder_.Write("one.safetensors", FileOf("{" + TensorJson("a", "BF16", "[2]", 0, 4) + "," +
                                                TensorJson("b", "U8", "[1]", 4, 5) + "}",
                                            std::string("\x80\x3f\x00\x40\x01", 5)));
    folder_.Write("two.safetensors", FileOf("{" + TensorJson("z", "F32", "[2,1]", 0, 8) + "}",
                                            std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
    Index(R"({"metadata":{"total_size":13,"total_parameters":5},"weight_map":{)"
          R"("a":"one.safetensors","b":"one.safetensors","z":"two.safetensors"}})");
  }

  void Index(const std::string& json) const { folder_.Write(kIndexName, json); }
  Checkpoint Open() const { return Checkpoint(folder_.path()); }
  void Refused(const std::string& text) const {
    ExpectBad([this] { Open(); }, text);
  }
  void RefusedIndex(const std::string& json, const std::string& text) const {
    SCOPED_TRACE(json);
    Index(json);
    Refused(text);
  }
  void RefusedShard(const std::string& shard_json) const {
    RefusedIndex(R"({"weight_map":{"a":)" + shard_json + "}}", "expected the plain name of a file");
  }

  TemporaryFolder folder_;
};

TEST_F(Sharded, ListsAndReads) {
  const Checkpoint checkpoint = Open();
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b", "z"}));
  EXPECT_TRUE(checkpoint.Has("z"));
  EXPECT_FALSE(checkpoint.Has("y"));
  EXPECT_EQ(checkpoint.Find("z").dtype, "F32");
  EXPECT_EQ(checkpoint.Find("z").shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(checkpoint.Find("z").bytes, 8u);
  EXPECT_EQ(checkpoint.Find("z").shard, folder_.File("two.safetensors"));
  EXPECT_EQ(checkpoint.Read("a").values<Bf16>()[1].bits, 0x4000);
  EXPECT_EQ(checkpoint.Read("z").values<float>()[0], 1.0f);
  const Tensor row = checkpoint.ReadRows("z", 1, 1);
  EXPECT_EQ(row.shape, (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(row.values<float>()[0], 2.0f);
  ExpectBad([&] { checkpoint.Read("y"); }, "'y': no such tensor in the checkpoint");
  ExpectBad([&] { checkpoint.Read("b"); }, "'b': dtype U8, expected one that is read");
  ExpectBad([&] { checkpoint.ReadRows("z", 1, 2); }, "'z': 2 rows, expected 2 of them from row 1");
}

TEST_F(Sharded, ReadsInTheStorageAskedFor) {
  const Checkpoint checkpoint = Open();
  const Tensor a = checkpoint.Read("a", Dtype::kF32);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2}));
  EXPECT_EQ(a.values<float>()[0], 1.0f);
  EXPECT_EQ(a.values<float>()[1], 2.0f);
  EXPECT_EQ(checkpoint.ReadRows("z", 1, 1, Dtype::kBf16).values<Bf16>()[0].bits, 0x4000);
  EXPECT_THROW(checkpoint.Read("z", Dtype::kI64), ContractViolation);
}

TEST_F(Sharded, AShardThatIsReplacedDoesNotMatter) {
  const Checkpoint checkpoint = Open();
  std::filesystem::remove(folder_.File("two.safetensors"));
  folder_.Write("two.safetensors", "another file");
  EXPECT_EQ(checkpoint.Read("z").values<float>()[1], 2.0f);
}

TEST_F(Sharded, OneOfTheTwoLayoutsIsThere) {
  folder_.Write("model.safetensors", FileOfBytes({"a"}));
  Refused("both model.safetensors and model.safetensors.index.json, expected one of them");
  std::filesystem::remove(folder_.File(kIndexName));
  EXPECT_EQ(Open().names(), std::vector<std::string>{"a"});
  std::filesystem::remove(folder_.File("model.safetensors"));
  Refused("neither model.safetensors nor model.safetensors.index.json");
  std::filesystem::create_directory(folder_.File("model.safetensors"));
  Refused("model.safetensors: not a file, expected a regular file");
}

TEST_F(Sharded, TheIndexIsStrictJson) {
  RefusedIndex("", "begins with '', expected '{'");
  RefusedIndex("[]", "begins with '[]', expected '{'");
  RefusedIndex("{", "expected valid JSON in UTF-8");
  RefusedIndex("{}", "no tensor in weight_map");
  RefusedIndex(R"({"weight_map":{}})", "no tensor in weight_map");
  RefusedIndex(R"({"weight_map":[]})", "expected an object");
  RefusedIndex(R"({"weight_map":{"a":"one.safetensors"},"y":{}})",
               "the key 'y', expected metadata");
  RefusedIndex(R"({"y":{"a":"one.safetensors"}})", "the key 'y', expected metadata");
  RefusedIndex(R"({"weight_map":{"a":{}}})", "an object, expected a plain value");
  RefusedIndex(R"({"weight_map":{"a":"one.safetensors","a":"two.safetensors"}})", "'a' twice");
  RefusedIndex(R"({"weight_map":{},"weight_map":{}})", "'weight_map' twice");
}

TEST_F(Sharded, Rule1AShardIsAPlainFileName) {
  for (const char* const shard :
       {R"("")", R"(".")", R"("..")", R"("../one.safetensors")", R"("/etc/passwd")",
        R"("x/one.safetensors")", R"("x\\one.safetensors")", R"("one..safetensors")",
        R"("one\u0000.safetensors")", R"("\u001b[2J")", R"("\u00e9")", "1", "null",
        R"(["one.safetensors"])"}) {
    RefusedShard(shard);
  }
}

TEST_F(Sharded, Rule2EveryTensorIsInItsShard) {
  RefusedIndex(R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors",)"
               R"("z":"one.safetensors"}})",
               "'z' is not in one.safetensors");
  RefusedIndex(R"({"weight_map":{"a":"three.safetensors"}})",
               "three.safetensors: cannot be opened");
  RefusedIndex(R"({"weight_map":{"a":"one.safetensors","c":"one.safetensors"}})",
               "'c' is not in one.safetensors");
}

TEST_F(Sharded, Rule3NoShardHoldsMore) {
  RefusedIndex(R"({"weight_map":{"a":"one.safetensors","z":"two.safetensors"}})",
               "one.safetensors holds 2 tensors, expected the 1 that weight_map places there");
  // The same tensor in both shards, of which the index names one.
  folder_.Write("two.safetensors", FileOfBytes({"a", "z"}));
  RefusedIndex(R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors",)"
               R"("z":"two.safetensors"}})",
               "two.safetensors holds 2 tensors, expected the 1");
}

TEST_F(Sharded, Rule4TotalSizeIsTheSumOfTheBytes) {
  const auto index = [](const std::string& total) {
    return R"({"metadata":{)" + total + R"(},"weight_map":{"a":"one.safetensors",)" +
           R"("b":"one.safetensors","z":"two.safetensors"}})";
  };
  RefusedIndex(index(R"("total_size":12)"), "total_size is 12, expected 13");
  RefusedIndex(index(R"("total_size":14)"), "total_size is 14, expected 13");
  RefusedIndex(index(R"("total_size":13.0)"), "expected an unsigned integer");
  RefusedIndex(index(R"("total_size":"13")"), "total_size is the text '13'");
  RefusedIndex(index(R"("total_size":-13)"), "expected an unsigned integer");
  for (const char* const metadata : {"", R"("total_size":13)", R"("format":"pt","tags":["x"])"}) {
    Index(index(metadata));
    EXPECT_EQ(Open().names().size(), 3u);
  }
}

TEST_F(Sharded, AHostileShardIsRefused) {
  folder_.Write("two.safetensors",
                FileOf("{" + TensorJson("z", "F32", "[2,1]", 0, 8) + "}", "123456789"));
  Refused("two.safetensors: 9 bytes of data, expected those of the tensors, 8");
}

TEST(Checkpoint, NamesLoseThePrefixOfTheTextModelOnly) {
  const TemporaryFolder folder;
  folder.Write("model.safetensors",
               FileOfBytes({"language_model.lm_head.weight", "vision_model.class_embedding",
                            "multi_modal_projector.linear_1.weight", "norm.language_model.x"}));
  const Checkpoint checkpoint(folder.path());
  EXPECT_EQ(checkpoint.names(),
            (std::vector<std::string>{"lm_head.weight", "multi_modal_projector.linear_1.weight",
                                      "norm.language_model.x", "vision_model.class_embedding"}));
  EXPECT_EQ(checkpoint.Find("lm_head.weight").name, "language_model.lm_head.weight");
  EXPECT_FALSE(checkpoint.Has("language_model.lm_head.weight"));
}

TEST(Checkpoint, TheSameTensorWithAndWithoutThePrefixIsRefused) {
  const TemporaryFolder folder;
  folder.Write("model.safetensors", FileOfBytes({"a", "language_model.a"}));
  ExpectBad([&] { Checkpoint{folder.path()}; }, "'language_model.a' is the same tensor as 'a'");
}

TEST(Checkpoint, TheSameTensorInTwoShardsIsRefused) {
  const TemporaryFolder folder;
  folder.Write("one.safetensors", FileOfBytes({"a"}));
  folder.Write("two.safetensors", FileOfBytes({"language_model.a"}));
  folder.Write(kIndexName, R"({"weight_map":{"a":"one.safetensors",)"
                           R"("language_model.a":"two.safetensors"}})");
  ExpectBad([&] { Checkpoint{folder.path()}; }, "is the same tensor as 'a' of");
}

}  // namespace
}  // namespace touchstone::checkpoint
