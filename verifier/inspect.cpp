// inspect.cpp: see inspect.hpp.
#include "verifier/inspect.hpp"

#include <filesystem>
#include <optional>
#include <set>

#include "lib/dump/dump.hpp"
#include "lib/dump/files.hpp"
#include "lib/dump/json.hpp"
#include "lib/dump/json_schema.hpp"
#include "lib/dump/words.hpp"
#include "lib/error.hpp"
#include "lib/layer/declared.hpp"
#include "lib/layer/operator.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/verify.hpp"

namespace lastbit {
namespace {

namespace fs = std::filesystem;

struct Complaints {
  std::vector<std::string>& list;
  std::set<std::string> known;
  /// Runs f; a refusal is kept once. Returns whether there was none.
  template <class F>
  bool operator()(F f) {
    try {
      f();
      return true;
    } catch (const Error& e) {
      if (known.insert(e.what()).second) list.push_back(e.what());
      return false;
    }
  }
};

void look_at_manifest(const fs::path& manifest, Inspection& in) {
  const std::string place = one_line(manifest.string(), 4096);
  const Mapping text = map_file(manifest, place);
  in.schema = schema_complaints(parse_json({reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size()}, place), Json::parse(manifest_schema()));
  for (auto& complaint : in.schema) complaint = place + ": " + complaint;
}

void look_at_files(const Dump& dump, const fs::path& manifest, Inspection& in) {
  std::set<fs::path> files{manifest};
  for (const auto& [name, e] : dump.tensors())
    for (const auto& file : {e.file, e.scale_file, e.zero_point_file})
      if (!file.empty()) files.insert(dump.directory() / path_of(file));
  for (const auto& file : files) {
    std::error_code missing;
    const auto size = fs::file_size(file, missing);
    if (missing) continue;  // the tensor's own complaint
    ++in.files.count;
    in.files.bytes += static_cast<std::int64_t>(size);
  }
}

std::string why_not(const Dump& dump, const LayerEntry& entry, const ChosenProfile& chosen, Complaints& complaints) {
  const Operator* op = find_operator(entry.op);
  if (const std::string reason = obstacle(entry, chosen, op); !reason.empty()) return reason;
  std::string reason;
  const bool good = complaints([&] {
    if (!cell_for(*chosen.profile, *op, bind_layer(dump, entry, chosen.isa))) reason = "profile " + chosen.label + " does not hold it";
  });
  return good ? reason : "unusable";
}

}  // namespace

Inspection inspect(const std::string& path, const std::string& profile) {
  Inspection in;
  in.dump = path;
  const fs::path given(path), manifest = given.filename() == "manifest.json" ? given : given / "manifest.json";
  if (std::error_code error; !fs::exists(given, error)) Dump::open(given);  // says so
  look_at_manifest(manifest, in);

  Complaints complaints{in.complaints, {}};
  std::optional<Dump> dump;
  if (!complaints([&] { dump = Dump::open(given, profile.empty()); })) return in;
  in.producer = dump->producer();
  in.profile = dump->profile();
  look_at_files(*dump, manifest, in);
  for (const auto& [name, entry] : dump->tensors())
    complaints([&] {
      const Tensor t = dump->load(name);
      Inspection::Held& held = in.tensors[std::string(lastbit::name(t.dtype))];
      ++held.count;
      held.bytes += t.size() * stored_bytes(t.dtype);
    });
  for (const auto& entry : dump->layers()) {
    if (const Operator* op = find_operator(entry.op))
      for (const auto& unknown : undeclared_attributes(entry.attributes, *op))
        in.notes.push_back(entry.attributes.place + ": attribute \"" + one_line(unknown) + "\" is none of " + op->name + "'s: it changes nothing");
    const ChosenProfile chosen = choose_profile(*dump, entry, profile);
    in.layers.push_back({entry.name, entry.op, chosen.label, why_not(*dump, entry, chosen, complaints)});
  }
  return in;
}

}  // namespace lastbit
