// c: C99 arrays. PATH ending in .h: one self-contained header. A folder: the file set of CMSIS-NN's unit tests (config_data.h,
// input_data.h, weights_data.h, biases_data.h, output_mult_data.h, output_shift_data.h, output_ref_data.h, test_data.h) and TFLM's
// pair (NAME_test_data.h and .cc, namespace tflite). Arrays are channels last: NHWC, OHWI, 1HWC for depthwise, as both read them.
#include <charconv>
#include <array>

#include "golden/matrix.hpp"
#include "golden/writer.hpp"
#include "lib/error.hpp"
#include "lib/num/fixed.hpp"
#include "lib/rules/accumulation.hpp"
#include "verifier/compare.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit::writers {
namespace {

struct Array {
  std::string file, type, name;          // "input_data", "int8_t", "golden_conv2d_input"
  std::vector<std::string> values;
  std::string comment;
};
struct Case {
  std::string config;                    // lines of #define
  std::vector<Array> arrays;
};

std::string upper(std::string s) {
  for (auto& c : s)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return s;
}

std::string c_type(DType t) {
  if (t == DType::float32 || t == DType::float16) return "float";
  if (t == DType::float64) return "double";
  const bool is_signed = info(t).min < 0;
  return (is_signed ? "int" : "uint") + std::to_string(std::max(8, info(t).bits)) + "_t";
}

std::string literal(std::int64_t v) {
  if (v == INT32_MIN) return "(-2147483647 - 1)";
  if (v == INT64_MIN) return "(-9223372036854775807LL - 1)";
  return std::to_string(v) + (v > INT32_MAX || v < INT32_MIN ? "LL" : "");
}

std::string literal(float v) {
  if (v != v) return "(0.0f / 0.0f)";
  if (v - v != 0) return v > 0 ? "(1.0f / 0.0f)" : "(-1.0f / 0.0f)";
  std::string s = shortest(v);
  if (s.find_first_of(".e") == std::string::npos) s += ".0";
  return s + "f";
}

std::vector<std::string> literals(const Tensor& t) {
  std::vector<std::string> v;
  for (std::int64_t i = 0; i < t.size(); ++i) v.push_back(is_float(t.dtype) ? literal(static_cast<float>(t.value(i))) : literal(t.integer(i)));
  return v;
}

std::vector<int> order_of(const Tensor& t, std::initializer_list<int> head, std::initializer_list<int> tail) {
  std::vector<int> order(head);
  for (int a = 2; a < t.rank(); ++a) order.push_back(a);
  order.insert(order.end(), tail);
  return order;
}

Case describe(const Vectors& v, std::size_t k) {
  const Layer& layer = v.cases[k];
  const Cell& cell = v.cells[k];
  const std::string low = identifier(v, k), up = upper(low);
  Case c;
  const auto define = [&](const std::string& key, std::int64_t value) { c.config += "#define " + up + "_" + key + " " + (value < 0 ? "(" + std::to_string(value) + ")" : std::to_string(value)) + "\n"; };
  const auto add = [&](const std::string& file, const std::string& name, const Tensor& t, const std::string& comment) { c.arrays.push_back({file, c_type(t.dtype), low + "_" + name, literals(t), comment}); };
  const bool conv = layer.op.rfind("conv", 0) == 0, transposed = layer.op.find("transpose") != std::string::npos;
  const std::string output = main_output(layer);
  const Tensor& y = layer.out(output);
  const auto g = accumulation_geometry(layer);
  const bool accumulates = g && layer.find("weight");
  if (accumulates) {
    const bool depthwise = conv && !transposed && g->in_channels == 1 && g->groups > 1;
    define("OUT_CH", g->groups * g->out_channels), define("IN_CH", g->groups * g->in_channels), define("INPUT_BATCHES", g->batch);
    if (conv) {
      define("INPUT_W", g->in[2]), define("INPUT_H", g->in[1]);
      if (layer.in("x").rank() > 4) define("INPUT_D", g->in[0]), define("FILTER_Z", g->kernel[0]), define("STRIDE_Z", g->stride[0]), define("PAD_Z", g->begin[0]), define("OUTPUT_D", g->out[0]), define("DILATION_Z", g->dilation[0]);
      define("FILTER_X", g->kernel[2]), define("FILTER_Y", g->kernel[1]), define("STRIDE_X", g->stride[2]), define("STRIDE_Y", g->stride[1]);
      define("PAD_X", g->begin[2]), define("PAD_Y", g->begin[1]), define("OUTPUT_W", g->out[2]), define("OUTPUT_H", g->out[1]), define("DILATION_X", g->dilation[2]), define("DILATION_Y", g->dilation[1]);
      define("GROUPS", g->groups);
      if (depthwise) define("CH_MULT", g->out_channels);
    }
    const Tensor &x = layer.in("x"), &w = layer.in("weight");
    add("input_data", "input", conv ? permuted(x, order_of(x, {0}, {1})) : x, conv ? "channels last" : "row-major");
    add("weights_data", "weights", !conv ? w : transposed ? permuted(w, order_of(w, {1}, {0})) : depthwise ? permuted(w, order_of(w, {1}, {0})) : permuted(w, order_of(w, {0}, {1})),
        !conv ? "[out, in]" : depthwise ? "[1, taps, channels]" : "[out, taps, in]");
    if (const Tensor* b = layer.find("bias")) add("biases_data", "biases", *b, is_float(b->dtype) ? "real bias, float32" : "at si * sw");
    define("INPUT_SIZE", x.size());
    if (!is_float(x.dtype)) define("INPUT_OFFSET", -x.q.integer_zero_point());
    if (w.q.zero_point.size() <= 1) define("FILTER_OFFSET", -w.q.integer_zero_point());
    if (!cell.stages.empty() && !is_float(y.dtype) && !is_float(x.dtype)) {
      const AccumulationInput in = read_operands(layer, *g);
      const RequantizeContext context = requantize_context(layer, cell, in, g->groups * g->out_channels);
      define("OUT_ACTIVATION_MIN", context.min), define("OUT_ACTIVATION_MAX", context.max);
      Array multiplier{"output_mult_data", "int32_t", low + "_output_mult", {}, "value = mult * 2^(shift - 31)"}, shift{"output_shift_data", "int32_t", low + "_output_shift", {}, "positive: to the left"};
      Array scale{"output_scale_data", "float", low + "_output_scale", {}, "the real multiplier si * sw / so as float32"};
      for (std::int64_t o = 0; o < g->groups * g->out_channels; ++o) {
        const Names& n = context.channels.size() == 1 ? context.channels[0] : context.channels[static_cast<std::size_t>(o)];
        double real = n.at("si") * n.at("sw") / n.at("so");
        for (const auto& s : cell.stages)  // in the precision that the profile has
          if (s.rfind("fixed ", 0) == 0) real = Expression::parse(s.substr(s.find(' ', 6) + 1)).evaluate(n).value;
        const FixedMultiplier m = quantize_multiplier(real);
        multiplier.values.push_back(literal(std::int64_t{m.m})), shift.values.push_back(literal(std::int64_t{m.shift}));
        scale.values.push_back(literal(static_cast<float>(real)));
      }
      c.arrays.push_back(multiplier), c.arrays.push_back(shift), c.arrays.push_back(scale);
    }
    for (const auto& [port, t] : layer.inputs)
      if (port != "x" && port != "weight" && port != "bias") add("input_data", port, t, "row-major");
    add("output_ref_data", "output_ref", conv ? permuted(y, order_of(y, {0}, {1})) : y, conv ? "channels last" : "row-major");
  } else {
    for (const auto& [port, t] : layer.inputs) {
      const bool first = layer.inputs.size() == 1 && port == "x";
      add(port == "weight" ? "weights_data" : port == "bias" ? "biases_data" : "input_data", first ? "input" : port == "a" ? "input_1" : port == "b" ? "input_2" : port, t, to_string(t.shape) + ", row-major");
      if (!is_float(t.dtype) && t.q.scale.size() == 1 && !t.q.float_zero_point) define((first ? "INPUT" : port == "a" ? "INPUT_1" : port == "b" ? "INPUT_2" : upper(port)) + std::string("_OFFSET"), -t.q.integer_zero_point());
      define((first ? "INPUT" : port == "a" ? "INPUT_1" : port == "b" ? "INPUT_2" : upper(port)) + std::string("_SIZE"), t.size());
    }
    if (!is_float(y.dtype)) {
      const Range r = y.q.quantized() ? activated_range(layer, y) : Range{info(y.dtype).min, info(y.dtype).max};
      define("OUT_ACTIVATION_MIN", r.min), define("OUT_ACTIVATION_MAX", r.max);
    }
    if (layer.op == "requantize" && cell.rule == "stages") {
      const FixedMultiplier m = quantize_multiplier(layer.in("x").q.scale_of(0) / y.q.scale_of(0));
      c.arrays.push_back({"output_mult_data", "int32_t", low + "_output_mult", {literal(std::int64_t{m.m})}, "value = mult * 2^(shift - 31)"});
      c.arrays.push_back({"output_shift_data", "int32_t", low + "_output_shift", {literal(std::int64_t{m.shift})}, "positive: to the left"});
    }
    add("output_ref_data", "output_ref", y, to_string(y.shape) + ", row-major");
    for (const auto& [port, t] : layer.outputs)
      if (port != output) add("output_ref_data", "output_ref_" + port, t, to_string(t.shape) + ", row-major");
  }
  if (!is_float(y.dtype) && y.q.scale.size() == 1) define("OUTPUT_OFFSET", y.q.integer_zero_point());
  define("DST_SIZE", y.size());
  for (const auto* ports : {&layer.inputs, &layer.outputs})
    for (const auto& [port, t] : *ports)
      if (t.q.scale.size() == 1) c.config += "/* " + port + ": scale " + Exact(t.q.scale[0]).fraction() + " */\n";
  return c;
}

std::string text_of(const Array& a, const char* storage) {
  std::string s = "/* " + a.comment + " */\n" + std::string(storage) + "const " + a.type + " " + a.name + "[" + std::to_string(std::max<std::size_t>(1, a.values.size())) + "] = {";
  std::size_t column = 200;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    if (column > 110) s += "\n    ", column = 4;
    s += a.values[i] + (i + 1 < a.values.size() ? ", " : "");
    column += a.values[i].size() + 2;
  }
  if (a.values.empty()) s += "0";
  return s + "};\n";
}

