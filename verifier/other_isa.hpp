// other_isa.hpp: a producer on another instruction set than its own.
#pragma once
#include "lib/layer/layer.hpp"

namespace lastbit {

/// What it measured of its own instruction set (u8s8_pairs) no longer holds.
inline Producer on_isa(Producer producer, const std::string& isa) {
  if (isa == producer.at("isa")) return producer;
  producer.fields["isa"] = isa;
  producer.fields.erase("u8s8_pairs");
  return producer;
}

}  // namespace lastbit
