#include "lab/files/cuda_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include "lab/files/starter.h"
#include "lab/kernel/call_attributes.h"
#include "lab/kernel/kernel.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

constexpr std::string_view kMark = "touchstone:";
constexpr size_t kLongestKernelName = 100;  // it is the kernel's name in reports

using Names = std::set<std::string, std::less<>>;

bool IsWordCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// Identifiers of a text, in their order. What begins with a digit is a number.
std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && IsWordCharacter(text[end])) ++end;
    if (end > i && std::isdigit(static_cast<unsigned char>(text[i])) == 0) {
      words.emplace_back(text.substr(i, end - i));
    }
    i = end + 1;
  }
  return words;
}

std::string SizeLetters(const OpSpec& op) { return ShapeLetters(op) + LettersWithoutShape(op); }

std::string TypeOfAttribute(const OpSpec& op, const std::string& name) {
  if (name == "chunk" || name == "first" || name == "llama3" || name == "sampling_seed") {
    return "int64_t";
  }
  return op.name == "sampling" ? "double" : "float";
}

std::string TypeOfElement(const Argument& argument) {
  return argument.stored == Stored::kRecipe ? "Storage"
         : argument.stored == Stored::kF32  ? "float"
                                            : "int64_t";
}

// "x, weight, y (tensors); T, C (sizes); eps (attributes)"
std::string NamesText(const OpSpec& op) {
  std::vector<std::string> tensors, sizes, attributes;
  for (const Argument& argument : op.arguments) tensors.push_back(argument.name);
  for (const char letter : SizeLetters(op)) sizes.emplace_back(1, letter);
  for (const auto& [name, value] : op.attributes) attributes.push_back(name);
  std::string text =
      fmt::format("{} (tensors); {} (sizes)", fmt::join(tensors, ", "), fmt::join(sizes, ", "));
  if (!attributes.empty()) text += fmt::format("; {} (attributes)", fmt::join(attributes, ", "));
  return text;
}

// One file's header line, read from left to right.
class LaunchReader {
 public:
  LaunchReader(const std::string& text, const std::string& file, const OpSpec& op)
      : text_(text), path_(file), file_(TerminalText(file)), op_(op) {}

  CudaLaunch Read() {
    FindLine();
    RequirePlainCharacters();
    CudaLaunch launch;
    const size_t open = line_.find("<<<");
    if (open == std::string::npos) Fail("there is no <<<grid, block>>>");
    const size_t close = line_.find(">>>", open);
    if (close == std::string::npos) Fail("<<< is not closed by >>>");
    launch.kernel = Trimmed(std::string_view(line_).substr(0, open));
    CheckKernelName(launch.kernel);
    const auto configuration = Split(line_.substr(open + 3, close - open - 3), "<<<>>>");
    if (configuration.size() < 2 || configuration.size() > 3) {
      Fail(
          fmt::format("<<<>>> holds {} expressions; grid, block and bytes of dynamic shared memory "
                      "are expected (the stream is the lab's)",
                      configuration.size()));
    }
    launch.grid = configuration[0];
    launch.block = configuration[1];
    if (configuration.size() == 3) launch.shared = configuration[2];
    const std::string_view call = Trimmed(std::string_view(line_).substr(close + 3));
    if (call.size() < 2 || call.front() != '(' || call.back() != ')') {
      Fail("after >>> the arguments in (brackets) are expected, and nothing after them");
    }
    launch.arguments = Split(std::string(call.substr(1, call.size() - 2)), "the arguments");
    CheckNames(launch);
    launch.begin = begin_;
    launch.end = end_;
    return launch;
  }

 private:
  [[noreturn]] void Fail(const std::string& why) const {
    const std::string where = number_ == 0 ? file_ : fmt::format("{}:{}", file_, number_);
    throw KernelUnavailable(
        fmt::format("{}: {}; expected one line like {}", where, why, ExampleLaunch(op_)));
  }

  // A library's source: what is to be done with it, or instead.
  [[noreturn]] void FailAsPlugin() const {
    throw KernelUnavailable(
        fmt::format("{}: is the source of a plug-in (TOUCHSTONE_KERNEL), which --kernel takes when "
                    "it is built: {}, then --kernel ./{}; `touchstone new {} --lang cuda` "
                    "writes a file that is taken as it stands",
                    file_, PluginBuild(path_), PluginLibrary(path_), op_.name));
  }

