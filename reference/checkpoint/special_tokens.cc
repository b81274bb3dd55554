#include "reference/checkpoint/special_tokens.h"

#include <utility>

#include "reference/checkpoint/json_object.h"

namespace touchstone::checkpoint {
namespace {

using nlohmann::json;

// The ids under a key, one or a list of them, that are in the vocabulary.
class TokenReader {
 public:
  TokenReader(std::string file, int64_t vocabulary, std::vector<std::string>* notes)
      : file_(std::move(file)), vocabulary_(vocabulary), notes_(notes) {}

  std::vector<int64_t> Read(const JsonObject& object, const std::string& key) const {
    if (!object.Given(key)) return {};
    const json& value = object.At(key, "a token id or a list of them");
    std::vector<int64_t> ids;
    if (!value.is_array()) {
      if (!value.is_number_integer()) object.Refuse(key, "a token id or a list of them");
      Add(value, key, &ids);
      return ids;
    }
    for (size_t i = 0; i < value.size(); ++i) {
      if (!value[i].is_number_integer()) object.RefuseEntry(key, i, "a token id");
      Add(value[i], key, &ids);
    }
    return ids;
  }

 private:
  void Add(const json& id, const std::string& key, std::vector<int64_t>* ids) const {
    const bool fits =
        id.is_number_unsigned() && id.get<uint64_t>() < static_cast<uint64_t>(vocabulary_);
    if (fits) {
      ids->push_back(id.get<int64_t>());
    } else {
      notes_->push_back(file_ + ": " + key + " is " + id.dump() + ", which is outside the " +
                        std::to_string(vocabulary_) + " tokens of the vocabulary: left out");
    }
  }

  std::string file_;
  int64_t vocabulary_;
  std::vector<std::string>* notes_;
};

std::optional<int64_t> Only(const std::vector<int64_t>& ids) {
  return ids.empty() ? std::nullopt : std::optional<int64_t>(ids.front());
}

}  // namespace

SpecialTokens ReadSpecialTokens(const json& config, const std::string& file, int64_t vocabulary,
                                std::vector<std::string>* notes) {
  const JsonObject outer(config, file);
  const JsonObject text = outer.Given("text_config") ? outer.Object("text_config") : outer;
  const auto where = [&](const char* key) { return text.Given(key) ? text : outer; };
  const TokenReader reader(file, vocabulary, notes);
  SpecialTokens tokens;
  tokens.begin = Only(reader.Read(where("bos_token_id"), "bos_token_id"));
  tokens.ends = reader.Read(where("eos_token_id"), "eos_token_id");
  tokens.image = Only(reader.Read(outer, "image_token_index"));
  return tokens;
}

}  // namespace touchstone::checkpoint
