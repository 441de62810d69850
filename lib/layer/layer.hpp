// layer.hpp: one operator application inside a dump, with its tensors and attributes bound.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "lib/tensor/tensor.hpp"

namespace lastbit {

/// Who made the dump: strings from the manifest. Some choose cells of a profile.
struct Producer {
  std::map<std::string, std::string> fields;  // framework, version, engine, isa, build, ...
  std::string at(const std::string& key) const {
    const auto it = fields.find(key);
    return it == fields.end() ? std::string() : it->second;
  }
};

/// {"min": q, "max": q} of an explicit activation.
struct Clamp {
  std::int64_t min = 0, max = 0;
};

using Attribute = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>, Clamp>;

/// Attributes by name. The getters throw Error(place...) when an attribute has another type, length or is missing
/// without a default; `place` is "layer NAME".
struct Attributes {
  std::string place;
  std::map<std::string, Attribute> values;

  /// What the getters read; null where there is none: a null attribute is as good as nothing.
  const Attribute* find(const std::string& key) const {
    const auto it = values.find(key);
    return it == values.end() || std::holds_alternative<std::monostate>(it->second) ? nullptr : &it->second;
  }
  bool has(const std::string& key) const { return find(key) != nullptr; }
  bool boolean(const std::string& key, std::optional<bool> otherwise = {}) const;
  std::int64_t integer(const std::string& key, std::optional<std::int64_t> otherwise = {}) const;
  double number(const std::string& key, std::optional<double> otherwise = {}) const;
  std::string text(const std::string& key, std::optional<std::string> otherwise = {}) const;
  /// n entries; a single number stands for all of them.
  std::vector<std::int64_t> integers(const std::string& key, std::size_t n, std::optional<std::int64_t> otherwise = {}) const;
  /// Any number of entries; a single number is a list of one.
  std::vector<std::int64_t> list(const std::string& key) const;
  std::vector<double> numbers(const std::string& key) const;
};

/// Throws Error unless it is an instruction set by its name in a dump: "avx512_vnni", "neon_dotprod", ... Empty: not said.
void expect_isa(const std::string& isa, const std::string& place);

struct Layer {
  std::string name, op;
  std::string place;                       // for messages: "DUMP/manifest.json: layer conv1"
  Attributes attributes;
  std::map<std::string, Tensor> inputs;    // by port
  std::map<std::string, Tensor> outputs;   // by port: as observed; their qparams say how results are stored
  Producer producer;
  /// What profiles may ask of this layer ("per_channel", "depthwise", "isa:avx2", ...): see facts().
  std::set<std::string> facts;

  const Tensor& in(const std::string& port) const;          // throws Error naming the port
  const Tensor* find(const std::string& port) const { return inputs.count(port) ? &inputs.at(port) : nullptr; }
  const Tensor& out(const std::string& port = "y") const;
  bool has_out(const std::string& port) const { return outputs.count(port) > 0; }
  bool is(const std::string& fact) const { return facts.count(fact) > 0; }
};

/// Facts every layer has, whatever its operator: isa and its classes (vnni, no_vnni, avx2, no_avx2, x86, arm), version,
/// build, engine, dtypes ("x:uint8", "weight:int8", "y:float32"), "per_channel", "weight_zero_point", "bias",
/// "bias:int32", "bias_dtype:int64" (the attribute, else the bias's), "activation:relu", "memory:NHWC", "variant:NAME",
/// "depthwise", "grouped", "weight_zero_points_differ", "accumulator_only" (no output "y"), "kernel:NAME" for every name in the
/// producer's "kernels", "u8s8_saturates" (products of uint8 and int8 share 16-bit registers: the producer's "u8s8_pairs",
/// else what the instruction set does).
std::set<std::string> common_facts(const Layer&);
/// Those of them that the producer alone decides, and the others.
std::set<std::string> producer_facts(const Producer&);
void add_facts(const Layer&, std::set<std::string>&);

/// Whether a condition of a profile's cell holds: "fact", "!fact", "version>=2.13" (also < <= > ==), or "groups<=100" over an
/// integer attribute.
bool holds(const std::string& condition, const Layer&);

}  // namespace lastbit
