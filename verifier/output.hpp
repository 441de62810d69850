// output.hpp: where a command's report goes, and how long work shows that it goes on.
#pragma once
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "reports/report.hpp"

namespace CLI {
class App;
}

namespace lastbit {

/// The shared options --format NAME[=PATH] (several) and --color auto|always|never.
struct OutputOptions {
  std::vector<std::string> formats;
  std::string color = "auto";
};
/// Refuses, while parsing, unknown formats and two reports on stdout. `options` must outlive the parsing.
void add_output_options(CLI::App&, OutputOptions& options);
/// Whether a format was asked for that shows explanations: html, or json, which html can be made of later.
bool shows_explanations(const OutputOptions&);
/// Writes the report once a format: to its PATH, else to stdout. Throws Error when something cannot be written.
void write_report(const Report&, const OutputOptions&);
/// The same for text that has no Report.
void write_stdout(const std::string& text);

/// Whole file, or Error(path). "-" is stdin.
std::string read_file(const std::string& path);
/// Written beside and renamed: a reader never sees half a report.
void write_file(const std::string& path, const std::string& text);

/// One line on stderr that says how far work is and how long it will take; silent unless stderr is a terminal.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Not from two threads at once.
  void operator()(std::size_t done, std::size_t of, const std::string& name = "");
  /// Wipes the line.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool on_, shown_ = false;
  Clock::time_point start_, last_;
};

}  // namespace lastbit
