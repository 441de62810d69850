// dump.cpp: a dump opened, its tensors loaded, its layers bound. See dump.hpp.
#include "lib/dump/dump.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <list>

#include "lib/dump/files.hpp"
#include "lib/dump/layout.hpp"
#include "lib/dump/manifest.hpp"
#include "lib/dump/stored.hpp"
#include "lib/dump/values.hpp"
#include "lib/dump/words.hpp"
#include "lib/layer/operator.hpp"

namespace lastbit {
namespace {

constexpr std::size_t longest_manifest = std::size_t{1} << 26;  // a thousand bytes a tensor, for more tensors than any network has
constexpr std::size_t kept_bytes = std::size_t{1} << 24;

void check_profile(const std::string& profile, const std::string& place) {
  if (profile.empty()) return;
  try {
    find_profile(ProfileChoice::parse(profile).name);
  } catch (const Error&) {
    refuse(place + ": \"profile\"", in_quotes(profile), "a profile that lastbit has (lastbit list profiles)");
  }
}

/// Tensors that layers still to come bind: in a chain each is an output once and an input once. When too much is held, what was used longest
/// ago is let go.
class Kept {
 public:
  void expect(const std::vector<LayerEntry>& layers) {
    for (const auto& l : layers)
      for (const auto* ports : {&l.inputs, &l.outputs})
        for (const auto& [port, name] : *ports) ++uses_[name];
  }
  std::optional<Tensor> find(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto it = at_.find(name);
    if (it == at_.end()) return {};
    if (--uses_[name] <= 0) return let_go(it);
    order_.splice(order_.begin(), order_, it->second);
    return *it->second;
  }
  void keep(const Tensor& t) {
    const std::size_t bytes = size_of(t);
    const std::lock_guard lock(mutex_);
    const auto uses = uses_.find(t.name);
    if (uses == uses_.end() || --uses->second <= 0 || bytes > kept_bytes / 4 || at_.count(t.name)) return;
    order_.push_front(t);
    at_[t.name] = order_.begin();
    for (held_ += bytes; held_ > kept_bytes;) let_go(at_.find(order_.back().name));
  }

 private:
  using Places = std::map<std::string, std::list<Tensor>::iterator>;
  Tensor let_go(Places::iterator it) {
    held_ -= size_of(*it->second);
    Tensor t = std::move(*it->second);
    order_.erase(it->second);
    at_.erase(it);
    return t;
  }
  static std::size_t size_of(const Tensor& t) {
    return static_cast<std::size_t>(t.size() * stored_bytes(t.dtype)) + (t.q.scale.size() + t.q.zero_point.size()) * 8 + 4096;  // 4096: a mapping's page
  }
  std::mutex mutex_;
  std::map<std::string, std::int64_t> uses_;  // to come
  std::list<Tensor> order_;
  Places at_;
  std::size_t held_ = 0;
};

}  // namespace

struct Dump::State {
  std::string name, place;  // place: of the manifest
  std::filesystem::path directory;
  Manifest manifest;
  Layer producer_alone;
  std::unique_ptr<Files> files;
  mutable Kept kept;

