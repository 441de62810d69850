// event_counts.hpp: what happened to elements, added up.
#pragma once
#include <cstdint>
#include <utility>

#include "lib/layer/operator.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// An element's events, `times` over.
inline void add_events(EventCounts& n, Events events, std::int64_t times = 1) {
  if (events == 0) return;
  for (const auto& [flag, count] : {std::pair{event::tie, &n.tie}, {event::clamped, &n.clamped}, {event::saturated, &n.saturated}, {event::wrapped, &n.wrapped},
                                    {event::pair_saturated, &n.pair_saturated}, {event::inexact_float, &n.inexact_float}})
    if (events & flag) *count += times;
}

}  // namespace lastbit
