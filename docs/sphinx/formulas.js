// Reads formulas from standard input, one JSON object a line: {"tex": "x^2", "display": true}.
// Writes one JSON object a line: {"html": "..."} or {"error": "..."}. KaTeX's warnings are errors.
const katex = require("katex");
const lines = require("readline").createInterface({ input: process.stdin });

const macros = {
  "\\RN": "\\operatorname{RN}",
  "\\fma": "\\operatorname{fma}",
};

lines.on("line", (line) => {
  const { tex, display } = JSON.parse(line);
  let answer;
  try {
    const strict = { throwOnError: true, strict: "error" };
    const options = { ...strict, displayMode: display, macros: { ...macros } };
    answer = { html: katex.renderToString(tex, options) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
