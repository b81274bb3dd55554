#include "lab/shown_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "golden/bad_file.h"

namespace touchstone::lab {
namespace {

bool IsPrintable(char c) { return ' ' <= c && c <= '~'; }

}  // namespace

std::string EscapedText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
      case '\t':
        out += ' ';
        break;
      default:
        out += IsPrintable(c) ? c : '?';
    }
  }
  return out;
}

std::string TerminalText(const std::string& text) {
  const bool is_plain = text.size() <= 120 && std::all_of(text.begin(), text.end(), IsPrintable);
  return is_plain ? text : golden::Quoted(text);
}

std::string PrintableText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += IsPrintable(c) ? std::string(1, c)
                          : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string ShellWord(std::string_view word) {
  const auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_-./:=,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  const bool is_shown = std::all_of(word.begin(), word.end(), IsPrintable);
  std::string quoted = is_shown ? "'" : "$'";
  for (const char c : word) {
    if (is_shown) {
      quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    } else {
      const bool as_is = IsPrintable(c) && c != '\'' && c != '\\';
      quoted += as_is ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return quoted + "'";
}

}  // namespace touchstone::lab