/// A comment block; "*/" cannot stand in it.
std::string comment(const Vectors& v) {
  std::string s = "/*\n";
  for (auto line : header_lines(v)) {
    for (std::size_t at; (at = line.find("*/")) != std::string::npos;) line.insert(at + 1, " ");
    for (std::size_t at; (at = line.find("/*")) != std::string::npos;) line.insert(at + 1, " ");
    s += " * " + line + "\n";
  }
  return s + " */\n";
}

void write(const Vectors& v, const std::string& path) {
  std::vector<Case> cases;
  for (std::size_t k = 0; k < v.cases.size(); ++k) cases.push_back(describe(v, k));
  const bool single = path == "-" || (path.size() > 2 && path.compare(path.size() - 2, 2, ".h") == 0);
  const std::string guard = "LASTBIT_" + upper(identifier(v, 0)) + "_" + upper(v.request.suite) + "_H";
  if (single) {
    std::string s = comment(v) + "#ifndef " + guard + "\n#define " + guard + "\n\n#include <stdint.h>\n\n";
    for (const auto& c : cases) {
      s += c.config + "\n";
      for (const auto& a : c.arrays) s += text_of(a, "");
      s += "\n";
    }
    write_text(path, s + "#endif\n");
    return;
  }
  make_folder(path);
  std::vector<std::string> files{"config_data"};
  std::string config = comment(v) + "#pragma once\n\n";
  for (const auto& c : cases) config += c.config + "\n";
  write_text(path + "/config_data.h", config);
  std::map<std::string, std::string> of_file;
  for (const char* file : {"biases_data", "input_data", "weights_data", "output_mult_data", "output_shift_data", "output_ref_data"}) of_file[file] = "";
  for (const auto& c : cases)
    for (const auto& a : c.arrays) of_file[a.file] += text_of(a, "") + "\n";
  std::string all = "/* sha256 of the suite: " + v.checksum + " */\n#pragma once\n\n#include \"config_data.h\"\n";
  for (const auto& [file, text] : of_file) {
    write_text(path + "/" + file + ".h", "/* lastbit golden vectors, see config_data.h; sha256 " + v.checksum + " */\n#pragma once\n\n#include <stdint.h>\n\n" + (text.empty() ? "/* none */\n" : text));
    all += "#include \"" + file + ".h\"\n";
  }
  write_text(path + "/test_data.h", all);
  // TFLM's pair.
  const std::string stem = "golden_" + v.op->name + "_test_data";
  std::string header = comment(v) + "#pragma once\n\n#include <cstdint>\n\nnamespace tflite {\n\n", source = "// sha256 of the suite: " + v.checksum + "\n#include \"" + stem + ".h\"\n\nnamespace tflite {\n\n";
  for (const auto& c : cases)
    for (const auto& a : c.arrays) {
      const std::string n = std::to_string(std::max<std::size_t>(1, a.values.size()));
      header += "constexpr unsigned int " + a.name + "_size = " + n + ";\nextern const " + a.type + " " + a.name + "[" + n + "];\n";
      source += text_of(a, "alignas(16) ") + "\n";
    }
  write_text(path + "/" + stem + ".h", header + "\n}  // namespace tflite\n");
  write_text(path + "/" + stem + ".cc", source + "}  // namespace tflite\n");
  write_text(path + "/golden.json", suite_json(v));
}

}  // namespace

Writer c() { return {"c", "C99: X.h is one header, a folder the file set of CMSIS-NN and TFLM", write}; }

}  // namespace lastbit::writers
