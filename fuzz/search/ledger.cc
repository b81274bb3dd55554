#include "fuzz/search/ledger.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "golden/bad_file.h"
#include "lab/report.h"
#include "reference/formats/contract_version.h"

namespace touchstone::fuzz {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr uintmax_t kLargest = 1 << 20;  // bytes

// A field of the type wanted; throws nlohmann's exception else.
template <typename T>
T Field(const Json& json, const char* name) {
  return json.at(name).get<T>();
}

uint64_t Count(const Json& json, const char* name) {
  const Json& value = json.at(name);
  if (!value.is_number_unsigned()) throw std::runtime_error(std::string(name) + " is no count");
  return value.get<uint64_t>();
}

Ledger FromJson(const Json& json) {
  if (Count(json, "format") != kFormat) throw std::runtime_error("another format");
  if (Count(json, "contract") != static_cast<uint64_t>(kContractVersion)) {
    throw std::runtime_error("made under another version of the contract");
  }
  Ledger ledger{.op = Field<std::string>(json, "op"),
                .seed = Count(json, "seed"),
                .exact = Field<bool>(json, "exact"),
                .kernel = Field<std::string>(json, "kernel"),
                .kernel_sha256 = Field<std::string>(json, "kernel_sha256"),
                .next = Count(json, "next")};
  for (const Json& failure : json.at("failures")) {
    ledger.failures.push_back({Count(failure, "trial"), Field<std::string>(failure, "kind"),
                               Field<std::string>(failure, "report"),
                               Field<bool>(failure, "ended")});
  }
  return ledger;
}

}  // namespace

std::string LedgerFile(const std::string& folder, const std::string& op) {
  return fmt::format("{}/{}.ledger.json", folder, op);
}

void WriteLedger(const std::string& path, const Ledger& ledger) {
  Json failures = Json::array();
  for (const LedgerFailure& failure : ledger.failures) {
    failures.push_back({{"trial", failure.trial},
                        {"kind", failure.kind},
                        {"report", failure.report},
                        {"ended", failure.ended}});
  }
  const Json json = {{"format", kFormat},
                     {"contract", kContractVersion},
                     {"op", ledger.op},
                     {"seed", ledger.seed},
                     {"exact", ledger.exact},
                     {"kernel", ledger.kernel},
                     {"kernel_sha256", ledger.kernel_sha256},
                     {"next", ledger.next},
                     {"failures", failures}};
  // Names come from outside and may hold any bytes.
  lab::WriteTextFile(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::optional<Ledger> ReadLedger(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  const auto refuse = [&](const std::string& why) {
    return golden::BadFile(fmt::format("{}: not the ledger of a search: {}", path, why));
  };
  const uintmax_t bytes = std::filesystem::file_size(path, ignored);
  if (ignored || bytes > kLargest) throw refuse("no regular file of at most 1 MiB");
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw refuse("it cannot be read");
  try {
    return FromJson(Json::parse(text));
  } catch (const std::exception& error) {
    throw refuse(error.what());
  }
}

std::string FileSha256(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return "";
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace touchstone::fuzz