  Tensor load(const std::string& tensor) const;
  void load_qparams(Tensor&, const TensorEntry&, const std::string& place) const;
};

Dump Dump::open(const std::filesystem::path& path, bool check_profiles) {
  auto state = std::make_shared<State>();
  const bool file = path.filename() == "manifest.json";
  state->name = path.string();
  state->directory = file ? (path.has_parent_path() ? path.parent_path() : std::filesystem::path(".")) : path;
  const auto manifest = state->directory / "manifest.json";
  state->place = one_line(manifest.string(), 4096);
  std::error_code error;
  if (!std::filesystem::exists(state->directory, error)) refuse(one_line(state->name), "no such directory", "a dump (a directory with manifest.json)");
  const Mapping text = map_file(manifest, state->place);
  if (text.bytes.size() > longest_manifest) refuse(state->place, std::to_string(text.bytes.size()) + " bytes", "a manifest of at most 64 MiB");
  state->manifest = parse_manifest({reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size()}, state->place);
  if (check_profiles) {
    check_profile(state->manifest.profile, state->place);
    for (const auto& l : state->manifest.layers) check_profile(l.profile, l.attributes.place);
  }
  state->producer_alone.producer = state->manifest.producer;
  state->producer_alone.facts = producer_facts(state->manifest.producer);
  state->kept.expect(state->manifest.layers);
  state->files = std::make_unique<Files>(state->directory, state->manifest.parent, state->place);
  Dump dump;
  dump.state_ = std::move(state);
  return dump;
}

const std::string& Dump::name() const { return state_->name; }
const Producer& Dump::producer() const { return state_->manifest.producer; }
const Layer& Dump::producer_alone() const { return state_->producer_alone; }
const std::string& Dump::profile() const { return state_->manifest.profile; }
const std::vector<LayerEntry>& Dump::layers() const { return state_->manifest.layers; }
const std::map<std::string, TensorEntry>& Dump::tensors() const { return state_->manifest.tensors; }
const std::filesystem::path& Dump::directory() const { return state_->directory; }

Tensor Dump::load(const std::string& tensor) const { return state_->load(tensor); }

Tensor Dump::State::load(const std::string& tensor) const {
  if (auto t = kept.find(tensor)) return *std::move(t);
  const auto it = manifest.tensors.find(tensor);
  if (it == manifest.tensors.end()) refuse(place, "the name " + in_quotes(tensor), "a tensor that \"tensors\" defines");
  const TensorEntry& e = it->second;
  const std::string tensor_place = place + ": tensor " + one_line(tensor), at = tensor_place + ": " + one_line(e.file);

  const DType stored = storage_of(e.dtype);
  Tensor t = files->read(e.file, at, [&](const NpyArray& a) {
    const bool bytes = !e.packed.empty() && (a.dtype == DType::uint8 || a.dtype == DType::int8);
    if (a.dtype != stored && !bytes) refuse(at, "an array of " + std::string(lastbit::name(a.dtype)), std::string(lastbit::name(stored)) + " for the manifest's " + std::string(lastbit::name(e.dtype)));
    if (e.packed.empty() && e.shape && *e.shape != a.shape) refuse(at, "the shape " + to_string(a.shape), "the manifest's " + to_string(*e.shape));
    if (!e.layout.empty() && (e.packed.empty() ? a.shape : *e.shape).size() != e.layout.size()) refuse(at, "the shape " + to_string(a.shape), "as many axes as the layout " + e.layout);
  });
  if (!e.packed.empty()) t = unpacked(t, e, at);
  t.name = tensor;
  t.dtype = e.dtype;
  t.memory_layout = e.memory_layout;
  if (t.memory_layout.empty() && e.layout.size() > 1 && e.layout.front() == 'N' && e.layout.back() == 'C') t.memory_layout = "NHWC";  // the file says it
  load_qparams(t, e, tensor_place);
  check_range(t, at);
  kept.keep(t);
  return t;
}

void Dump::State::load_qparams(Tensor& t, const TensorEntry& e, const std::string& place) const {
  const DTypeInfo& type = info(e.dtype);
  Quantization& q = t.q;
  q.qmin = e.qmin.value_or(type.min);
  q.qmax = e.qmax.value_or(type.max);
  if (e.axis && *e.axis >= t.rank()) refuse(place + ": \"axis\"", std::to_string(*e.axis), "an axis of the shape " + to_string(t.shape));

  Shape expected;  // of arrays of scales
  if (!e.scale_file.empty()) {
    const std::string at = place + ": scale: " + one_line(e.scale_file);
    q.axis = static_cast<int>(*e.axis);
    if (e.group_size) {
      if (t.rank() < 1) refuse(place + ": \"group_size\"", "a scalar", "an array with a last axis");
      q.group_size = *e.group_size;
      const std::int64_t last = t.dim(-1);
      expected = {last == 0 ? 0 : t.size() / last, last / q.group_size + (last % q.group_size != 0)};
    } else {
      expected = {t.dim(q.axis)};
    }
    const Tensor scale = files->read(e.scale_file, at, [&](const NpyArray& a) {
      if (a.dtype != DType::float32 && a.dtype != DType::float64) refuse(at, "an array of " + std::string(lastbit::name(a.dtype)), "float32 or float64");
      if (a.shape.size() == 2 && !e.group_size) refuse(at, "scales by channel and group without \"group_size\"", "group_size");
      if (a.shape != expected) refuse(at, "the shape " + to_string(a.shape), to_string(expected) + (e.group_size ? " (channel, group)" : " (one a channel)"));
    });
    q.scale = scale.f64();
    const bool negative_too = manifest.signed_scales.count(e.name) > 0, zero_too = negative_too || manifest.zero_scales.count(e.name) > 0;
    const auto bad = std::find_if_not(q.scale.begin(), q.scale.end(), [&](double v) { return is_scale(v) || (v == 0 && zero_too) || (negative_too && is_scale(-v)); });
    if (bad != q.scale.end()) refuse(at, "the scale " + std::to_string(*bad) + " at " + std::to_string(bad - q.scale.begin()), "positive finite numbers that float32 can hold");
  } else if (e.scale) {
    q.scale = {*e.scale};
  }

  if (!e.zero_point_file.empty()) {
    const std::string at = place + ": zero_point: " + one_line(e.zero_point_file);
    const Tensor zero = files->read(e.zero_point_file, at, [&](const NpyArray& a) {
      if (a.shape != expected) refuse(at, "the shape " + to_string(a.shape), to_string(expected) + ", as the scales");
    });
    q.float_zero_point = is_float(zero.dtype);
    q.zero_point = zero.f64();
    constexpr double exact = 0x1p53, largest = std::numeric_limits<double>::max();
    const double low = q.float_zero_point ? -largest : std::max(static_cast<double>(type.min), -exact), high = q.float_zero_point ? largest : std::min(static_cast<double>(type.max), exact);
    const auto bad = std::find_if_not(q.zero_point.begin(), q.zero_point.end(), [&](double z) { return z >= low && z <= high; });
    if (bad != q.zero_point.end()) {
      const auto i = bad - q.zero_point.begin();
      refuse(at, "the zero point " + (q.float_zero_point ? std::to_string(*bad) : std::to_string(zero.integer(i))) + " at " + std::to_string(i),
             q.float_zero_point ? "finite numbers" : "values of " + std::string(type.name));
    }
  } else if (e.zero_point) {
    q.zero_point = {*e.zero_point};
    q.float_zero_point = *e.zero_point != std::trunc(*e.zero_point);
  } else if (q.quantized()) {
    q.zero_point = {0};
  }
}

namespace {

/// PyTorch's float qparams belong to embeddings and weight-only products, and to what quantizes for them.
bool takes_fractions(const std::string& op) {
  for (const char* known : {"quantize", "dequantize", "quantize_rowwise", "embedding", "embedding_bag", "linear_weight_only"})
    if (op == known) return true;
  return false;
}

/// For all other operators a zero point written as a float is the integer it equals.
void need_integer_zero_points(Tensor& t, const std::string& op, const std::string& place) {
  const DTypeInfo& type = info(t.dtype);
  for (const double z : t.q.zero_point)
    if (z != std::trunc(z) || std::abs(z) > 0x1p53 || z < static_cast<double>(type.min) || z > static_cast<double>(type.max))
      refuse(place, "the float zero point " + std::to_string(z), "an integer of " + std::string(type.name) + " for the operator " + one_line(op));
  t.q.float_zero_point = false;
}

/// The tensor as the operator's order of axes has it, without its values.
Tensor turned(Tensor t, std::vector<int> order) {
  const Shape stored = t.shape;
  const int axis = t.q.axis;
  for (std::size_t i = 0; i < order.size(); ++i) {
    t.shape[i] = stored[static_cast<std::size_t>(order[i])];
    if (axis >= 0 && order[i] == axis) t.q.axis = static_cast<int>(i);
  }
  t.stored_axes = std::move(order);
  t.data = nullptr;
  return t;
}

/// `stored`: gets the bytes of a tensor that is left as it is. place(): in words.
template <class Place>
Tensor read_through(Tensor t, const TensorEntry& e, Role role, Place place, const std::byte** stored) {
  if (e.layout.empty()) return t;
  const std::string wanted = wanted_layout(role, e.layout);
  if (wanted.empty()) refuse(place(), "the layout " + in_quotes(e.layout), role == Role::activation ? "letters of NCHW" : "letters of OIHW");
  if (wanted == e.layout) return t;
  if (t.q.group_size > 0) refuse(place(), "groups of scales along the last axis of " + e.layout, "a tensor stored as " + wanted);
  if (!stored) return permuted(t, axis_order(e.layout, wanted));
  *stored = t.data;
  return turned(std::move(t), axis_order(e.layout, wanted));
}

/// `stored`: null, or where to leave what is not brought into order.
Layer bound(const Dump& dump, const std::string& place, const LayerEntry& entry, const std::string& isa, StoredLayer* stored) {
  Layer layer = dump.producer_alone();
  layer.name = entry.name;
  layer.op = entry.op;
  layer.place = place + ": layer " + one_line(entry.name);
  layer.attributes = entry.attributes;
  layer.attributes.place = layer.place;
  if (!isa.empty()) {  // what the producer said of its own instruction set no longer holds
    layer.producer.fields["isa"] = isa;
    layer.producer.fields.erase("u8s8_pairs");
    layer.facts = producer_facts(layer.producer);
  }

  const Operator* op = find_operator(entry.op);
  const bool spatial = op && op->spatial;
  const Role weight = entry.op.find("transpose") == std::string::npos ? Role::weight : Role::transposed_weight;
  const auto bind_all = [&](const std::map<std::string, std::string>& names, const char* side, std::map<std::string, Tensor>& tensors, std::map<std::string, const std::byte*>* left) {
    for (const auto& [port, name] : names) {
      Tensor t = dump.load(name);
      const auto at = [&, &port = port] { return layer.place + ": " + side + one_line(port); };
      if (op && t.q.float_zero_point && !takes_fractions(entry.op)) need_integer_zero_points(t, entry.op, at());
      const std::byte* bytes = nullptr;
      if (spatial) t = read_through(std::move(t), dump.tensors().at(name), port == "weight" ? weight : Role::activation, at, left ? &bytes : nullptr);
      if (bytes) left->emplace(port, bytes);
      tensors.emplace(port, std::move(t));
    }
  };
  bind_all(entry.inputs, "input ", layer.inputs, stored ? &stored->inputs : nullptr);
  bind_all(entry.outputs, "output ", layer.outputs, stored ? &stored->outputs : nullptr);
  add_facts(layer, layer.facts);
  if (op && op->facts) op->facts(layer, layer.facts);
  return layer;
}

}  // namespace

Layer Dump::bind(const LayerEntry& entry, const std::string& isa) const { return bound(*this, state_->place, entry, isa, nullptr); }

StoredLayer bind_as_stored(const Dump& dump, const LayerEntry& entry, const std::string& isa) {
  StoredLayer s;
  s.layer = bound(dump, one_line((dump.directory() / "manifest.json").string(), 4096), entry, isa, &s);
  return s;
}

bool channels_last(const Tensor& t) {
  const auto rank = static_cast<int>(t.stored_axes.size());
  for (int i = 0; i < rank; ++i)
    if (t.stored_axes[static_cast<std::size_t>(i)] != (i == 0 ? 0 : i == 1 ? rank - 1 : i - 1)) return false;
  return true;
}

Tensor in_order(const Tensor& t, const std::byte* stored) {
  Tensor file = t;
  for (std::size_t i = 0; i < t.shape.size(); ++i) {
    const auto at = static_cast<std::size_t>(t.stored_axes[i]);
    file.shape[at] = t.shape[i];
    if (t.q.axis == static_cast<int>(i)) file.q.axis = static_cast<int>(at);
  }
  file.stored_axes.clear();
  file.data = stored;
  return permuted(file, t.stored_axes);
}

void bring_into_order(StoredLayer& s) {
  for (auto [tensors, stored] : {std::pair(&s.layer.inputs, &s.inputs), std::pair(&s.layer.outputs, &s.outputs)}) {
    for (const auto& [port, bytes] : *stored) tensors->at(port) = in_order(tensors->at(port), bytes);
    stored->clear();
  }
}

}  // namespace lastbit
