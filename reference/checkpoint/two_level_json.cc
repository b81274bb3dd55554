#include "reference/checkpoint/two_level_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "reference/checkpoint/bad_checkpoint.h"

namespace touchstone::checkpoint {
namespace {

using Json = nlohmann::json;

// Gets the parser's events. The library's own document keeps the last of equal keys in silence.
class Events : public nlohmann::json_sax<Json> {
 public:
  Events(const std::string& file, std::string_view text, TwoLevelJson* members)
      : file_(file), text_(text), members_(*members) {}

  bool null() override { return Add(OtherValue{"null"}); }
  bool boolean(bool value) override { return Add(OtherValue{value ? "true" : "false"}); }
  bool number_integer(int64_t) override { return Add(OtherValue{"a number with a minus sign"}); }
  bool number_unsigned(uint64_t value) override { return Add(value); }
  bool number_float(double, const std::string&) override {
    return Add(OtherValue{"a number that is no 64-bit integer"});
  }
  bool string(std::string& value) override { return Add(std::move(value)); }
  bool binary(Json::binary_t&) override { return Add(OtherValue{"binary data"}); }

  bool start_object(size_t) override {
    if (depth_ == 2 || in_list_) Fail(Where() + "an object, expected a plain value");
    ++depth_;
    return true;
  }
  bool key(std::string& name) override {
    std::set<std::string>& seen = depth_ == 1 ? outer_keys_ : inner_keys_;
    if (!seen.insert(name).second) {
      Fail((depth_ == 2 ? Quoted(outer_) + ": " : "") + "the key " + Quoted(name) +
           " twice, expected once");
    }
    (depth_ == 1 ? outer_ : inner_) = std::move(name);
    return true;
  }
  bool end_object() override {
    if (depth_-- == 2) {
      inner_keys_.clear();
      members_.End(outer_);
    }
    return true;
  }

  bool start_array(size_t) override {
    if (depth_ < 2 || in_list_) Fail(Where() + "a list, expected " + Expected());
    in_list_ = true;
    return true;
  }
  bool end_array() override {
    in_list_ = false;
    JsonValue list = other_in_list_.empty()
                         ? JsonValue(std::move(list_))
                         : JsonValue(OtherValue{"a list that holds " + other_in_list_});
    list_ = {};
    other_in_list_.clear();
    return Add(std::move(list));
  }

  // The library's text shows bytes of the file as they are, so it is not used.
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    const size_t at = position == 0 ? 0 : position - 1;
    Fail("byte " + std::to_string(at) +
         " of the JSON: " + (at < text_.size() ? Quoted(text_.substr(at, 1)) : "the end") +
         ", expected valid JSON in UTF-8");
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw BadCheckpoint(file_ + ": " + what);
  }

  const char* Expected() const { return depth_ == 2 ? "a plain value" : "an object"; }
  std::string Where() const {
    if (depth_ == 0) return "the JSON is ";
    return Quoted(outer_) + (depth_ == 2 ? ", " + Quoted(inner_) : "") + " is or holds ";
  }

  bool Add(JsonValue value) {
    if (depth_ < 2) Fail(Where() + Describe(value) + ", expected " + Expected());
    if (!in_list_) {
      members_.Member(outer_, inner_, std::move(value));
    } else if (const uint64_t* number = std::get_if<uint64_t>(&value)) {
      list_.push_back(*number);
    } else if (other_in_list_.empty()) {
      other_in_list_ = Describe(value);
    }
    return true;
  }

  const std::string& file_;
  std::string_view text_;
  TwoLevelJson& members_;
  int depth_ = 0;  // of the objects that are open
  std::string outer_, inner_;
  std::set<std::string> outer_keys_, inner_keys_;
  bool in_list_ = false;
  UnsignedList list_;
  std::string other_in_list_;  // the first of its values that is no unsigned integer
};

}  // namespace

std::string Describe(const JsonValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return "the text " + Quoted(*text);
  if (const auto* number = std::get_if<uint64_t>(&value)) return std::to_string(*number);
  if (const auto* list = std::get_if<UnsignedList>(&value)) {
    return "a list of " + std::to_string(list->size()) + " numbers";
  }
  return std::get<OtherValue>(value).what;
}

void TwoLevelJson::Read(const std::string& file, std::string_view text) {
  if (text.empty() || text[0] != '{') {
    throw BadCheckpoint(file + ": the JSON begins with " + Quoted(text.substr(0, 3)) +
                        ", expected '{'");
  }
  // The library takes a byte 0 for the end of the text, and would not look at what follows it.
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw BadCheckpoint(file + ": byte " + std::to_string(zero) +
                        " of the JSON is '\\x00', expected valid JSON in UTF-8");
  }
  Events events(file, text, this);
  Json::sax_parse(text.begin(), text.end(), &events);
}

}  // namespace touchstone::checkpoint
