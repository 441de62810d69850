// dump.hpp: a dump as docs/dump-format.md defines it, opened and validated. Tensors stay on disk until a layer is bound.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/layer/layer.hpp"

namespace lastbit {

/// A tensor as the manifest declares it.
struct TensorEntry {
  std::string name;
  std::string file;                            // "tensors/x.npy", "a.npz#member", "a.safetensors#name"
  DType dtype = DType::float32;
  std::string packed;                          // "", "low_first", "high_first"
  std::optional<Shape> shape;                  // unpacked shape, when packed
  std::optional<double> scale, zero_point;     // numbers, when not files
  std::string scale_file, zero_point_file;
  std::optional<std::int64_t> axis, group_size, qmin, qmax;
  std::string layout;                          // "NHWC", "OHWI", ...; empty: the operator's default
  std::string memory_layout;
};

/// A layer as the manifest declares it; ports map to tensor names.
struct LayerEntry {
  std::string name, op;
  std::string profile;                         // empty: the dump's
  std::map<std::string, std::string> inputs, outputs;
  Attributes attributes;
};

class Dump {
 public:
  /// Reads and validates the manifest (not the arrays). `path`: the directory or its manifest.json. Throws Error(place: ...)
  /// for everything dump-format.md refuses that can be seen without the arrays: format, version, unknown keys are allowed,
  /// names defined twice or not at all, two producers of one tensor, cycles, paths that leave the dump, types of all fields,
  /// scales and zero points given as numbers, axis and group_size required, unknown activation, unknown profile.
  /// `check_profiles`: false when other profiles than the manifest's will be used.
  static Dump open(const std::filesystem::path& path, bool check_profiles = true);

  const std::string& name() const;             // as given on the command line, for messages and reports
  const Producer& producer() const;
  /// A layer of nothing but the producer and its facts: what every layer begins as, and what conditions on the producer alone are asked of.
  const Layer& producer_alone() const;
  const std::string& profile() const;          // may be empty
  const std::vector<LayerEntry>& layers() const;
  const std::map<std::string, TensorEntry>& tensors() const;
  const std::filesystem::path& directory() const;

  /// Loads one tensor: maps a plain little-endian C-order .npy (reads one of up to 4 MiB), else reads and converts (npz members stored or deflated,
  /// Fortran order, big endian, packed values, safetensors). Checks dtype, shape, qparams arrays, values in qmin..qmax,
  /// integer zero points in the dtype. Row-major in the stored order of axes. Throws Error.
  Tensor load(const std::string& tensor) const;

  /// Loads all tensors of a layer, read through their layouts when the operator is spatial (NC…; weights OI…, IO… when
  /// transposed), with producer (its isa replaced when `isa` is not empty), place and facts set. Does not run checks.
  Layer bind(const LayerEntry&, const std::string& isa = "") const;

  struct State;

 private:
  std::shared_ptr<const State> state_;
};

/// JSON Schema of manifest.json, as text.
const std::string& manifest_schema();

}  // namespace lastbit
