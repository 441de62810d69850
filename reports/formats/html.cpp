// html.cpp: the report as one page that needs nothing else: no network (its own policy forbids it), the plot library inlined,
// the data embedded as JSON. See reports/html.
#include "reports/html/parts.hpp"
#include "reports/report.hpp"
#include "reports/words.hpp"

namespace lastbit::formats {
namespace {

// Inside a script element only "<" could end it.
std::string data(const Report& report) {
  std::string out;
  for (const char c : find_format("json").render(report, {})) out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

std::string render(const Report& given, const FormatOptions&) {
  const Report report = words::printable(given);
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n";
  out += html::element("title", "lastbit: " + std::string(name(report.verdict()))) + "\n<style>\n" + std::string(html::style) + "</style>\n</head>\n<body>\n";
  out += html::head(report) + html::strip(report) + html::table(report) + "<section id=\"details\">\n<h2>Layer by layer</h2>\n<p class=\"note js\">Layers without a difference appear when they are chosen above. "
         "<button type=\"button\" id=\"all\">Show all</button></p>\n";
  const LayerReport* first = report.first_divergence();
  for (std::size_t i = 0; i < report.layers.size(); ++i) out += html::layer(report.layers[i], i, first == &report.layers[i]);
  out += "</section>\n<script type=\"application/json\" id=\"report\">\n" + data(given) + "</script>\n";
  out += "<!--\n" + std::string(html::chart_licence) + "-->\n<script>\n" + std::string(html::chart) + "\n</script>\n<script>\n" + std::string(html::script) +
         "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace

Format html() { return {"html", "one offline page: plots, a sortable table, every worst element", render}; }

}  // namespace lastbit::formats
