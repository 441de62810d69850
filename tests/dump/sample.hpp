// sample.hpp: one good dump, a 1x1 convolution, from which the tests of refusals make bad ones.
#pragma once
#include "tests/support.hpp"

namespace lastbit::test {

struct Sample : TemporaryDump {
  Sample() {
    add("x", "uint8", npy("|u1", "(1, 2, 2, 2)", raw<std::uint8_t>({0, 1, 2, 3, 4, 5, 6, 255})), {{"scale", 0.5}, {"zero_point", 3}});
    add("w", "int8", npy("|i1", "(2, 2, 1, 1)", raw<std::int8_t>({1, -2, 127, -128})),
        {{"axis", 0}, {"scale", {{"file", "tensors/w.scale.npy"}}}, {"zero_point", {{"file", "tensors/w.zero_point.npy"}}}});
    file("tensors/w.scale.npy", npy("<f8", "(2,)", raw<double>({0.25, 0.125})));
    file("tensors/w.zero_point.npy", npy("<i8", "(2,)", raw<std::int64_t>({0, 0})));
    add("b", "float32", npy("<f4", "(2,)", raw<float>({1.5f, -2.0f})));
    add("y", "uint8", npy("|u1", "(1, 2, 2, 2)", raw<std::uint8_t>({0, 0, 0, 0, 9, 9, 9, 9})), {{"scale", 1.0}, {"zero_point", 0}});
    layer("conv", "conv2d", {{"x", "x"}, {"weight", "w"}, {"bias", "b"}}, {{"y", "y"}}, {{"stride", {1, 1}}, {"activation", "relu"}});
  }
  Json& tensor(const char* name) { return manifest["tensors"][name]; }
  Json& conv() { return manifest["layers"][0]; }
  Json& attributes() { return conv()["attributes"]; }
  void x_file(std::string_view bytes) const { file("tensors/x.npy", bytes); }
  /// x from an archive instead: its only member.
  void x_zip(const ZipMember& member) {
    file("a.npz", zip({member}));
    tensor("x")["file"] = "a.npz#x";
  }
  void x_safetensors(const std::string& header, std::string_view data) {
    file("a.safetensors", little(header.size(), 8) + header + std::string(data));
    tensor("x")["file"] = "a.safetensors#x";
  }
};

/// The reader's whole way: open, then bind every layer and load every tensor.
inline void read_all(const Dump& dump) {
  for (const auto& [name, entry] : dump.tensors()) dump.load(name);
  for (const auto& layer : dump.layers()) dump.bind(layer);
}

}  // namespace lastbit::test
