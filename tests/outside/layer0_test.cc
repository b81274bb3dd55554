// An independent reading of the numerics contract, written from its text alone in another language,
// computed the same models. Our bits must be its bits, from the embedding to the end of layer 0, in
// both recipes: golden/foreign/contract_hashes.json has the SHA-256 of each of its tensors.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "golden/hdf5_file.h"
#include "tests/outside/first_layer.h"

namespace touchstone::outside {
namespace {

const std::string kForeign = std::string(TOUCHSTONE_SOURCE_DIR) + "/golden/foreign/";

// Of the stored bytes, which are little endian as the file's are.
std::string Sha256(const Tensor& tensor) {
  std::array<unsigned char, 32> digest{};
  if (EVP_Digest(tensor.data.data(), tensor.data.size(), digest.data(), nullptr, EVP_sha256(),
                 nullptr) != 1) {
    throw std::runtime_error("SHA-256 failed");
  }
  std::string text;
  for (const unsigned char byte : digest) {
    for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
  }
  return text;
}

// [dtype, shape, SHA-256], as the file has it. The other reading carries a batch of one.
nlohmann::json Entry(const Tensor& tensor) {
  std::vector<int64_t> shape{1};
  shape.insert(shape.end(), tensor.shape.begin(), tensor.shape.end());
  return {std::string(Name(tensor.dtype)), shape, Sha256(tensor)};
}

class LayerZero : public testing::TestWithParam<std::tuple<const char*, Dtype>> {};

TEST_P(LayerZero, HasTheHashesOfTheOtherReading) {
  const auto& [model, recipe] = GetParam();
  nlohmann::json hashes;
  std::ifstream(kForeign + "contract_hashes.json") >> hashes;
  const nlohmann::json& wanted = hashes.at(model).at(std::string(Name(recipe)));

  const golden::Reader file(kForeign + model + ".h5");
  const TextConfig config = ReadTextConfig(file.Text("", "config").value());
  const Named named =
      RunFirstLayer(config, recipe, file.Read("input/input_ids"),
                    [&file](const std::string& name) { return file.Read("weight/" + name); });

  std::set<std::string> missing;
  for (const auto& [name, entry] : wanted.items()) missing.insert(name);
  for (const auto& [name, tensor] : named) {
    ASSERT_TRUE(wanted.contains(name)) << name << " has no hash";
    ASSERT_EQ(wanted.at(name), Entry(tensor)) << "the first tensor that differs: " << name;
    missing.erase(name);
  }
  EXPECT_GT(named.size(), 12u);
  EXPECT_TRUE(missing.empty()) << *missing.begin() << " was not computed";
}

INSTANTIATE_TEST_SUITE_P(Models, LayerZero,
                         testing::Combine(testing::Values("scout-tiny", "scout-launch-rope",
                                                          "maverick-tiny", "guard-tiny",
                                                          "scout-bytes"),
                                          testing::Values(Dtype::kF32, Dtype::kBf16)),
                         [](const auto& instance) {
                           std::string name = std::get<0>(instance.param);
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name + "_" + std::string(Name(std::get<1>(instance.param)));
                         });

}  // namespace
}  // namespace touchstone::outside
