// manifest.cpp: see manifest.hpp. Reading (types of fields) first, then what the parts say of each other.
#include "lib/dump/manifest.hpp"

#include <algorithm>
#include <cmath>

#include "lib/dump/files.hpp"
#include "lib/dump/json.hpp"
#include "lib/dump/layout.hpp"
#include "lib/dump/words.hpp"

namespace lastbit {
namespace {

/// Where something stands, in words only when it is refused.
struct Place {
  const std::string& manifest;
  std::string_view kind{}, name{};  // "tensor", "layer" and its name
  std::string_view key{};           // of it, or of the manifest

  operator std::string() const { return manifest + (kind.empty() ? "" : ": " + std::string(kind) + " " + one_line(name)) + (key.empty() ? "" : ": \"" + std::string(key) + '"'); }
  Place at(std::string_view its_key) const { return {manifest, kind, name, its_key}; }
};

/// One JSON object and where it stands. Unknown keys are allowed; a key that is null counts as absent.
struct Object {
  const Json& json;
  Place place;

  Object(const Json& j, Place where) : json(j), place(where) {
    if (!json.is_object()) refuse(place, described(json), "an object");
  }
  const Json* find(const char* key) const {
    const auto it = json.find(key);
    return it == json.end() || it->is_null() ? nullptr : &*it;
  }
  const Json& at(const char* key, const char* expected) const {
    const Json* j = find(key);
    if (!j) refuse(place, std::string("no \"") + key + '"', expected);
    return *j;
  }
  [[noreturn]] void wrong(const char* key, const Json& j, const std::string& expected) const {
    refuse(place.at(key), described(j), expected);
  }
  std::string text(const char* key, const char* expected, bool required) const {
    if (!required && !find(key)) return {};
    const Json& j = at(key, expected);
    if (!j.is_string() || j.get_ref<const std::string&>().empty()) wrong(key, j, expected);
    return j.get<std::string>();
  }
  std::optional<std::int64_t> integer(const char* key, std::int64_t least, const char* expected) const {
    const Json* j = find(key);
    if (!j) return {};
    if (!j->is_number_integer() || (j->is_number_unsigned() && j->get<std::uint64_t>() > INT64_MAX) || j->get<std::int64_t>() < least) wrong(key, *j, expected);
    return j->get<std::int64_t>();
  }
};

// -- tensors --------------------------------------------------------------------------------------------------------------

/// "scale" and "zero_point": a number, or {"file": ...}.
const Json* number_or_file(const Object& t, const char* key, std::string& file, const std::string& parent, bool parent_allowed) {
  const Json* j = t.find(key);
  if (!j) return nullptr;
  if (j->is_object()) {
    const Object o(*j, t.place.at(key));
    file = o.text("file", "a path", true);
    if (const auto fault = path_fault(file, parent_allowed)) refuse(o.place, fault->found, fault->expected);
    return nullptr;
  }
  if (!j->is_number()) t.wrong(key, *j, parent);
  return j;
}

double zero_point_number(const Object& t, const Json& j, const DTypeInfo& type) {
  const double v = j.get<double>();
  if (!std::isfinite(v)) t.wrong("zero_point", j, "a finite number");
  const bool integral = j.is_number_integer() || v == std::trunc(v);
  if (!integral) return v;  // a float zero point
  const bool held = j.is_number_unsigned() ? j.get<std::uint64_t>() <= static_cast<std::uint64_t>(type.max)
                    : j.is_number_integer() ? j.get<std::int64_t>() >= type.min && j.get<std::int64_t>() <= type.max
                                            : std::abs(v) <= 0x1p53 && static_cast<std::int64_t>(v) >= type.min && static_cast<std::int64_t>(v) <= type.max;
  if (!held || std::abs(v) > 0x1p53) t.wrong("zero_point", j, "a value of " + std::string(type.name) + ", " + std::to_string(type.min) + " to " + std::to_string(type.max));
  return v;
}

TensorEntry tensor(const std::string& name, const Json& json, const std::string& place, bool parent) {
  const Object t(json, {place, "tensor", name});
  TensorEntry e;
  e.name = name;
  e.file = t.text("file", "a path", true);
  if (const auto fault = path_fault(e.file, parent)) refuse(t.place.at("file"), fault->found, fault->expected);
  const std::string type_name = t.text("dtype", "uint8, int8, ... float64", true);
  const auto dtype = dtype_named(type_name);
  if (!dtype) refuse(t.place.at("dtype"), in_quotes(type_name), "uint8, int8, uint16, int16, int32, int64, uint4, int4, uint2, int2, float16, float32 or float64");
  e.dtype = *dtype;
  const DTypeInfo& type = info(*dtype);

  e.packed = t.text("packed", "\"low_first\" or \"high_first\"", false);
  if (!e.packed.empty() && e.packed != "low_first" && e.packed != "high_first") refuse(t.place.at("packed"), in_quotes(e.packed), "\"low_first\" or \"high_first\"");
  if (!e.packed.empty() && type.bits >= 8) refuse(t.place.at("packed"), "values of " + type_name, "4- or 2-bit values");
  if (const Json* shape = t.find("shape")) {
    if (!shape->is_array()) t.wrong("shape", *shape, "a list of integers");
    e.shape.emplace();
    for (const auto& d : *shape) {
      if (!d.is_number_unsigned() || d.get<std::uint64_t>() > INT64_MAX) t.wrong("shape", d, "integers of 0 or more");
      e.shape->push_back(d.get<std::int64_t>());
    }
    checked_bytes(*e.shape, stored_bytes(e.dtype), t.place.at("shape"));
  }
  if (!e.packed.empty() && (!e.shape || e.shape->empty())) refuse(t.place, "packed values without \"shape\"", "the unpacked shape");

  for (const char* key : {"scale", "zero_point", "axis", "group_size", "qmin", "qmax"})
    if (type.is_float && t.find(key)) refuse(t.place.at(key), "a key of quantized tensors on " + type_name, "an integer dtype, or no such key");
  if (const Json* scale = number_or_file(t, "scale", e.scale_file, "a number or {\"file\": ...}", parent)) e.scale = scale->get<double>();
  if (e.scale && *e.scale != 0 && !is_scale(*e.scale)) t.wrong("scale", *t.find("scale"), "a positive number that float32 can hold");
  if (const Json* zero = number_or_file(t, "zero_point", e.zero_point_file, "a number or {\"file\": ...}", parent)) e.zero_point = zero_point_number(t, *zero, type);
  e.axis = t.integer("axis", 0, "an axis of the stored array, 0 or more");
  e.group_size = t.integer("group_size", 1, "an integer of 1 or more");
  e.qmin = t.integer("qmin", type.min, "an integer of the dtype");
  e.qmax = t.integer("qmax", type.min, "an integer of the dtype");
  if (e.qmin.value_or(type.min) > e.qmax.value_or(type.max) || e.qmax.value_or(type.max) > type.max)
    refuse(t.place, "the range " + std::to_string(e.qmin.value_or(type.min)) + " to " + std::to_string(e.qmax.value_or(type.max)), "one inside " + std::to_string(type.min) + " to " + std::to_string(type.max));
  if (!e.scale_file.empty() && !e.axis) refuse(t.place, "an array of scales without \"axis\"", "the channel axis");
  if (!e.zero_point_file.empty() && e.scale_file.empty()) refuse(t.place, "an array of zero points without an array of scales", "both, or a number");
  if (e.group_size && e.scale_file.empty()) refuse(t.place, "\"group_size\" without an array of scales", "scales by channel and group");

  e.layout = t.text("layout", "the order of the stored axes, such as \"NHWC\"", false);
  if (!e.layout.empty() && !is_layout(e.layout)) refuse(t.place.at("layout"), in_quotes(e.layout), "a permutation of NCW, NCHW, NCDHW, OIW, OIHW or OIDHW");
  e.memory_layout = t.text("memory_layout", "\"NCHW\" or \"NHWC\"", false);
  if (!e.memory_layout.empty() && e.memory_layout != "NCHW" && e.memory_layout != "NHWC") refuse(t.place.at("memory_layout"), in_quotes(e.memory_layout), "\"NCHW\" or \"NHWC\"");
  return e;
}

// -- layers ---------------------------------------------------------------------------------------------------------------

std::optional<std::int64_t> as_int64(const Json& j) {
  if (!j.is_number_integer() || (j.is_number_unsigned() && j.get<std::uint64_t>() > INT64_MAX)) return {};
  return j.get<std::int64_t>();
}

/// What no operator asks for (lists of strings, nested objects) is kept as its text: unknown attributes are allowed, and an
/// operator that wanted numbers there says what it found.
Attribute attribute(const Json& j) {
  if (j.is_null()) return std::monostate{};
  if (j.is_boolean()) return j.get<bool>();
  if (const auto i = as_int64(j)) return *i;
  if (j.is_number()) return j.get<double>();
  if (j.is_string()) return j.get<std::string>();
  if (j.is_array() && std::all_of(j.begin(), j.end(), [](const Json& v) { return as_int64(v).has_value(); })) return j.get<std::vector<std::int64_t>>();
  if (j.is_array() && std::all_of(j.begin(), j.end(), [](const Json& v) { return v.is_number(); })) return j.get<std::vector<double>>();
  if (j.is_object() && j.size() == 2 && j.contains("min") && j.contains("max"))
    if (const auto lo = as_int64(j.at("min")), hi = as_int64(j.at("max")); lo && hi) return Clamp{*lo, *hi};
  return j.dump();
}

std::map<std::string, std::string> ports(const Object& layer, const char* key) {
  std::map<std::string, std::string> map;
  const Object o(layer.at(key, "an object of tensor names"), layer.place.at(key));
  for (const auto& [port, name] : o.json.items()) {
    if (!name.is_string()) refuse(std::string(o.place) + ": " + one_line(port), described(name), "a tensor's name");
    map.emplace(port, name.get<std::string>());
  }
  return map;
}

LayerEntry layer(const Json& json, const std::string& place, std::size_t index) {
  const std::string number = std::to_string(index);
  const Object unnamed(json, {place, "layer", number});
  LayerEntry e;
  e.name = unnamed.text("name", "the layer's name", true);
  const Object l(json, {place, "layer", e.name});
  e.op = l.text("op", "an operator's name", true);
  e.profile = l.text("profile", "a profile's name", false);
  e.inputs = ports(l, "inputs");
  e.outputs = ports(l, "outputs");
  e.attributes.place = l.place;
  if (const Json* attributes = l.find("attributes"))
    for (const auto& [key, value] : Object(*attributes, l.place.at("attributes")).json.items()) e.attributes.values.emplace(key, attribute(value));
  return e;
}

// -- what the parts say of each other -------------------------------------------------------------------------------------

void check_activation(const LayerEntry& l, const std::map<std::string, TensorEntry>& tensors) {
  if (!l.attributes.has("activation")) return;
  const std::string place = l.attributes.place + ": attribute \"activation\"";
  const auto& a = l.attributes.values.at("activation");
  if (const auto* clamp = std::get_if<Clamp>(&a)) {
    const auto y = l.outputs.find("y");
    if (y == l.outputs.end()) return;
    const DTypeInfo& type = info(tensors.at(y->second).dtype);
    const std::string found = std::to_string(clamp->min) + " to " + std::to_string(clamp->max);
    if (type.is_float) refuse(place, "a clamp to integers on an output of " + std::string(type.name), "an integer output");
    if (clamp->min > clamp->max || clamp->min < type.min || clamp->max > type.max) refuse(place, found, "a range inside the output's " + std::to_string(type.min) + " to " + std::to_string(type.max));
    return;
  }
  const auto* name = std::get_if<std::string>(&a);
  for (const char* known : {"none", "relu", "relu6", "leaky_relu", "tanh"})
    if (name && *name == known) return;
  refuse(place, name ? in_quotes(*name) : "something else", "none, relu, relu6, leaky_relu, tanh or {\"min\": integer, \"max\": integer}");
}

void check_links(const Manifest& m) {
  std::map<std::string, std::size_t> layer_names, producers;
  for (std::size_t i = 0; i < m.layers.size(); ++i) {
    const LayerEntry& l = m.layers[i];
    const std::string& at = l.attributes.place;
    if (!layer_names.emplace(l.name, i).second) refuse(at, "two layers of this name", "names defined once");
    for (const auto* side : {&l.inputs, &l.outputs})
      for (const auto& [port, name] : *side)
        if (!m.tensors.count(name)) refuse(at + ": " + (side == &l.inputs ? "input " : "output ") + one_line(port), "the name " + in_quotes(name), "a tensor that \"tensors\" defines");
    for (const auto& [port, name] : l.outputs)
      if (const auto [first, fresh] = producers.emplace(name, i); !fresh)
        refuse(at + ": output " + one_line(port), "the tensor " + in_quotes(name) + ", already an output of layer " + one_line(m.layers[first->second].name), "one producer");
  }
  for (std::size_t i = 0; i < m.layers.size(); ++i)
    for (const auto& [port, name] : m.layers[i].inputs)
      if (const auto by = producers.find(name); by != producers.end() && by->second >= i)
        refuse(m.layers[i].attributes.place + ": input " + one_line(port), "the output of " + (by->second == i ? std::string("the layer itself") : "the later layer " + one_line(m.layers[by->second].name)) + " (a cycle, or layers out of order)", "an earlier layer's");
}

/// Where a scale may be 0: a row of an embedding's weight, a row that quantize_rowwise found constant. Where it may be any number: ONNX Runtime's
/// symmetric blockwise quantizer divides by what lies farthest from 0, sign included, and a block of zeros has scale 0.
void find_loose_scales(Manifest& m) {
  for (const auto& l : m.layers) {
    const bool table = l.op == "embedding" || l.op == "embedding_bag", blocks = l.op == "linear_weight_only";
    if (const auto it = l.inputs.find("weight"); (table || blocks) && it != l.inputs.end()) (table ? m.zero_scales : m.signed_scales).insert(it->second);
    if (const auto it = l.outputs.find("y"); l.op == "quantize_rowwise" && it != l.outputs.end()) m.zero_scales.insert(it->second);
  }
}

}  // namespace

Manifest parse_manifest(std::string_view text, const std::string& place) {
  const Json json = parse_json(text, place);
  const Object top(json, {place});
  if (const auto format = top.text("format", "\"lastbit-dump\"", true); format != "lastbit-dump") refuse(place + ": \"format\"", in_quotes(format), "\"lastbit-dump\"");
  if (const Json& version = top.at("version", "1"); version != 1 || !version.is_number_integer()) refuse(place + ": \"version\"", described(version), "1");

  Manifest m;
  if (const Json* producer = top.find("producer"))
    for (const auto& [key, value] : Object(*producer, top.place.at("producer")).json.items()) {
      if (!value.is_string()) refuse(place + ": \"producer\": " + one_line(key), described(value), "a string");
      if (key == "isa") expect_isa(one_line(value.get<std::string>()), place + ": \"producer\": isa");
      m.producer.fields.emplace(key, value.get<std::string>());
    }
  m.profile = top.text("profile", "a profile's name", false);
  if (const auto root = top.text("root", "\"..\"", false); !root.empty()) {
    if (root != "..") refuse(place + ": \"root\"", in_quotes(root), "\"..\"");
    m.parent = true;
  }
  const Object tensors(top.at("tensors", "the tensors"), top.place.at("tensors"));
  for (const auto& [name, entry] : tensors.json.items()) m.tensors.emplace(name, tensor(name, entry, place, m.parent));
  const Json& layers = top.at("layers", "the layers");
  if (!layers.is_array()) top.wrong("layers", layers, "a list");
  for (const auto& entry : layers) m.layers.push_back(layer(entry, place, m.layers.size()));

  check_links(m);
  find_loose_scales(m);
  for (const auto& l : m.layers) check_activation(l, m.tensors);
  for (const auto& [name, t] : m.tensors)
    if (t.scale && *t.scale == 0 && !m.zero_scales.count(name)) refuse(place + ": tensor " + one_line(name) + ": \"scale\"", "0", "a positive finite number");
  return m;
}

}  // namespace lastbit
