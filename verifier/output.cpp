// output.cpp: reports to files and stdout, progress to a terminal.
#include "verifier/output.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "lib/error.hpp"
#include "reports/words.hpp"

namespace lastbit {

namespace {

struct Target {
  const Format* format;
  std::string path;  // "-" is stdout
};

std::vector<Target> targets(const OutputOptions& options) {
  std::vector<Target> all;
  int on_stdout = 0;
  for (const std::string& word : options.formats.empty() ? std::vector<std::string>{"text"} : options.formats) {
    const std::size_t equals = word.find('=');
    std::string path = equals == std::string::npos ? "-" : word.substr(equals + 1);
    if (path.empty()) throw Error("--format " + word, "found an empty path, expected NAME=PATH");
    on_stdout += path == "-";
    all.push_back({&find_format(word.substr(0, equals)), std::move(path)});
  }
  if (on_stdout > 1) throw Error("--format", "found two reports for stdout, expected at most one without =PATH");
  return all;
}

bool color_on_stdout() {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && std::string(term) == "dumb");
}

}  // namespace

void add_output_options(CLI::App& app, OutputOptions& options) {
  std::string names;
  for (const Format& format : all_formats()) names += format.name + ", ";
  app.add_option("--format", options.formats, names + "to stdout or to =PATH; may be repeated (default: text)")
      ->type_name("NAME[=PATH]")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--color", options.color, "colour in text: auto (on a terminal), always, never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN")
      ->capture_default_str();
  app.parse_complete_callback([&options] { targets(options); });
}

bool shows_explanations(const OutputOptions& options) {
  const auto all = targets(options);
  return std::any_of(all.begin(), all.end(), [](const Target& t) { return t.format->name == "html" || t.format->name == "json"; });
}

void write_report(const Report& report, const OutputOptions& options) {
  for (const auto& [format, path] : targets(options)) {
    FormatOptions look;
    look.color = path == "-" && (options.color == "always" || (options.color == "auto" && color_on_stdout()));
    const std::string text = format->render(report, look);
    if (path == "-") write_stdout(text);
    else write_file(path, text);
  }
}

void write_stdout(const std::string& text) {
  std::cout << text << std::flush;
  if (!std::cout) throw Error("stdout", "the report could not be written");
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw Error(path, "is a directory, expected a file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path, "cannot be read, expected a file");
  text << file.rdbuf();
  if (file.bad()) throw Error(path, "cannot be read to its end");
  return text.str();
}

void write_file(const std::string& path, const std::string& text) {
  std::error_code ignored;
  const bool plain = !std::filesystem::exists(path, ignored) || std::filesystem::is_regular_file(path, ignored);
  const std::string beside = plain ? path + ".part" : path;  // a pipe or a device is written as it is
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file << text << std::flush;
    if (!file) throw Error(path, "cannot be written");
  }
  std::error_code failed;
  if (plain) std::filesystem::rename(beside, path, failed);
  if (failed) throw Error(path, "cannot be written: " + failed.message());
}

Progress::Progress(std::string what) : what_(std::move(what)), on_(isatty(STDERR_FILENO)), start_(Clock::now()), last_(start_) {}

// Nothing is shown in the first half second, and ten times a second after it.
void Progress::operator()(std::size_t done, std::size_t of, const std::string& name) {
  const auto now = Clock::now();
  if (!on_ || done == 0 || now - start_ < std::chrono::milliseconds(500) || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  shown_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double left = seconds * static_cast<double>(of - std::min(done, of)) / static_cast<double>(done);
  const std::string line = what_ + " " + std::to_string(done) + " of " + std::to_string(of) + ", " + words::fixed(left, 0) + " s left  " + name;
  std::fprintf(stderr, "\r%.*s\x1b[K", 78, line.c_str());
  std::fflush(stderr);
}

void Progress::finish() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

}  // namespace lastbit
