// merge.cpp: a merge is a union over keys, so it is associative, commutative and idempotent. The command is kept only if all
// parts were made by the same one: otherwise nothing repeats the whole.
#include "reports/merge.hpp"

#include <map>
#include <tuple>

#include "lib/error.hpp"

namespace lastbit {
namespace {

// Everything that is in a layer, as text to compare.
std::string everything(const LayerReport& layer) {
  Report one;
  one.layers = {layer};
  return find_format("json").render(one, {});
}

}  // namespace

Report merged(const std::vector<Part>& parts) {
  using Key = std::tuple<std::string, std::int64_t, std::string>;  // dump, position, name
  struct Kept {
    const LayerReport* layer;
    const std::string* place;
  };
  std::map<Key, Kept> layers;
  std::map<std::string, std::map<std::string, std::string>> dumps;
  if (parts.empty()) throw Error("merge", "found no report, expected at least one");
  Report whole;
  whole.version = parts[0].report.version;
  whole.command = parts[0].report.command;
  whole.chained = parts[0].report.chained;
  for (const auto& [report, place] : parts) {
    if (report.version != whole.version)
      throw Error(place, "found version " + report.version + ", expected " + whole.version + " as in " + parts[0].place);
    if (report.gate) throw Error(place, "found a report of the gate, expected one of verify: a policy is judged over the whole");
    if (report.chained != whole.chained)
      throw Error(place, std::string("found a report made with") + (report.chained ? "" : "out") + " --chained, expected all the same");
    if (report.command != whole.command) whole.command.clear();
    for (std::size_t i = 0; i < report.dumps.size(); ++i) {
      const auto [it, added] = dumps.emplace(report.dumps[i], report.producers[i]);
      if (!added && it->second != report.producers[i])
        throw Error(place, "found another producer of " + report.dumps[i] + " than in a part before, expected the same dump");
    }
    for (const LayerReport& layer : report.layers) {
      const auto [it, added] = layers.emplace(Key{layer.dump, layer.position, layer.name}, Kept{&layer, &place});
      if (!added && everything(*it->second.layer) != everything(layer))
        throw Error(place, "found layer " + layer.name + " of " + layer.dump + " with another result than in " + *it->second.place +
                               ", expected the same");
    }
  }
  for (const auto& [dump, producer] : dumps) {
    whole.dumps.push_back(dump);
    whole.producers.push_back(producer);
  }
  for (const auto& [key, kept] : layers) whole.layers.push_back(*kept.layer);
  return whole;
}

}  // namespace lastbit
