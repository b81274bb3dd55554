// The rules of the numerics contract, for `list` and `explain`: what each says in one paragraph,
// its formula, where its code is, and which tests hold it. The full text is
// docs/chapters/numerics_contract.md.
#pragma once

#include <string>
#include <vector>

namespace touchstone::lab {

struct Rule {
  std::string id;     // "N3"
  std::string title;  // "chain"
  std::string says;
  std::string formula;
  std::vector<std::string> code;  // files, from the repository's root
  std::vector<std::string> tests;
};

const std::vector<Rule>& AllRules();
const Rule* FindRule(const std::string& id);  // nullptr: no such rule

}  // namespace touchstone::lab
