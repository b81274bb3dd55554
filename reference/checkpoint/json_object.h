// One object of a JSON file, read by key with the type, the range and the absence said each time.
//
// The file comes from outside: a key twice in one object, nesting deeper than 32, a number that
// overflows binary64 and text after the end are refused. Every error is one BadCheckpoint that
// names file, key, what was found and what was expected.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace touchstone::checkpoint {

// The file's one value, an object. Throws BadCheckpoint.
nlohmann::json ParseObject(std::string_view text, const std::string& file);

struct WholeRange {
  int64_t least = 0, most = 0;
};

// Refers to the parsed value, which must outlive it.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& object, std::string file, std::string prefix = "");

  // Absent is not null: Present is true of a null value, Given is not.
  bool Present(const std::string& key) const;
  bool Given(const std::string& key) const;

  // Each throws where the key is absent or its value is of another type or out of range.
  const nlohmann::json& At(const std::string& key, const std::string& expected) const;
  int64_t Whole(const std::string& key, WholeRange range) const;
  // Positive and finite, also once rounded to binary32, where an op takes it.
  double Positive(const std::string& key) const;
  double NotNegative(const std::string& key) const;
  bool Boolean(const std::string& key) const;
  std::string Text(const std::string& key) const;
  const nlohmann::json& List(const std::string& key) const;
  JsonObject Object(const std::string& key) const;

  // The same with what an absent key stands for.
  int64_t Whole(const std::string& key, WholeRange range, int64_t absent) const;
  double Positive(const std::string& key, double absent) const;
  double NotNegative(const std::string& key, double absent) const;
  bool Boolean(const std::string& key, bool absent) const;

  // Throws: the key's value, or its absence, is what was found.
  [[noreturn]] void Refuse(const std::string& key, const std::string& expected) const;
  // Throws about one entry of a list.
  [[noreturn]] void RefuseEntry(const std::string& key, size_t entry,
                                const std::string& expected) const;

 private:
  double Decimal(const std::string& key, const std::string& expected) const;

  const nlohmann::json& object_;
  std::string file_, prefix_;
};

}  // namespace touchstone::checkpoint
