#include "golden/manifest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "golden/canonical_bytes.h"
#include "golden/pending_file.h"
#include "reference/formats/contract_version.h"
#include "reference/formats/require.h"

namespace touchstone::golden {
namespace {

constexpr std::string_view kContractLine = "# contract ";
constexpr std::string_view kSeparator = "  ";
constexpr std::string_view kScalar = "scalar";
constexpr size_t kHexDigits = 64;
constexpr size_t kMaxRank = 8;

bool IsHash(std::string_view text) {
  return text.size() == kHexDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// <file>:<path>, both of which are there.
bool IsEntryName(std::string_view name) {
  const size_t colon = name.find(':');
  return IsPlainName(name) && colon != 0 && colon < name.size() - 1;
}

// A number in decimal as it is printed: no sign, no leading zero.
std::optional<int64_t> Decimal(std::string_view text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || fmt::format("{}", number) != text) return std::nullopt;
  return number < 0 ? std::nullopt : std::optional(number);
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return shape.empty() ? std::string(kScalar) : fmt::format("{}", fmt::join(shape, "x"));
}

std::optional<std::vector<int64_t>> ShapeFromText(std::string_view text) {
  std::vector<int64_t> shape;
  if (text == kScalar) return shape;
  while (shape.size() < kMaxRank) {
    const size_t end = text.find('x');
    const std::optional<int64_t> extent = Decimal(text.substr(0, end));
    if (!extent) return std::nullopt;
    shape.push_back(*extent);
    if (end == std::string_view::npos) return shape;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : rest_(text), file_(file) {}

  Manifest Parse() {
    Manifest manifest;
    bool has_version = false;
    while (!rest_.empty()) {
      const std::string_view line = NextLine();
      if (line.starts_with('#') && manifest.entries.empty()) {
        if (!line.starts_with(kContractLine)) continue;
        Expect(!has_version, "a second contract line", "one");
        CheckVersion(line.substr(kContractLine.size()));
        has_version = true;
        continue;
      }
      Expect(has_version, Quoted(line),
             fmt::format("'{}{}' before the first entry", kContractLine, kContractVersion));
      ParseEntry(line, &manifest);
    }
    ++line_number_;
    Expect(has_version, "the end", fmt::format("'{}{}'", kContractLine, kContractVersion));
    return manifest;
  }

 private:
  void Expect(bool holds, const std::string& found, const std::string& expected) const {
    if (!holds) {
      throw BadFile(
          fmt::format("{}: line {}: found {}, expected {}", file_, line_number_, found, expected));
    }
  }

  std::string_view NextLine() {
    ++line_number_;
    const size_t end = rest_.find('\n');
    Expect(end != std::string_view::npos, "the end of the file inside a line", "a whole line");
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }

  void CheckVersion(std::string_view text) const {
    const std::optional<int64_t> version = Decimal(text);
    Expect(version.has_value(), "contract version " + Quoted(text), "a whole number");
    Expect(version == kContractVersion, fmt::format("contract version {}", version.value_or(0)),
           fmt::format("{}, that of this program", kContractVersion));
  }

  void ParseEntry(std::string_view line, Manifest* manifest) const {
    std::array<std::string_view, 4> fields;
    std::string_view rest = line;
    for (size_t i = 0; i < fields.size(); ++i) {
      const size_t end = i + 1 < fields.size() ? rest.find(kSeparator) : rest.size();
      Expect(end != std::string_view::npos, Quoted(line),
             "hash, dtype, extents and name, two spaces between");
      fields[i] = rest.substr(0, end);
      rest.remove_prefix(std::min(rest.size(), end + kSeparator.size()));
    }
    const auto [hash, dtype_text, shape_text, name] = fields;
    Expect(IsHash(hash), "the hash " + Quoted(hash), "64 lower-case hex digits");
    const std::optional<Dtype> dtype = DtypeFromName(dtype_text);
    Expect(dtype.has_value(), "the dtype " + Quoted(dtype_text),
           "one of f32 bf16 e4m3 e5m2 e8m0 int4 i64");
    const std::optional<std::vector<int64_t>> shape = ShapeFromText(shape_text);
    Expect(shape.has_value(), "the extents " + Quoted(shape_text),
           "up to 8 of them, like 3x80, or 'scalar'");
    Expect(IsEntryName(name), "the name " + Quoted(name), "<file>:<path>");
    std::map<std::string, Entry>& entries = manifest->entries;
    const std::string_view last = entries.empty() ? "" : std::string_view(entries.rbegin()->first);
    Expect(name != last, "the name " + Quoted(name) + " a second time", "each once");
    Expect(name > last, "the name " + Quoted(name) + " after " + Quoted(last), "names sorted");
    entries.emplace_hint(entries.end(), name, Entry{std::string(hash), dtype.value(), *shape});
  }

  std::string_view rest_;
  const std::string& file_;
  int64_t line_number_ = 0;
};

}  // namespace

std::string Sha256(const Tensor& tensor) {
  const std::vector<std::byte> bytes = CanonicalBytes(tensor);
  std::array<unsigned char, kHexDigits / 2> digest{};
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("the cryptographic library cannot compute a SHA-256");
  }
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

Entry EntryOf(const Tensor& tensor) { return {Sha256(tensor), tensor.dtype, tensor.shape}; }

Manifest ParseManifest(std::string_view text, const std::string& file) {
  return Parser(text, file).Parse();
}

std::string FormatManifest(const Manifest& manifest) {
  std::string text = fmt::format(
      "# The SHA-256 of every tensor in the golden files: hash, dtype, extents, file:path.\n"
      "{}{}\n",
      kContractLine, kContractVersion);
  for (const auto& [name, entry] : manifest.entries) {
    TOUCHSTONE_REQUIRE(IsEntryName(name));
    TOUCHSTONE_REQUIRE(IsHash(entry.sha256));
    TOUCHSTONE_REQUIRE(entry.shape.size() <= kMaxRank);
    const std::string shape = ShapeText(entry.shape);
    text += fmt::format("{}  {}  {}  {}\n", entry.sha256, Name(entry.dtype), shape, name);
  }
  return text;
}

Manifest ReadManifest(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    throw BadFile(fmt::format("{}: found no such regular file, expected a manifest", file));
  }
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream)
    throw BadFile(fmt::format("{}: found an unreadable file, expected a manifest", file));
  return ParseManifest(text, file);
}

void WriteManifest(const std::string& file, const Manifest& manifest) {
  const std::string text = FormatManifest(manifest);
  PendingFile pending(file);
  std::ofstream stream(pending.temporary(), std::ios::binary);
  stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  stream.close();
  if (!stream) throw std::runtime_error(fmt::format("cannot write {}", pending.temporary()));
  pending.Commit();
}

}  // namespace touchstone::golden
