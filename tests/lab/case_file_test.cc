// Cases written to a file come back; a file in which anything is not what it must be is refused
// with the place, what was found and what was expected.
#include "lab/files/case_file.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "golden/hdf5_file.h"
#include "lab/files/recorded_kernel.h"
#include "lab/input_class.h"
#include "tests/temporary_folder.h"

namespace touchstone::lab {
namespace {

using Strings = std::vector<std::string>;

FileCase Made(const std::string& op, const std::string& name) {
  return GeneratedCase(CaseFromName(*FindOp(op), name));
}

void ExpectHas(const std::string& text, const Strings& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in: " << text;
  }
}

std::string Refusal(const std::function<void()>& read) {
  try {
    read();
  } catch (const golden::BadFile& error) {
    return error.what();
  }
  return "";
}

class CaseFileTest : public testing::Test {
 protected:
  // Reads a file of inputs that `write` writes; the text of its BadFile.
  std::string Refused(const std::function<void(golden::Writer*)>& write) const {
    golden::Writer writer(file_);
    write(&writer);
    writer.Close();
    return Refusal([&] { ReadCases(file_); });
  }

  // The same for a file of outputs of `cases`.
  std::string RefusedOutputs(const std::vector<FileCase>& cases,
                             const std::function<void(golden::Writer*)>& write) const {
    golden::Writer writer(file_);
    write(&writer);
    writer.Close();
    return Refusal([&] { RecordedKernel(file_, *cases.front().c.op, cases); });
  }

  // A case as WriteCases writes it, with these inputs and this digest.
  static void WriteCase(golden::Writer* writer, const FileCase& written,
                        const std::string& digest) {
    const std::string group = GroupOf(written.c);
    for (const auto& [name, tensor] : written.inputs) writer->Write(group + "/" + name, tensor);
    writer->WriteText(group, "op", written.c.op->name);
    writer->WriteText(group, "recipe", std::string(Name(written.c.recipe)));
    writer->WriteText(group, "input_class", written.c.input_class);
    writer->WriteNumber(group, "seed", static_cast<double>(written.c.seed));
    for (const auto& [name, value] : written.c.attributes) {
      writer->WriteNumber(group, name, value);
    }
    writer->WriteText(group, "digest", digest);
  }
  static void WriteFormat(golden::Writer* writer) {
    writer->WriteText("", "format", "touchstone cases 1");
  }

  // An output of the right shape and dtype, zero everywhere.
  static Tensor Zeros(const Case& c, const std::string& output) {
    return MakeTensors(c).at(output).dtype == Dtype::kF32
               ? Tensor(Dtype::kF32, MakeTensors(c).at(output).shape)
               : Tensor(Dtype::kBf16, MakeTensors(c).at(output).shape);
  }