  // Whether a comment's line goes on with the launch: its arguments are still to come, and the line
  // begins with them, or their brackets are open.
  static bool GoesOn(std::string_view launch, std::string_view line) {
    const size_t close = launch.find(">>>");
    if (close == std::string_view::npos) return false;
    const std::string_view call = launch.substr(close);
    if (call.find('(') == std::string_view::npos) return line.starts_with('(');
    return std::count(call.begin(), call.end(), '(') > std::count(call.begin(), call.end(), ')');
  }

  void FindLine() {
    size_t number = 0;
    std::vector<size_t> found;
    bool is_launch = false;  // the line before is of the launch
    for (size_t begin = 0; begin <= text_.size();) {
      const size_t end = std::min(text_.find('\n', begin), text_.size());
      std::string_view line = Trimmed(std::string_view(text_).substr(begin, end - begin));
      ++number;
      const bool is_comment = line.starts_with("//");
      if (is_comment) line = Trimmed(line.substr(2));
      if (is_comment && line.starts_with(kMark)) {
        found.push_back(number);
        line_ = Trimmed(line.substr(kMark.size()));
        begin_ = begin;
        is_launch = true;
      } else if (is_launch && is_comment && GoesOn(line_, line)) {
        line_ += fmt::format(" {}", line);
      } else {
        is_launch = false;
      }
      if (is_launch) end_ = end;
      begin = end + 1;
    }
    if (found.empty() && text_.find("TOUCHSTONE_KERNEL(") != std::string::npos) FailAsPlugin();
    if (found.empty()) Fail("no comment names the launch");
    if (found.size() > 1) {
      Fail(fmt::format("lines {} and {} both name a launch", found[0], found[1]));
    }
    number_ = found[0];
    if (line_.ends_with(';')) line_ = Trimmed(std::string_view(line_).substr(0, line_.size() - 1));
  }

  // What no expression of sizes needs could end the expression, or the line.
  void RequirePlainCharacters() const {
    constexpr std::string_view kOthers = " \t_()[]<>:,.+-*/%&|^~!?=";
    for (const char c : line_) {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || kOthers.find(c) != kOthers.npos) {
        continue;
      }
      Fail(fmt::format("'{}' has no place in a launch", PrintableText(std::string(1, c))));
    }
    for (const char* comment : {"//", "/*"}) {
      if (line_.find(comment) != std::string::npos) Fail("a comment within the launch");
    }
  }

  void CheckKernelName(const std::string& kernel) const {
    if (kernel.empty()) Fail("no kernel before <<<");
    if (kernel.size() > kLongestKernelName) {
      Fail(fmt::format("the kernel's name has more than {} characters", kLongestKernelName));
    }
    const std::string name = kernel.substr(0, kernel.find('<'));
    const bool is_name = std::all_of(name.begin(), name.end(), [](char c) {
      return IsWordCharacter(c) || c == ':' || c == ' ';
    });
    const bool has_list = name.size() < kernel.size();
    if (!is_name || WordsOf(name).empty() || (has_list && kernel.back() != '>')) {
      Fail(fmt::format("'{}' is no kernel's name, which may have a list of template arguments",
                       kernel));
    }
    if (has_list) Split(kernel.substr(name.size() + 1, kernel.size() - name.size() - 2), "< >");
  }

  // At the commas outside all brackets.
  std::vector<std::string> Split(const std::string& list, const std::string& where) const {
    std::vector<std::string> parts(1);
    std::string open;
    for (const char c : list) {
      if (c == '(' || c == '[') open += c == '(' ? ')' : ']';
      if (c == ')' || c == ']') {
        if (open.empty() || open.back() != c) {
          Fail(fmt::format("a '{}' in {} that closes nothing", c, where));
        }
        open.pop_back();
      }
      if (c == ',' && open.empty()) {
        parts.emplace_back();
      } else {
        parts.back() += c;
      }
    }
    if (!open.empty()) Fail(fmt::format("a '{}' is missing in {}", open.back(), where));
    for (std::string& part : parts) {
      part = std::string(Trimmed(part));
      if (part.empty()) Fail(fmt::format("an empty expression in {}", where));
    }
    return parts;
  }

  void CheckNames(const CudaLaunch& launch) const {
    Names sizes, all;
    for (const char letter : SizeLetters(op_)) sizes.insert(std::string(1, letter));
    for (const auto& [name, value] : op_.attributes) sizes.insert(name);
    all = sizes;
    for (const Argument& argument : op_.arguments) all.insert(argument.name);
    const Names language = {"Storage", "float",  "double", "int",     "unsigned",   "bool",
                            "int64_t", "size_t", "sizeof", "nullptr", "static_cast"};
    all.insert(language.begin(), language.end());
    sizes.insert(language.begin(), language.end());
    sizes.insert({"dim3", "std", "min", "max", "touchstone", "Bf16", "simt", "BlocksFor"});
    // In the configuration also what the file itself says somewhere: its constants.
    const std::string rest = text_.substr(0, begin_) + text_.substr(end_);
    for (std::string& word : WordsOf(rest)) sizes.insert(std::move(word));
    for (const std::string* part : {&launch.kernel, &launch.grid, &launch.block, &launch.shared}) {
      CheckWords(*part, sizes);
    }
    Names passed;
    for (const std::string& argument : launch.arguments) {
      CheckWords(argument, all);
      for (std::string& word : WordsOf(argument)) passed.insert(std::move(word));
    }
    for (const Argument& argument : op_.arguments) {
      if (argument.role != Role::kIn && !passed.contains(argument.name)) {
        Fail(
            fmt::format("the launch does not pass {}, which {} computes", argument.name, op_.name));
      }
    }
  }

  void CheckWords(const std::string& expression, const Names& known) const {
    for (const std::string& word : WordsOf(expression)) {
      if (known.contains(word)) continue;
      Fail(fmt::format("'{}' is unknown here; {} has {}", word, op_.name, NamesText(op_)));
    }
  }

  const std::string& text_;
  std::string path_;
  std::string file_;  // as messages name it
  const OpSpec& op_;
  std::string line_;            // after the mark, with the lines on which the launch goes on
  size_t number_ = 0;           // of the (first) line, from 1
  size_t begin_ = 0, end_ = 0;  // of the lines in the text
};

