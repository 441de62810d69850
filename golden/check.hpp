// check.hpp: what came back, judged: a line an error, as TestFloat prints them, and the cause over the whole suite.
#pragma once
#include "golden/observed.hpp"

namespace lastbit {

struct GoldenCheck {
  std::int64_t elements = 0, errors = 0, undefined = 0;
  std::vector<std::string> lines;        // "case [index] inputs => observed expected flags", at most as many as asked for
  bool stopped = false;                  // there were more
  struct Cause {
    std::string name, sentence;
    std::int64_t explains = 0;
    std::vector<std::string> group;      // rules that the suite cannot tell from it
  };
  std::vector<Cause> causes;
  std::int64_t unexplained = 0;
  std::string profile;                   // another profile that gives exactly this, or empty
  int exit_status() const { return elements == 0 ? 5 : errors ? 1 : 0; }
};
/// `most`: errors printed before it stops; 0: all.
GoldenCheck check_golden(const SuiteRead&, const Answers&, std::int64_t most);
std::string to_text(const GoldenCheck&, const SuiteRead&);
std::string to_json(const GoldenCheck&, const SuiteRead&);

}  // namespace lastbit
