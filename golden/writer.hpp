// writer.hpp: one file under golden/writers = one form in which a suite is written.
#pragma once
#include "golden/suite.hpp"

namespace lastbit {

struct Writer {
  std::string name, about;
  /// To a file, a folder, or ("-") stdout. Throws Error where the form cannot hold the suite, or the place cannot be written.
  void (*write)(const Vectors&, const std::string& path);
};
const std::vector<Writer>& all_writers();
const Writer& find_writer(const std::string& name);  // throws Error listing the known names

/// What stands at the head of every form: how it was made, the arithmetic stage by stage, what the suite tells apart, its checksum.
std::vector<std::string> header_lines(const Vectors&);
/// golden.json: all of that, with the whole matrix.
std::string suite_json(const Vectors&);

/// The arithmetic of one case in sentences: sums, stages, multipliers.
std::vector<std::string> arithmetic_lines(const Vectors&, std::size_t of_case);

/// One output of a case whose outputs are requantized accumulators, as line mode has it.
struct LineRow {
  std::size_t of_case = 0;
  std::int64_t element = 0, channel = 0;
  std::int64_t acc = 0;                  // what requantization starts from: an integer bias is in it
  std::string multiplier;                // hexadecimal: an integer of 32 bits, or the bits of a float
  std::int64_t shift = 0, zero_point = 0, min = 0, max = 0;
  std::vector<std::string> more;         // further constants in the order of the stages, bits of floats
  std::int64_t expected = 0;
  Events events = 0;
  bool wide = false;                     // a 64-bit accumulator
};
/// Of all cases; empty when one of them is not of that kind.
std::vector<LineRow> line_rows(const Vectors&);
std::string to_line(const LineRow&);     // acc multiplier shift zero_point min max [more]

/// Two's complement, so many bits, upper case.
std::string hexadecimal(std::int64_t v, int bits);
/// Bits of one stored value, as many digits as its type needs.
std::string hexadecimal(const Tensor&, std::int64_t element);
/// "golden_conv2d_odd"
std::string identifier(const Vectors&, std::size_t of_case);

void write_text(const std::string& path, const std::string& text);
/// Makes a folder for several files. Throws Error when it is there and not empty.
void make_folder(const std::string& path);

}  // namespace lastbit
