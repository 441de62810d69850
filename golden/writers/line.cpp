// line: one output a line, its inputs in hexadecimal, for boards that have a serial port only:
//
//   acc multiplier shift zero_point min max        of requantized accumulators
//   a b                                            of elementwise operators: the codes of the inputs
//
// On stdout nothing else is written, so that a device can be a filter; a file begins with the header in lines of "#".
#include "golden/matrix.hpp"
#include "golden/place.hpp"
#include "golden/writer.hpp"
#include "lib/error.hpp"

namespace lastbit::writers {
namespace {

void write(const Vectors& v, const std::string& path) {
  std::string text;
  const auto rows = line_rows(v);
  if (path != "-") {
    for (const auto& line : header_lines(v)) text += "# " + line + "\n";
    text += "# columns, hexadecimal, two's complement: ";
    if (rows.empty()) {
      for (const auto& [port, t] : v.cases[0].inputs) text += port + " ";
    } else {
      text += "acc multiplier shift zero_point min max";
      for (std::size_t i = 0; i < rows[0].more.size(); ++i) text += " constant" + std::to_string(i + 1);
    }
    text += "\n";
  }
  if (!rows.empty()) {
    for (const auto& r : rows) text += to_line(r) + "\n";
  } else {
    for (const auto& layer : v.cases) {
      if (!elementwise(layer)) throw Error("--emit line", "found " + v.op->name + " of " + v.label + ", whose outputs depend on many inputs and whose arithmetic is not one accumulator and a multiplier, expected another form (csv, npy, dump)");
      for (std::int64_t i = 0; i < layer.out("y").size(); ++i) {
        std::string line;
        for (const auto& [port, t] : layer.inputs) line += (line.empty() ? "" : " ") + hexadecimal(t, i);
        text += line + "\n";
      }
    }
  }
  write_text(path, text);
}

}  // namespace

Writer line() { return {"line", "one output a line: acc multiplier shift zero_point min max, hexadecimal", write}; }

}  // namespace lastbit::writers
