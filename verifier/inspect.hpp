// inspect.hpp: what is in a dump, what of it can be checked and by which profile, and what is wrong with it.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lib/layer/layer.hpp"

namespace lastbit {

struct Inspection {
  struct Held {
    std::int64_t count = 0, bytes = 0;  // bytes of values, unpacked
  };
  struct LayerInfo {
    std::string name, op, profile;      // profile: NAME or NAME@isa; empty when nothing says which
    std::string reason;                 // why it cannot be checked; empty: it can
  };
  std::string dump;
  Producer producer;
  std::string profile;                  // as the manifest says
  std::map<std::string, Held> tensors;  // by dtype
  Held files;                           // on disk, the manifest included
  std::vector<LayerInfo> layers;
  std::vector<std::string> schema;      // where the manifest departs from its JSON Schema
  std::vector<std::string> complaints;  // what the reader and the operators refuse
  std::vector<std::string> notes;       // what is allowed and does nothing: attributes that an operator does not have

  bool usable() const { return schema.empty() && complaints.empty(); }
};

/// `profile` as for verify. Reads every tensor and binds every layer; a complaint does not end it, unless the manifest itself
/// cannot be used. Throws Error only when there is no JSON to speak of.
Inspection inspect(const std::string& dump, const std::string& profile);

}  // namespace lastbit
