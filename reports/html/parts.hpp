// parts.hpp: the pieces of the HTML page. All of it is readable without JavaScript; page.js adds plots, sorting and filtering.
#pragma once
#include <string>
#include <string_view>

#include "reports/report.hpp"

namespace lastbit::html {

/// For text and for attribute values.
std::string escaped(std::string_view);
/// <tag>escaped text</tag>
std::string element(const std::string& tag, std::string_view text);

/// Verdict, first divergence, what was verified.
std::string head(const Report&);
/// The network as cells, one a layer: isolated error above, chained error below.
std::string strip(const Report&);
/// One row a layer.
std::string table(const Report&);
/// Everything about the i-th layer, folded unless it is the first that differs.
std::string layer(const LayerReport&, std::size_t i, bool open);

// Embedded at build time (cmake/Embed.cmake).
extern const std::string_view style, script, chart, chart_licence;

}  // namespace lastbit::html
