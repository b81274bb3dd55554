// Cases on which something was wrong once, or nearly, kept and tried for ever: golden/worst/<op>/,
// files of cases (lab/files/case_file.h) as `fuzz` writes them. A file that is put there needs no
// other step.
#pragma once

#include <vector>

#include "lab/files/case_file.h"
#include "lab/spec.h"

namespace touchstone::lab {

// Those of an op, in the order of the files' names; none where it has no folder. Throws
// golden::BadFile for a file that is none, or one that holds a case of another op.
std::vector<FileCase> WorstCases(const OpSpec& op);

// Marks those of an op's cases that are kept ones, in a file that `cases` wrote.
void NoteKept(const OpSpec& op, std::vector<FileCase>* cases);

// The case's tensors as a run needs them: its inputs, and outputs with all bits set.
Tensors TensorsOf(const FileCase& file_case);

}  // namespace touchstone::lab
