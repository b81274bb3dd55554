// Compiles what a stranger wrote: in a temporary folder that is gone when this returns or throws,
// also where a signal ends the program, and without a shell.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace touchstone::lab {

// A file without a name, for as long as this lives. Any process of the user can open path().
class UnnamedFile {
 public:
  UnnamedFile() = default;
  explicit UnnamedFile(int descriptor) : descriptor_(descriptor) {}
  ~UnnamedFile();
  UnnamedFile(UnnamedFile&& other) noexcept;
  UnnamedFile& operator=(UnnamedFile&& other) noexcept;

  std::string path() const;

 private:
  int descriptor_ = -1;
};

struct CompilerCall {
  std::vector<std::string> words;            // the compiler, found in PATH, and what it is told
  std::map<std::string, std::string> files;  // name in the folder -> what it holds
  std::map<std::string, std::string> links;  // name in the folder -> what it is a link to
  std::string result;                        // the file in the folder that is wanted
  double seconds = 120;
  int64_t memory_bytes = int64_t{4} << 30;
};

struct Compiled {
  bool found = true;  // the compiler; what follows is only there where it was
  bool done = false;
  std::string why;   // it did not end well: a signal, the time limit; empty: its own exit code
  std::string said;  // the beginning of what it printed
  UnnamedFile result;
};

// The compiler runs in the folder, in the C locale. Throws KernelUnavailable where the folder
// cannot be made or written, and after a signal that does not end the program.
Compiled RunCompiler(const CompilerCall& call);

// Of what a compiler said, the first errors in one line; without any, its first lines.
std::string FirstErrors(const std::string& said);

}  // namespace touchstone::lab
