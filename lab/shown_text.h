// Text that may come from a file of a stranger, as it is fit to be shown.
#pragma once

#include <string>
#include <string_view>

namespace touchstone::lab {

// In XML and HTML: the characters that have a meaning there, white space as spaces, and of the rest
// only printable ASCII.
std::string EscapedText(std::string_view text);

// On a terminal: as it is where it is short and printable ASCII, else quoted.
std::string TerminalText(const std::string& text);

// On a terminal, inside other text: every byte that is not printable ASCII as \xNN.
std::string PrintableText(std::string_view text);

// In a line for a shell: the word as the shell reads it, quoted where it must be.
std::string ShellWord(std::string_view word);

}  // namespace touchstone::lab