  TemporaryFolder folder_;
  std::string file_ = folder_.File("cases.h5");
  FileCase small_ = Made("rmsnorm", "f32/normal/C2_T1");
};

TEST_F(CaseFileTest, CasesOfSeveralOpsComeBack) {
  const std::vector<FileCase> cases = {Made("kv_append", "bf16/normal/D10_G2_S8_T3_first=5"),
                                       Made("rmsnorm", "bf16/specials/C80_T3"),
                                       Made("rmsnorm", "f32/small/C80_T3_eps=1e-06"),
                                       Made("rope_frequencies", "f32/plain/D2")};
  WriteCases(file_, cases);
  const std::vector<FileCase> read = ReadCases(file_);
  ASSERT_EQ(read.size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(GroupOf(read[i].c), GroupOf(cases[i].c));
    EXPECT_EQ(read[i].digest, cases[i].digest);
    EXPECT_FALSE(read[i].given);
    EXPECT_EQ(read[i].inputs.size(), cases[i].inputs.size());
    for (const auto& [name, tensor] : cases[i].inputs) {
      EXPECT_EQ(read[i].inputs.at(name).shape, tensor.shape);
      EXPECT_EQ(read[i].inputs.at(name).dtype, tensor.dtype);
    }
  }
}

TEST_F(CaseFileTest, OtherValuesAreACaseThatIsGiven) {
  FileCase changed = small_;
  changed.inputs.at("x").SetReal(1, 42.0f);
  WriteCases(file_, {changed});
  const std::vector<FileCase> read = ReadCases(file_);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_TRUE(read[0].given);
  EXPECT_NE(read[0].digest, small_.digest);
  EXPECT_EQ(read[0].inputs.at("x").Real(1), 42.0);
}

TEST_F(CaseFileTest, ADigestIsOfNameAndInputs) {
  FileCase changed = small_;
  changed.inputs.at("weight").SetReal(0, 42.0f);
  EXPECT_NE(DigestOf(changed.c, changed.inputs), small_.digest);
  EXPECT_NE(Made("rmsnorm", "f32/normal/C2_T1_eps=0.5").digest, small_.digest);
  ExpectHas(Refused([&](golden::Writer* writer) {
              WriteFormat(writer);
              WriteCase(writer, changed, small_.digest);
            }),
            {file_, "rmsnorm/f32/normal/C2_T1", "the inputs are not those of", "expected"});
}

TEST_F(CaseFileTest, WhatIsNoFileOfCasesIsRefused) {
  ExpectHas(Refused([](golden::Writer* writer) { writer->Write("x", Tensor(Dtype::kF32, {1})); }),
            {file_, "no attribute 'format'", "touchstone cases"});
  ExpectHas(Refused([](golden::Writer* writer) {
              writer->WriteText("", "format", "touchstone cases 2");
            }),
            {"touchstone cases 2", "touchstone cases 1"});
  ExpectHas(Refused([](golden::Writer* writer) { WriteFormat(writer); }), {"it has no case"});
  ExpectHas(Refused([](golden::Writer* writer) {
              WriteFormat(writer);
              writer->Write("a/b", Tensor(Dtype::kF32, {1}));
            }),
            {"a/b", "belongs to no case"});
}

TEST_F(CaseFileTest, CasesThatDoNotExistAreRefused) {
  const auto group = [&](const std::string& name) {
    return Refused([&](golden::Writer* writer) {
      WriteFormat(writer);
      writer->WriteText(name, "digest", "0");
    });
  };
  ExpectHas(group("layernorm/f32/normal/C2_T1"), {"layernorm", "no such op"});
  ExpectHas(group("rmsnorm/f32/abnormal/C2_T1"), {"abnormal"});
  ExpectHas(group("rmsnorm/f32/normal/T1_C2"), {"another name than its own", "C2_T1"});
  ExpectHas(group("rmsnorm/f32/normal/C2_T1"), {"no attribute 'op'", "rmsnorm"});
  ExpectHas(group("linear/f32/normal/C0_F1000000_T1000000"), {"4 GiB"});
}

TEST_F(CaseFileTest, AttributesMustAgreeWithTheName) {
  FileCase other = small_;
  other.c.seed = 7;
  ExpectHas(Refused([&](golden::Writer* writer) {
              WriteFormat(writer);
              const std::string group = GroupOf(small_.c);
              WriteCase(writer, small_, small_.digest);
              writer->WriteText(group, "more", "is left alone");
            }),
            {});
  ExpectHas(Refused([&](golden::Writer* writer) {
              WriteFormat(writer);
              const std::string group = GroupOf(small_.c);
              writer->WriteText(group, "op", "rmsnorm");
              writer->WriteText(group, "recipe", "f32");
              writer->WriteText(group, "input_class", "normal");
              writer->WriteNumber(group, "seed", 7);
            }),
            {"'seed' is 7", "expected 1"});
}

TEST_F(CaseFileTest, TensorsThatAreNotTheInputsAreRefused) {
  const auto refused = [&](const std::function<void(FileCase*)>& edit) {
    FileCase edited = small_;
    edit(&edited);
    return Refused([&](golden::Writer* writer) {
      WriteFormat(writer);
      WriteCase(writer, edited, small_.digest);
    });
  };
  ExpectHas(refused([](FileCase* edited) { edited->inputs.erase("weight"); }),
            {"C2_T1/weight", "no such tensor"});
  ExpectHas(refused([](FileCase* edited) {
              edited->inputs.at("x") = Tensor(Dtype::kF32, {2, 1});
            }),
            {"C2_T1/x", "f32 (2, 1)", "expected f32 (1, 2)"});
  ExpectHas(refused([](FileCase* edited) {
              edited->inputs.at("x") = Tensor(Dtype::kBf16, {1, 2});
            }),
            {"bf16 (1, 2)", "expected f32 (1, 2)"});
  ExpectHas(refused([](FileCase* edited) {
              edited->inputs.emplace("y", Tensor(Dtype::kF32, {1, 2}));
            }),
            {"C2_T1/y", "no input of the op"});
}

TEST_F(CaseFileTest, InputsThatTheContractRefusesAreRefused) {
  FileCase outside = Made("embedding", "f32/normal/C1_T1_V1");
  outside.inputs.at("ids").values<int64_t>()[0] = 1;
  WriteCases(file_, {outside});
  ExpectHas(Refusal([&] { ReadCases(file_); }), {"embedding/f32/normal/C1_T1_V1", "refuses"});
}

TEST_F(CaseFileTest, OutputsAreFoundByTheCase) {
  const std::vector<FileCase> cases = {small_, Made("rmsnorm", "bf16/normal/C2_T1")};
  {
    golden::Writer writer(file_);
    writer.Write(GroupOf(small_.c) + "/y", Zeros(small_.c, "y"));
    writer.Write(GroupOf(small_.c) + "/x", small_.inputs.at("x"));  // inputs may be there too
    writer.WriteText(GroupOf(small_.c), "digest", small_.digest);
    writer.Close();
  }
  RecordedKernel kernel(file_, *small_.c.op, cases);
  EXPECT_FALSE(kernel.info().runs_again);
  const RunResult done = kernel.Run(small_.c, small_.inputs, {});
  ASSERT_EQ(done.state, RunState::kDone);
  EXPECT_EQ(done.outputs.size(), 1u);
  EXPECT_EQ(done.outputs.at("y").shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(kernel.Run(cases[1].c, cases[1].inputs, {}).state, RunState::kRefused);

  Tensors others = small_.inputs;
  others.at("x").SetReal(0, 42.0f);
  EXPECT_EQ(kernel.Run(small_.c, others, {}).state, RunState::kFailed);
}

TEST_F(CaseFileTest, OutputsOfOtherInputsAreRefused) {
  const std::string group = GroupOf(small_.c);
  const Tensor y = Zeros(small_.c, "y");
  ExpectHas(
      RefusedOutputs({small_}, [&](golden::Writer* writer) { writer->Write(group + "/y", y); }),
      {file_, group, "no attribute 'digest'"});
  ExpectHas(RefusedOutputs({small_},
                           [&](golden::Writer* writer) {
                             writer->Write(group + "/y", y);
                             writer->WriteText(group, "digest", "0123");
                           }),
            {group, "outputs of other inputs", "0123", small_.digest});
  ExpectHas(RefusedOutputs(
                {small_},
                [&](golden::Writer* writer) { writer->Write("rmsnorm/f32/normal/C2_T2/y", y); }),
            {"C2_T2", "the file of inputs does not have"});
  ExpectHas(RefusedOutputs(
                {small_},
                [&](golden::Writer* writer) { writer->Write("layernorm/f32/normal/C2_T1/y", y); }),
            {"layernorm", "no such op"});
}

TEST_F(CaseFileTest, OutputsOfAnotherFormAreRefused) {
  const auto refused = [&](const std::string& name, const Tensor& tensor) {
    return RefusedOutputs({small_}, [&](golden::Writer* writer) {
      writer->Write(GroupOf(small_.c) + "/" + name, tensor);
      if (name == "extra") writer->Write(GroupOf(small_.c) + "/y", Zeros(small_.c, "y"));
      writer->WriteText(GroupOf(small_.c), "digest", small_.digest);
    });
  };
  ExpectHas(refused("y", Tensor(Dtype::kF32, {2})), {"C2_T1/y", "f32 (2)", "expected f32 (1, 2)"});
  ExpectHas(refused("y", Tensor(Dtype::kBf16, {1, 2})), {"bf16 (1, 2)", "expected f32 (1, 2)"});
  ExpectHas(refused("x", small_.inputs.at("x")), {"C2_T1/y", "no such tensor", "f32 (1, 2)"});
  ExpectHas(refused("extra", Tensor(Dtype::kF32, {1})), {"C2_T1/extra", "no such tensor"});
}

}  // namespace
}  // namespace touchstone::lab
