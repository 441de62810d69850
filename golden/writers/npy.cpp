// npy: a folder of NumPy arrays, CASE.port.npy, with golden.json; scales and zero points as CASE.port.scale.npy, ...zero_point.npy.
#include <cstring>

#include "golden/writer.hpp"
#include "lib/dump/npy.hpp"

namespace lastbit::writers {
namespace {

std::string bytes_of(const Tensor& t) {
  const auto bytes = npy_bytes(t);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Tensor array(const std::vector<double>& v) {
  std::vector<std::byte> bytes(v.size() * 8);
  std::memcpy(bytes.data(), v.data(), bytes.size());
  return Tensor::of("", DType::float64, {static_cast<std::int64_t>(v.size())}, {}, std::move(bytes));
}

void write(const Vectors& v, const std::string& path) {
  make_folder(path);
  for (const auto& layer : v.cases)
    for (const auto* ports : {&layer.inputs, &layer.outputs})
      for (const auto& [port, t] : *ports) {
        const std::string stem = path + "/" + layer.name + "." + port;
        write_text(stem + ".npy", bytes_of(t));
        if (!t.q.quantized()) continue;
        write_text(stem + ".scale.npy", bytes_of(array(t.q.scale)));
        write_text(stem + ".zero_point.npy", bytes_of(array(t.q.zero_point)));
      }
  write_text(path + "/golden.json", suite_json(v));
}

}  // namespace

Writer npy() { return {"npy", "a folder of NumPy arrays, one a tensor, with golden.json", write}; }

}  // namespace lastbit::writers
