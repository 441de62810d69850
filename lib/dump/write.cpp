// write.cpp: see write.hpp.
#include "lib/dump/write.hpp"

#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "lib/dump/npy.hpp"
#include "lib/error.hpp"

namespace lastbit {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

void write_bytes(const fs::path& path, const std::vector<std::byte>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw Error(path.string(), "found a place that cannot be written, expected one that can");
}

Json attribute_json(const Attribute& a) {
  struct Visit {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(bool v) const { return v; }
    Json operator()(std::int64_t v) const { return v; }
    Json operator()(double v) const { return v; }
    Json operator()(const std::string& v) const { return v; }
    Json operator()(const std::vector<std::int64_t>& v) const { return v; }
    Json operator()(const std::vector<double>& v) const { return v; }
    Json operator()(const Clamp& v) const { return {{"min", v.min}, {"max", v.max}}; }
  };
  return std::visit(Visit{}, a);
}

Tensor array_of(const std::vector<double>& values, bool integers) {
  std::vector<std::byte> bytes(values.size() * 8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto whole = static_cast<std::int64_t>(values[i]);
    if (integers) std::memcpy(&bytes[i * 8], &whole, 8);
    else std::memcpy(&bytes[i * 8], &values[i], 8);
  }
  return Tensor::of("", integers ? DType::int64 : DType::float64, {static_cast<std::int64_t>(values.size())}, {}, std::move(bytes));
}

class Writer {
 public:
  explicit Writer(fs::path directory) : directory_(std::move(directory)) {}
  Json tensors = Json::object();

  void add(const Tensor& t) {
    if (tensors.contains(t.name)) return;
    Json j;
    j["file"] = store(t);
    j["dtype"] = std::string(name(t.dtype));
    const Quantization& q = t.q;
    if (q.quantized()) {
      if (q.axis >= 0) j["axis"] = q.axis;
      if (q.group_size > 0) j["group_size"] = q.group_size;
      const bool array = q.axis >= 0 || q.scale.size() > 1;
      if (!array) j["scale"] = q.scale[0];
      else j["scale"] = {{"file", store(grouped(array_of(q.scale, false), t))}};
      if (q.zero_point.size() > 1) j["zero_point"] = {{"file", store(grouped(array_of(q.zero_point, !q.float_zero_point), t))}};
      else if (!array) j["zero_point"] = q.float_zero_point ? Json(q.zero_point_of(0)) : Json(q.integer_zero_point());
      else j["zero_point"] = q.integer_zero_point();
    }
    if (!is_float(t.dtype) && q.quantized() && (q.qmin != info(t.dtype).min || q.qmax != info(t.dtype).max) && q.qmin < q.qmax) j["qmin"] = q.qmin, j["qmax"] = q.qmax;
    if (!t.memory_layout.empty()) j["memory_layout"] = t.memory_layout;
    tensors[t.name] = std::move(j);
  }

 private:
  static Tensor grouped(Tensor a, const Tensor& t) {  // 2-d: channel, group
    if (t.q.group_size > 0) {
      const std::int64_t groups = (t.dim(-1) + t.q.group_size - 1) / t.q.group_size;
      a.shape = {a.size() / groups, groups};
    }
    return a;
  }
  std::string store(const Tensor& t) {
    std::string number = std::to_string(++files_);
    number.insert(0, number.size() < 5 ? 5 - number.size() : 0, '0');
    const std::string file = "tensors/" + number + ".npy";
    write_bytes(directory_ / file, npy_bytes(t));
    return file;
  }
  fs::path directory_;
  int files_ = 0;
};

}  // namespace

void write_dump(const fs::path& directory, const DumpToWrite& dump) {
  std::error_code error;
  if (fs::exists(directory, error) && !fs::is_empty(directory, error)) throw Error(directory.string(), "found a place that is not empty, expected a new one for a dump");
  fs::create_directories(directory / "tensors", error);
  if (error) throw Error(directory.string(), "found a place where no directory can be made (" + error.message() + "), expected one");
  Json j;
  j["format"] = "lastbit-dump";
  j["version"] = 1;
  j["producer"] = dump.producer.fields;
  if (!dump.profile.empty()) j["profile"] = dump.profile;
  Writer writer(directory);
  Json layers = Json::array();
  for (std::size_t i = 0; i < dump.layers.size(); ++i) {
    const Layer& layer = dump.layers[i];
    Json l{{"name", layer.name}, {"op", layer.op}, {"inputs", Json::object()}, {"outputs", Json::object()}, {"attributes", Json::object()}};
    for (const auto& [port, t] : layer.inputs) l["inputs"][port] = t.name, writer.add(t);
    for (const auto& [port, t] : layer.outputs) l["outputs"][port] = t.name, writer.add(t);
    for (const auto& [key, value] : layer.attributes.values)
      if (!std::holds_alternative<std::monostate>(value)) l["attributes"][key] = attribute_json(value);
    if (i < dump.profiles.size() && !dump.profiles[i].empty()) l["profile"] = dump.profiles[i];
    layers.push_back(std::move(l));
  }
  j["tensors"] = std::move(writer.tensors);
  j["layers"] = std::move(layers);
  const std::string text = j.dump(1) + "\n";
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  write_bytes(directory / "manifest.json", bytes);
}

}  // namespace lastbit
