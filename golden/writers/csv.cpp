// csv: one output a row with everything that it comes from, where that is an accumulator or a code; else every element of every
// tensor a row.
#include "golden/matrix.hpp"
#include "golden/place.hpp"
#include "golden/writer.hpp"
#include "verifier/compare.hpp"

namespace lastbit::writers {
namespace {

std::string value(const Tensor& t, std::int64_t i) { return is_float(t.dtype) ? shortest(static_cast<float>(t.value(i))) : std::to_string(t.integer(i)); }

std::string index(const Tensor& t, std::int64_t i) {
  std::string s;
  for (const auto v : stored_index(t, i)) s += (s.empty() ? "" : " ") + std::to_string(v);
  return s;
}

void write(const Vectors& v, const std::string& path) {
  std::string text;
  if (path != "-")
    for (const auto& line : header_lines(v)) text += "# " + line + "\n";
  const auto flags = [&](std::size_t k, std::int64_t i) { return event_flags(static_cast<std::size_t>(i) < v.events[k].size() ? v.events[k][static_cast<std::size_t>(i)] : Events{0}); };
  const auto rows = line_rows(v);
  bool each = true;
  for (const auto& layer : v.cases) each = each && elementwise(layer);
  if (!rows.empty()) {
    text += "case,element,index,channel,acc,multiplier,shift,zero_point,min,max,constants,expected,flags\n";
    for (const auto& r : rows) {
      const Tensor& y = v.cases[r.of_case].out("y");
      text += v.cases[r.of_case].name + "," + std::to_string(r.element) + "," + index(y, r.element) + "," + std::to_string(r.channel) + "," + std::to_string(r.acc) + ",0x" + r.multiplier + "," + std::to_string(r.shift) + "," +
              std::to_string(r.zero_point) + "," + std::to_string(r.min) + "," + std::to_string(r.max) + ",";
      for (std::size_t i = 0; i < r.more.size(); ++i) text += (i ? " 0x" : "0x") + r.more[i];
      text += "," + std::to_string(r.expected) + "," + flags(r.of_case, r.element) + "\n";
    }
  } else if (each) {
    text += "case,element,index";
    for (const auto& [port, t] : v.cases[0].inputs) text += "," + port;
    text += ",expected,flags\n";
    for (std::size_t k = 0; k < v.cases.size(); ++k) {
      const Tensor& y = v.cases[k].out("y");
      for (std::int64_t i = 0; i < y.size(); ++i) {
        text += v.cases[k].name + "," + std::to_string(i) + "," + index(y, i);
        for (const auto& [port, t] : v.cases[k].inputs) text += "," + value(t, i);
        text += "," + value(y, i) + "," + flags(k, i) + "\n";
      }
    }
  } else {
    text += "case,tensor,element,index,value,flags\n";
    for (std::size_t k = 0; k < v.cases.size(); ++k)
      for (const auto* ports : {&v.cases[k].inputs, &v.cases[k].outputs})
        for (const auto& [port, t] : *ports)
          for (std::int64_t i = 0; i < t.size(); ++i)
            text += v.cases[k].name + "," + port + "," + std::to_string(i) + "," + index(t, i) + "," + value(t, i) + "," + (port == main_output(v.cases[k]) && ports == &v.cases[k].outputs ? flags(k, i) : "") + "\n";
  }
  write_text(path, text);
}

}  // namespace

Writer csv() { return {"csv", "one output a row: accumulator, multiplier, expected value, flags", write}; }

}  // namespace lastbit::writers
