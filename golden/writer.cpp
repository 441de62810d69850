// writer.cpp: what the forms share. See writer.hpp.
#include "golden/writer.hpp"

#include <bit>
#include <cctype>
#include <filesystem>
#include <set>

#include "golden/matrix.hpp"
#include "lib/error.hpp"
#include "lib/num/fixed.hpp"
#include "lib/rules/accumulation.hpp"
#include "verifier/compare.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/output.hpp"

namespace lastbit {

const Writer& find_writer(const std::string& name) {
  std::string known;
  for (const auto& w : all_writers()) {
    if (w.name == name) return w;
    known += (known.empty() ? "" : ", ") + w.name;
  }
  throw Error("--emit", "found \"" + name + "\", expected one of " + known + ", as in csv=vectors.csv");
}

std::string hexadecimal(std::int64_t v, int bits) {
  std::string s;
  for (int at = (bits + 3) / 4 * 4 - 4; at >= 0; at -= 4) {
    const std::uint64_t masked = bits < 64 ? static_cast<std::uint64_t>(v) & ((std::uint64_t{1} << bits) - 1) : static_cast<std::uint64_t>(v);
    s += "0123456789ABCDEF"[masked >> at & 15];
  }
  return s;
}

std::string hexadecimal(const Tensor& t, std::int64_t i) {
  if (!is_float(t.dtype)) return hexadecimal(t.integer(i), info(t.dtype).bits);
  std::int64_t bits = 0;
  const int n = stored_bytes(t.dtype);
  for (int b = n; b-- > 0;) bits = bits << 8 | static_cast<std::int64_t>(t.data[i * n + b]);
  return hexadecimal(bits, 8 * n);
}

std::string identifier(const Vectors& v, std::size_t k) {
  std::string s = "golden_" + v.op->name + (v.cases[k].name == v.op->name ? "" : "_" + v.cases[k].name);
  for (auto& c : s)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return s;
}

std::vector<LineRow> line_rows(const Vectors& v) {
  std::vector<LineRow> rows;
  for (std::size_t k = 0; k < v.cases.size(); ++k) {
    const Layer& layer = v.cases[k];
    const Cell& cell = v.cells[k];
    if (cell.stages.empty() || !layer.has_out("y") || is_float(layer.out("y").dtype)) return {};
    const Tensor& y = layer.out("y");
    std::vector<std::int64_t> acc;
    RequantizeContext context;
    std::int64_t channels = 1, positions = 1;
    const auto g = cell.rule == "accumulate" && layer.op != "conv2d_add" && layer.find("weight") && layer.inputs.count("x") && !is_float(layer.in("x").dtype) ? accumulation_geometry(layer) : std::nullopt;
    if (g) {
      const AccumulationInput in = read_operands(layer, *g);
      acc = accumulate_layer(layer, cell, *g, in).acc;
      channels = g->groups * g->out_channels, positions = g->positions();
      context = requantize_context(layer, cell, in, channels);
    } else if (layer.op == "requantize" && cell.rule == "stages") {
      const Tensor& x = layer.in("x");
      for (std::int64_t i = 0; i < x.size(); ++i) acc.push_back(x.integer(i) - x.q.integer_zero_point());
      const Range range = stored_range(y);
      context.min = range.min, context.max = range.max;
      context.channels.push_back({{"si", x.q.scale_of(0)}, {"so", y.q.scale_of(0)}, {"sw", 1.0}, {"zi", x.q.zero_point_of(0)}, {"zo", y.q.zero_point_of(0)}, {"bias", 0.0}, {"alpha", 1.0}});
    } else {
      return {};
    }
    const Requantizer requantize(cell.stages, context, layer.place);
    const bool wide = cell.get("accumulator", "int32") != "int32";
    struct Constants {
      std::string multiplier = "3F800000";
      std::int64_t shift = 0;
      std::vector<std::string> more;
    };
    std::vector<Constants> of;
    for (const auto& names : context.channels) {
      Constants c;
      bool first = true, twice = false;
      const auto bits_of_float = [&](const std::string& expression) {
        const double value = Expression::parse(expression).evaluate(names).value;
        return twice ? hexadecimal(std::bit_cast<std::int64_t>(value), 64) : hexadecimal(std::bit_cast<std::int32_t>(static_cast<float>(value)), 32);
      };
      const auto add = [&](const std::string& expression) {
        if (first) c.multiplier = bits_of_float(expression), first = false;
        else c.more.push_back(bits_of_float(expression));
      };
      for (const auto& stage : cell.stages) {
        if (!context.has_bias && stage.find("bias") != std::string::npos) continue;
        const auto space = stage.find(' ');
        const std::string verb = stage.substr(0, space), rest = space == std::string::npos ? "" : stage.substr(space + 1);
        if (verb == "double") twice = true;
        else if (verb == "multiply" || verb == "divide") add(rest);
        else if (verb == "add") c.more.push_back(bits_of_float(rest));
        else if (verb == "fma" || verb == "muladd") c.more.push_back(bits_of_float(rest.substr(0, rest.find(';') - 1))), c.more.push_back(bits_of_float(rest.substr(rest.find(';') + 2)));
        else if (verb == "fixed") {
          const auto gap = rest.find(' ');
          const std::string rule = rest.substr(0, gap);
          const double real = Expression::parse(rest.substr(gap + 1)).evaluate(names).value;
          if (rule == "rndnu" || rule == "rndnu16" || rule == "q8") c.multiplier = hexadecimal(std::bit_cast<std::int32_t>(static_cast<float>(real)), 32);
          else {
            const FixedMultiplier m = quantize_multiplier(real, rule == "scale16" ? 15 : 31);
            c.multiplier = hexadecimal(m.m, 32), c.shift = m.shift;
          }
          first = false;
        }
      }
      of.push_back(std::move(c));
    }
    for (std::size_t i = 0; i < acc.size(); ++i) {
      LineRow r;
      r.of_case = k, r.element = static_cast<std::int64_t>(i), r.channel = r.element / positions % channels;
      const Constants& c = of.size() == 1 ? of[0] : of[static_cast<std::size_t>(r.channel)];
      r.acc = requantize.with_bias(acc[i], r.channel);
      r.multiplier = c.multiplier, r.shift = c.shift, r.more = c.more;
      r.zero_point = y.q.integer_zero_point(), r.min = context.min, r.max = context.max;
      r.expected = y.integer(r.element);
      r.events = i < v.events[k].size() ? v.events[k][i] : Events{0};
      r.wide = wide;
      rows.push_back(std::move(r));
    }
  }
  return rows;
}

std::string to_line(const LineRow& r) {
  std::string s = hexadecimal(r.acc, r.wide ? 64 : 32) + " " + r.multiplier;
  for (const auto v : {r.shift, r.zero_point, r.min, r.max}) s += " " + hexadecimal(v, 32);
  for (const auto& m : r.more) s += " " + m;
  return s;
}

std::vector<std::string> arithmetic_lines(const Vectors& v, std::size_t k) {
  const Layer& layer = v.cases[k];
  const Cell& cell = v.cells[k];
  std::vector<std::string> all{"case " + layer.name + ": " + v.op->formula};
  std::string line = "  rule " + cell.rule;
  for (const auto& [key, value] : cell.with) line += ", " + key + " " + value;
  all.push_back(line);
  for (const auto& [port, t] : layer.inputs) {
    std::string s = "  " + port + " " + std::string(name(t.dtype)) + " " + to_string(t.shape);
    if (t.q.scale.size() == 1) s += ", scale " + Exact(t.q.scale[0]).fraction() + ", zero point " + (t.q.float_zero_point ? Exact(t.q.zero_point_of(0)).fraction() : std::to_string(t.q.integer_zero_point()));
    else if (!t.q.scale.empty()) s += ", " + std::to_string(t.q.scale.size()) + " scales along axis " + std::to_string(t.q.axis);
    all.push_back(s);
  }
  for (const auto& [port, t] : layer.outputs) {
    std::string s = "  -> " + port + " " + std::string(name(t.dtype)) + " " + to_string(t.shape);
    if (t.q.scale.size() == 1) s += ", scale " + Exact(t.q.scale[0]).fraction() + ", zero point " + std::to_string(t.q.integer_zero_point());
    all.push_back(s);
  }
  if (!cell.stages.empty()) all.push_back("  from the accumulator to the output, step by step (si sw so: scales, zo: zero point):");
  for (const auto& s : cell.stages) all.push_back("    " + s);
  return all;
}

std::vector<std::string> header_lines(const Vectors& v) {
  std::vector<std::string> all{"lastbit golden vectors: " + v.op->name + " as " + v.label + " computes it, suite " + v.request.suite};
  std::string command = "made by: lastbit";
  for (const auto& a : v.request.arguments()) command += " " + a;
  all.push_back(command);
  all.push_back("sha256: " + v.checksum);
  all.push_back("profile: " + v.profile->title + "; " + v.profile->evidence);
  for (std::size_t k = 0; k < v.cases.size(); ++k)
    for (const auto& line : arithmetic_lines(v, k)) all.push_back(line);
  std::string reached = "reached:";
  for (const auto& r : v.reached) reached += " " + std::to_string(r.count) + " " + r.what + ";";
  all.push_back(reached);
  for (const auto& n : v.notes) all.push_back(n);
  all.push_back("tells apart " + std::to_string(v.matrix.told()) + " of " + std::to_string(v.matrix.rules.size()) + " rules from the profile, " + std::to_string(v.matrix.kinds.size()) + " kinds from each other");
  for (const auto& agreement : v.matrix.kinds.empty() ? std::vector<Agreement>{} : v.matrix.kinds[0].why) {
    std::string alike = "does not tell from the profile:";
    std::set<std::string> named;  // a name may stand for several rules, of which others are told
    for (const auto r : agreement.rules)
      if (r != the_profile && named.insert(v.matrix.rules[r].name).second) alike += " " + v.matrix.rules[r].name;
    if (agreement.rules[0] != the_profile) alike.replace(0, alike.find(':'), "nor these, which agree among themselves");
    all.push_back(alike + " (" + agreement.reason + ")");
  }
  for (const auto& m : v.mistrusted) all.push_back("MISTRUSTED: " + m);
  return all;
}

void write_text(const std::string& path, const std::string& text) {
  if (path == "-") write_stdout(text);
  else write_file(path, text);
}

void make_folder(const std::string& path) {
  std::error_code error;
  if (path == "-") throw Error("--emit", "found \"-\", expected a folder: this form has several files");
  if (std::filesystem::exists(path, error) && !(std::filesystem::is_directory(path, error) && std::filesystem::is_empty(path, error))) throw Error(path, "found a place that is not empty, expected a new one");
  std::filesystem::create_directories(path, error);
  if (error) throw Error(path, "found a place where no folder can be made (" + error.message() + "), expected one");
}

}  // namespace lastbit
