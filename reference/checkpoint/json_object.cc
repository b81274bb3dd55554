#include "reference/checkpoint/json_object.h"

#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "reference/checkpoint/bad_checkpoint.h"

namespace touchstone::checkpoint {
namespace {

using nlohmann::json;

constexpr int kDeepest = 32;

// A value as a message shows it: short, and printable whatever the file holds.
std::string Shown(const json& value) {
  constexpr size_t kLongest = 60;
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

// Callback of the parser: refuses what nlohmann-json accepts and two readers read differently.
class StrictSyntax {
 public:
  explicit StrictSyntax(const std::string& file) : file_(file) {}

  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        if (depth >= kDeepest) {
          throw BadCheckpoint(file_ + ": nested deeper than " + std::to_string(kDeepest) +
                              "; expected a flat configuration");
        }
        if (event == json::parse_event_t::object_start) keys_.emplace_back();
        break;
      case json::parse_event_t::key:
        if (!keys_.back().insert(parsed.get<std::string>()).second) {
          throw BadCheckpoint(file_ + ": key " + Shown(parsed) +
                              " stands twice in one object; expected once");
        }
        break;
      case json::parse_event_t::object_end:
        keys_.pop_back();
        break;
      default:
        break;
    }
    return true;
  }

 private:
  const std::string& file_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
};

}  // namespace

json ParseObject(std::string_view text, const std::string& file) {
  // The parser takes a byte 0 for the end of its input.
  if (text.find('\0') != std::string_view::npos) {
    throw BadCheckpoint(file + ": has a byte 0; expected JSON text");
  }
  json value;
  try {
    // A reference to one callback: the parser copies what it is given.
    StrictSyntax syntax(file);
    value = json::parse(text, [&syntax](int depth, json::parse_event_t event, json& parsed) {
      return syntax(depth, event, parsed);
    });
  } catch (const json::exception& error) {
    throw BadCheckpoint(file + ": no valid JSON (" + Quoted(error.what()) +
                        "); expected one object");
  }
  if (!value.is_object()) {
    throw BadCheckpoint(file + ": holds " + Shown(value) + "; expected one object");
  }
  return value;
}

JsonObject::JsonObject(const json& object, std::string file, std::string prefix)
    : object_(object), file_(std::move(file)), prefix_(std::move(prefix)) {}

bool JsonObject::Present(const std::string& key) const { return object_.contains(key); }

bool JsonObject::Given(const std::string& key) const {
  return Present(key) && !object_.at(key).is_null();
}

void JsonObject::Refuse(const std::string& key, const std::string& expected) const {
  const std::string found = Present(key) ? "is " + Shown(object_.at(key)) : "is absent";
  throw BadCheckpoint(file_ + ": " + prefix_ + key + " " + found + "; expected " + expected);
}

void JsonObject::RefuseEntry(const std::string& key, size_t entry,
                             const std::string& expected) const {
  throw BadCheckpoint(file_ + ": " + prefix_ + key + "[" + std::to_string(entry) + "] is " +
                      Shown(object_.at(key).at(entry)) + "; expected " + expected);
}

const json& JsonObject::At(const std::string& key, const std::string& expected) const {
  if (!Present(key)) Refuse(key, expected);
  return object_.at(key);
}

int64_t JsonObject::Whole(const std::string& key, WholeRange range) const {
  const std::string expected =
      "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most);
  const json& value = At(key, expected);
  if (!value.is_number_integer()) Refuse(key, expected);
  // Beyond int64 the library keeps a number as unsigned, or as a float.
  if (value.is_number_unsigned() && !std::in_range<int64_t>(value.get<uint64_t>())) {
    Refuse(key, expected);
  }
  const int64_t whole = value.get<int64_t>();
  if (whole < range.least || whole > range.most) Refuse(key, expected);
  return whole;
}

double JsonObject::Decimal(const std::string& key, const std::string& expected) const {
  const json& value = At(key, expected);
  if (!value.is_number()) Refuse(key, expected);
  const double decimal = value.get<double>();
  if (!std::isfinite(decimal) || !std::isfinite(static_cast<float>(decimal))) Refuse(key, expected);
  return decimal;
}

double JsonObject::Positive(const std::string& key) const {
  const std::string expected = "a positive number within binary32";
  const double decimal = Decimal(key, expected);
  if (!(static_cast<float>(decimal) > 0.0f)) Refuse(key, expected);
  return decimal;
}

double JsonObject::NotNegative(const std::string& key) const {
  const std::string expected = "a number within binary32 that is not negative";
  const double decimal = Decimal(key, expected);
  if (!(decimal >= 0.0)) Refuse(key, expected);
  return decimal;
}

bool JsonObject::Boolean(const std::string& key) const {
  const json& value = At(key, "true or false");
  if (!value.is_boolean()) Refuse(key, "true or false");
  return value.get<bool>();
}

std::string JsonObject::Text(const std::string& key) const {
  const json& value = At(key, "a string");
  if (!value.is_string()) Refuse(key, "a string");
  return value.get<std::string>();
}

const json& JsonObject::List(const std::string& key) const {
  const json& value = At(key, "a list");
  if (!value.is_array()) Refuse(key, "a list");
  return value;
}

JsonObject JsonObject::Object(const std::string& key) const {
  const json& value = At(key, "an object");
  if (!value.is_object()) Refuse(key, "an object");
  return JsonObject(value, file_, prefix_ + key + ".");
}

int64_t JsonObject::Whole(const std::string& key, WholeRange range, int64_t absent) const {
  return Present(key) ? Whole(key, range) : absent;
}

double JsonObject::Positive(const std::string& key, double absent) const {
  return Present(key) ? Positive(key) : absent;
}

double JsonObject::NotNegative(const std::string& key, double absent) const {
  return Present(key) ? NotNegative(key) : absent;
}

bool JsonObject::Boolean(const std::string& key, bool absent) const {
  return Present(key) ? Boolean(key) : absent;
}

}  // namespace touchstone::checkpoint
