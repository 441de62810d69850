// info.cpp: `lastbit info` says what is in a dump, what can be checked and by which profile, and what is wrong with it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "lib/error.hpp"
#include "reports/words.hpp"
#include "verifier/command.hpp"
#include "verifier/inspect.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Inspection& in, const std::string& version) {
  Inspection::Held all;
  Json by_dtype = Json::object(), layers = Json::array();
  for (const auto& [dtype, held] : in.tensors) {
    by_dtype[dtype] = {{"count", held.count}, {"bytes", held.bytes}};
    all.count += held.count;
    all.bytes += held.bytes;
  }
  for (const auto& l : in.layers) layers.push_back({{"name", l.name}, {"op", l.op}, {"profile", l.profile}, {"checked", l.reason.empty()}, {"reason", l.reason}});
  return {{"tool", "lastbit"}, {"version", version}, {"dump", in.dump}, {"usable", in.usable()}, {"producer", in.producer.fields}, {"profile", in.profile},
          {"tensors", {{"count", all.count}, {"bytes", all.bytes}, {"by_dtype", by_dtype}}}, {"files", {{"count", in.files.count}, {"bytes", in.files.bytes}}},
          {"layers", layers}, {"schema_complaints", in.schema}, {"complaints", in.complaints}, {"notes", in.notes}};
}

/// 999 B, 1.0 KB, 12.3 MB: one decimal, cut, not rounded.
std::string size_of(std::int64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  std::size_t unit = 0;
  std::int64_t tenths = bytes / 100;
  for (; tenths >= 10000 && unit < 4; ++unit) tenths /= 1000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " " + "KMGTP"[unit] + "B";
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string out;
  for (const auto& row : rows) {
    out += " ";
    for (std::size_t i = 0; i < row.size(); ++i) out += " " + row[i] + (i + 1 < row.size() ? std::string(widths[i] - row[i].size() + 1, ' ') : "");
    out += "\n";
  }
  return out;
}

/// Layers of one operator that share a fate share a line, in the order they first appear.
std::string text_of_layers(const Inspection& in) {
  std::vector<std::pair<std::vector<std::string>, std::int64_t>> fates;
  for (const auto& l : in.layers) {
    const std::vector<std::string> fate{l.op, l.reason.empty() ? "by " + l.profile : "not checked: " + l.reason};
    const auto it = std::find_if(fates.begin(), fates.end(), [&](const auto& f) { return f.first == fate; });
    if (it != fates.end()) ++it->second;
    else fates.push_back({fate, 1});
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [fate, n] : fates) rows.push_back({fate[0], std::to_string(n), fate[1]});
  return aligned(rows);
}

Inspection printable(Inspection in) {
  in.dump = words::printable(in.dump);
  in.profile = words::printable(in.profile);
  Producer producer;
  for (const auto& [key, value] : in.producer.fields) producer.fields[words::printable(key)] = words::printable(value);
  in.producer = producer;
  for (auto& l : in.layers)
    for (auto* s : {&l.op, &l.profile, &l.reason}) *s = words::printable(*s);
  return in;
}

std::string to_text(const Inspection& in) {
  std::vector<std::string> producer;
  for (const auto& [key, value] : in.producer.fields) producer.push_back(key + " " + value);
  std::int64_t tensors = 0;
  std::vector<std::vector<std::string>> rows;
  for (const auto& [dtype, held] : in.tensors) {
    tensors += held.count;
    rows.push_back({dtype, std::to_string(held.count), size_of(held.bytes)});
  }
  const auto checked = std::count_if(in.layers.begin(), in.layers.end(), [](const auto& l) { return l.reason.empty(); });
  std::string out = in.dump + ": " + words::count(static_cast<std::int64_t>(in.layers.size()), "layer") + ", " + std::to_string(checked) + " can be checked; " +
                    words::count(tensors, "tensor") + " in " + words::count(in.files.count, "file") + ", " + size_of(in.files.bytes) + "\n";
  out += "producer: " + (producer.empty() ? "not named" : words::join(producer, ", ")) + "\n";
  out += "profile: " + (in.profile.empty() ? "not named" : in.profile) + "\n";
  out += "tensors\n" + aligned(rows) + "layers\n" + text_of_layers(in);
  return out;
}

std::string complaints_of(const Inspection& in) {
  std::string out;
  for (const auto& c : in.complaints) out += "  " + words::printable(c) + "\n";
  for (const auto& c : in.schema) out += "  schema: " + words::printable(c) + "\n";
  std::string notes;
  for (const auto& n : in.notes) notes += "  " + words::printable(n) + "\n";
  if (!notes.empty()) notes = "notes\n" + notes;
  return notes + (out.empty() ? "nothing to complain of: the manifest follows its schema, every tensor could be read, every layer could be bound\n" : "complaints\n" + out);
}

}  // namespace

Command info() {
  return {"info", "what is in a dump, what can be checked, what is wrong with it", [](CLI::App& app, const Invocation& invocation) -> std::function<int()> {
            struct Options {
              std::string dump, profile, format = "text";
            };
            const auto o = std::make_shared<Options>();
            app.add_option("dump", o->dump, "a directory with a manifest.json")->required();
            app.add_option("--profile", o->profile, "NAME, NAME@isa or FILE.json instead of what the dump says");
            app.add_option("--format", o->format, "text or json")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
            return [o, version = invocation.version] {
              const Inspection in = inspect(o->dump, o->profile);
              const bool opened = !in.layers.empty() || in.usable();
              write_stdout(o->format == "json" ? to_json(in, version).dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : (opened ? to_text(printable(in)) : "") + complaints_of(in));
              if (in.usable()) return 0;
              throw Error(o->dump, words::count(static_cast<std::int64_t>(in.complaints.size() + in.schema.size()), "complaint") + ", expected none; the first: " + (in.complaints.empty() ? in.schema : in.complaints)[0]);
            };
          }};
}

}  // namespace lastbit::commands
