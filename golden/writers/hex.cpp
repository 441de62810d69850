// hex: a folder for $readmemh: CASE.port.hex holds one stored value a line; where outputs are requantized accumulators,
// stimuli.hex and expected.hex hold one output a line, and tb.sv is a test bench that reads them. For elementwise operators the
// stimuli are the inputs' codes side by side.
#include "golden/matrix.hpp"
#include "golden/place.hpp"
#include "golden/writer.hpp"

namespace lastbit::writers {
namespace {

std::string comments(const Vectors& v) {
  std::string s;
  for (const auto& line : header_lines(v)) s += "// " + line + "\n";
  return s;
}

/// A field of a stimulus word, most significant first.
struct Field {
  std::string name;
  int bits;
};

std::string bench(const Vectors& v, const std::vector<Field>& fields, std::size_t words, int bits) {
  int wide = 0;
  for (const auto& f : fields) wide += f.bits;
  const std::string top = std::to_string(wide - 1), n = std::to_string(words), module = fields[0].name == "acc" ? "requantizer" : v.op->name + "_unit";
  std::string s = comments(v);
  s += "// Reads stimuli.hex and expected.hex from the folder it runs in, e.g.\n//   iverilog -g2012 -o tb tb.sv " + module + ".sv && vvp tb\n"
       "// The device is combinational here: clock it as yours needs.\n"
       "`timescale 1ns/1ps\nmodule tb;\n";
  s += "  reg [" + top + ":0] stimuli [0:" + n + " - 1];\n  reg [" + std::to_string(bits - 1) + ":0] expected [0:" + n + " - 1];\n  reg [" + top + ":0] word;\n";
  int at = wide;
  std::string ports;
  for (const auto& f : fields) {
    s += "  wire [" + std::to_string(f.bits - 1) + ":0] " + f.name + " = word[" + std::to_string(at - 1) + ":" + std::to_string(at - f.bits) + "];\n";
    ports += "." + f.name + "(" + f.name + "), ";
    at -= f.bits;
  }
  s += "  wire [" + std::to_string(bits - 1) + ":0] y;\n  integer i, errors;\n\n  " + module + " device(" + ports + ".y(y));\n\n";
  s += "  initial begin\n    $readmemh(\"stimuli.hex\", stimuli);\n    $readmemh(\"expected.hex\", expected);\n    errors = 0;\n";
  s += "    for (i = 0; i < " + n + "; i = i + 1) begin\n      word = stimuli[i];\n      #1;\n";
  s += "      if (y !== expected[i]) begin\n        errors = errors + 1;\n        if (errors <= 20) $display(\"%h => %h expected %h\", word, y, expected[i]);\n      end\n    end\n";
  s += "    if (errors == 0) $display(\"PASSED %0d vectors\", " + n + ");\n    else $display(\"FAILED %0d of %0d vectors\", errors, " + n + ");\n    $finish;\n  end\nendmodule\n";
  return s;
}

void write(const Vectors& v, const std::string& path) {
  make_folder(path);
  for (const auto& layer : v.cases)
    for (const auto* ports : {&layer.inputs, &layer.outputs})
      for (const auto& [port, t] : *ports) {
        std::string text = "// " + layer.name + "." + port + " " + std::string(name(t.dtype)) + " " + to_string(t.shape) + ", row-major\n";
        for (std::int64_t i = 0; i < t.size(); ++i) text += hexadecimal(t, i) + "\n";
        write_text(path + "/" + layer.name + "." + port + ".hex", text);
      }
  const auto rows = line_rows(v);
  bool each = true;
  for (const auto& layer : v.cases) each = each && elementwise(layer);
  std::string stimuli, expected;
  std::vector<Field> fields;
  std::size_t words = 0;
  const Tensor& y0 = v.cases[0].out(main_output(v.cases[0]));
  if (!rows.empty()) {
    fields = {{"acc", rows[0].wide ? 64 : 32}, {"multiplier", static_cast<int>(rows[0].multiplier.size()) * 4}, {"shift", 32}, {"zero_point", 32}, {"min", 32}, {"max", 32}};
    for (std::size_t i = 0; i < rows[0].more.size(); ++i) fields.push_back({"constant" + std::to_string(i + 1), static_cast<int>(rows[0].more[i].size()) * 4});
    for (const auto& r : rows) {
      std::string word;
      for (const char c : to_line(r))
        if (c != ' ') word += c;
      stimuli += word + "\n";
      expected += hexadecimal(r.expected, info(y0.dtype).bits) + "\n";
    }
    words = rows.size();
  } else if (each) {
    for (const auto& [port, t] : v.cases[0].inputs) fields.push_back({port, static_cast<int>(hexadecimal(t, 0).size()) * 4});
    for (const auto& layer : v.cases) {
      const Tensor& y = layer.out(main_output(layer));
      for (std::int64_t i = 0; i < y.size(); ++i, ++words) {
        for (const auto& [port, t] : layer.inputs) stimuli += hexadecimal(t, i);
        stimuli += "\n";
        expected += hexadecimal(y, i) + "\n";
      }
    }
  }
  if (words) {
    std::string layout = "// most significant first:";
    for (const auto& f : fields) layout += " " + f.name + "[" + std::to_string(f.bits) + "]";
    write_text(path + "/stimuli.hex", comments(v) + layout + "\n" + stimuli);
    write_text(path + "/expected.hex", "// sha256 of the suite: " + v.checksum + "\n" + expected);
    write_text(path + "/tb.sv", bench(v, fields, words, static_cast<int>(hexadecimal(y0, 0).size()) * 4));
  }
  write_text(path + "/golden.json", suite_json(v));
}

}  // namespace

Writer hex() { return {"hex", "a folder for $readmemh, with a SystemVerilog test bench", write}; }

}  // namespace lastbit::writers