std::string RecipesSaidBy(const std::string& kernel, const OpSpec& op) {
  const std::vector<std::string> words = WordsOf(kernel);
  const auto says = [&](const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  return says("Storage") ? RecipeFlags(op) : says("Bf16") ? "TOUCHSTONE_BF16" : "TOUCHSTONE_F32";
}

std::string DeclarationsOf(const OpSpec& op) {
  std::string text;
  for (const CallVariable& one : CallVariables(op, "call_", "attribute_")) {
    text += fmt::format("  [[maybe_unused]] {} = {};\n", ConstantText(one), one.value);
  }
  return text;
}

// Names end in _ so that they are none of the op's and hardly any of the file's.
constexpr char kFunctions[] = R"(
#line 1 "the call of the kernel"
namespace touchstone_call_of_kernel_ {
namespace {

inline double attribute_(const touchstone_call* call, const char* name) {
  for (int32_t i = 0; i < call->attributes_count; ++i) {
    if (std::strcmp(call->attributes[i].name, name) == 0) return call->attributes[i].value;
  }
  throw std::runtime_error(std::string("the call brings no ") + name);
}

inline dim3 extent_(dim3 given) { return given; }
template <typename Integer, typename = std::enable_if_t<std::is_integral_v<Integer>>>
dim3 extent_(Integer given) {
  const int64_t blocks = static_cast<int64_t>(given);
  if (blocks < 0 || blocks > 0x7fffffff) {
    throw std::runtime_error("a launch of " + std::to_string(blocks) + " in x");
  }
  return dim3(static_cast<unsigned>(blocks));
}

inline bool is_empty_(const dim3& grid) { return grid.x == 0 || grid.y == 0 || grid.z == 0; }
)";

std::string LaunchText(const CudaLaunch& launch, CudaCompiler compiler) {
  const std::string arguments = fmt::format("{}", fmt::join(launch.arguments, ", "));
  std::string text = fmt::format(
      "  const dim3 grid_ = extent_({}), block_ = extent_({});\n"
      "  const size_t shared_ = static_cast<size_t>({});\n"
      "  if (is_empty_(grid_)) return 0;\n",
      launch.grid, launch.block, launch.shared);
  if (compiler == CudaCompiler::kExecutionModel) {
    return text + fmt::format(
                      "  touchstone::simt::CurrentPolicy().order = call_->threads > 1\n"
                      "      ? touchstone::simt::Order::kReverse : "
                      "touchstone::simt::Order::kForward;\n"
                      "  touchstone::simt::Launch({{.grid = grid_, .block = block_, "
                      ".dynamic_shared = shared_}},\n"
                      "      {}, {});\n"
                      "  return 0;\n",
                      launch.kernel, arguments);
  }
  return text +
         fmt::format(
             "  if (shared_ > 48 * 1024) {{\n"
             "    cudaFuncSetAttribute({0}, cudaFuncAttributeMaxDynamicSharedMemorySize,\n"
             "                         static_cast<int>(shared_));\n"
             "  }}\n"
             "  {0}<<<grid_, block_, shared_, static_cast<cudaStream_t>(call_->stream)>>>({1});\n"
             "  const cudaError_t error_ = cudaGetLastError();\n"
             "  if (error_ != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error_));\n"
             "  return 0;\n",
             launch.kernel, arguments);
}

}  // namespace

std::string ExampleLaunch(const OpSpec& op) {
  std::vector<std::string> words;
  for (const bool outputs : {false, true}) {
    for (const Argument& argument : op.arguments) {
      if ((argument.role != Role::kIn) == outputs) words.push_back(argument.name);
    }
    if (outputs) break;
    for (const auto& [name, value] : op.attributes) words.push_back(name);
    for (const char letter : SizeLetters(op)) words.emplace_back(1, letter);
  }
  const std::string letters = SizeLetters(op);
  return fmt::format("// touchstone: Kernel<Storage><<<{}, 256>>>({})",
                     letters.empty() ? "1" : letters.substr(0, 1), fmt::join(words, ", "));
}

std::vector<CallVariable> CallVariables(const OpSpec& op, const std::string& call,
                                        const std::string& attribute) {
  std::vector<CallVariable> variables;
  const auto place = [&](const Argument& argument) {
    return call + PlaceInCall(op, argument).substr(std::string_view("call").size());
  };
  const auto attribute_as = [&](const std::string& type, const std::string& name) {
    variables.push_back(
        {type, name, fmt::format("static_cast<{}>({}({}, \"{}\"))", type, attribute, call, name)});
  };
  for (const char letter : ShapeLetters(op)) {
    for (const Argument& argument : op.arguments) {
      const size_t axis = argument.dims.find(letter);
      if (axis == std::string::npos) continue;
      variables.push_back(
          {"int64_t", std::string(1, letter), fmt::format("{}.shape[{}]", place(argument), axis)});
      break;
    }
  }
  for (const char letter : LettersWithoutShape(op)) attribute_as("int64_t", std::string(1, letter));
  for (const auto& [name, value] : op.attributes) attribute_as(TypeOfAttribute(op, name), name);
  for (const Argument& argument : op.arguments) {
    const std::string type =
        (argument.role == Role::kIn ? "const " : "") + TypeOfElement(argument) + "*";
    variables.push_back(
        {type, argument.name, fmt::format("static_cast<{}>({}.data)", type, place(argument))});
  }
  return variables;
}

std::string ConstantText(const CallVariable& one) {
  return one.type.ends_with('*') ? fmt::format("{} const {}", one.type, one.name)
                                 : fmt::format("const {} {}", one.type, one.name);
}

CudaLaunch LaunchIn(const std::string& text, const std::string& file, const OpSpec& op) {
  return LaunchReader(text, file, op).Read();
}

std::string CallerOf(const CudaLaunch& launch, const OpSpec& op, CudaCompiler compiler) {
  const bool on_gpu = compiler == CudaCompiler::kNvcc;
  const std::string recipes = RecipesSaidBy(launch.kernel, op);
  std::string run;
  for (const auto& [flag, type] :
       {std::pair{"TOUCHSTONE_BF16", "touchstone::Bf16"}, std::pair{"TOUCHSTONE_F32", "float"}}) {
    if (recipes.find(flag) == std::string::npos) continue;
    run += fmt::format("  if (call->recipe == {}) return run_in_<{}>(call);\n", flag, type);
  }
  return std::string(
             "#include <cstdint>\n#include <cstring>\n#include <stdexcept>\n#include <string>\n"
             "#include <type_traits>\n\n#include \"lab/include/touchstone.h\"\n") +
         (on_gpu ? "" : "#include \"kernels/simt/simt.cuh\"\n") +
         "#include \"reference/formats/bf16.h\"\n\n#include \"kernel.cu\"\n" + kFunctions +
         "\ntemplate <typename Storage>\nint run_in_(const touchstone_call* call_) {\n" +
         DeclarationsOf(op) + LaunchText(launch, compiler) +
         "}\n\nint run_(const touchstone_call* call) {\n" + run +
         "  return TOUCHSTONE_REFUSED;\n}\n\n}  // namespace\n\n" +
         fmt::format(
             "TOUCHSTONE_KERNEL({0}) = {{\n"
             "    TOUCHSTONE_ABI, sizeof(touchstone_kernel), \"{1}\", \"{0}\",\n"
             "    {2}, {3}, nullptr, nullptr, run_}};\n\n"
             "}}  // namespace touchstone_call_of_kernel_\n",
             op.name, launch.kernel, recipes, on_gpu ? "TOUCHSTONE_CUDA" : "TOUCHSTONE_CPU");
}

}  // namespace touchstone::lab
