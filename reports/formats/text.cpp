// text.cpp: the report for a terminal. Verdict first, then the first divergence, one line a layer, the worst elements,
// the command that repeats it. Nothing depends on colour; lines stay within the columns asked for where names allow it.
#include <algorithm>

#include "reports/report.hpp"
#include "reports/words.hpp"

namespace lastbit::formats {
namespace {

using words::count;

constexpr std::size_t few_layers = 24;       // up to here every layer has its own line
constexpr std::size_t detailed_layers = 3;   // differing layers shown with their elements
constexpr std::size_t worst_elements = 20;   // over all of them
constexpr std::size_t gate_findings = 20;
constexpr std::size_t bar_columns = 40;
constexpr std::size_t histogram_rows = 12;

std::string left(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string right(const std::string& text, std::size_t width) { return std::string(width > text.size() ? width - text.size() : 0, ' ') + text; }

// Names of layers differ in their middle less often than at their ends.
std::string shortened(const std::string& text, std::size_t width) {
  if (text.size() <= width || width < 5) return text.substr(0, width);
  const std::size_t head = (width - 2) / 2;
  return text.substr(0, head) + ".." + text.substr(text.size() - (width - 2 - head));
}

std::string wrapped(const std::string& text, const std::string& indent, std::size_t columns) {
  std::string out, line = indent;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t space = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, space - at);
    if (line.size() > indent.size() && line.size() + 1 + word.size() > columns) {
      out += line + "\n";
      line = indent + "  ";
    } else if (line.size() > indent.size()) {
      line += ' ';
    }
    line += word;
    at = space + 1;
  }
  return out + line + "\n";
}

struct Text {
  const Report& report;
  const FormatOptions& options;
  std::size_t columns;
  std::string out;

  std::string paint(Verdict verdict, const std::string& text) const {
    if (!options.color) return text;
    const char* code = verdict == Verdict::different ? "\x1b[31m" : verdict == Verdict::not_checked ? "\x1b[33m" : "\x1b[32m";
    return code + text + "\x1b[0m";
  }

  void line(const std::string& text) { out += wrapped(text, "", columns); }

  void gate() {
    if (!report.gate) return;
    const std::string sentence = wrapped(words::gate_sentence(report), "", columns);
    const std::size_t colon = sentence.find(':');
    out += paint(report.gate->passed() ? Verdict::identical : Verdict::different, sentence.substr(0, colon)) + sentence.substr(colon);
    const auto& findings = report.gate->findings;
    for (std::size_t i = 0; findings.size() > 1 && i < std::min(findings.size(), gate_findings); ++i) out += wrapped("- " + findings[i].sentence, "  ", columns);
    if (findings.size() > gate_findings) out += "  - " + count(static_cast<std::int64_t>(findings.size() - gate_findings), "more finding") + "\n";
    for (const std::string& note : report.gate->notes) out += wrapped("note: " + note, "  ", columns);
    out += "\n";
  }

  void head() {
    const std::string sentence = words::verdict_sentence(report);
    const std::size_t colon = sentence.find(':');
    std::string wrapped_line = wrapped(sentence, "", columns);
    out += paint(report.verdict(), wrapped_line.substr(0, colon)) + wrapped_line.substr(colon);
    if (const LayerReport* first = report.first_divergence()) {
      line("first divergence: " + words::divergence_sentence(*first));
      if (!first->causes.empty()) line("cause: " + first->causes.front().name + ", " + first->causes.front().sentence);
    }
  }

  // Widths of the table's columns, from what stands in them. The last column, verdict and cause, takes what is left.
  struct Widths {
    std::size_t name, op, elements, mismatches, chained, lsb;
  };

  Widths widths() const {
    Widths w{5, 2, 8, 6, report.chained ? std::size_t{7} : 0, 7};
    std::size_t last = 7;
    for (const LayerReport& layer : report.layers) {
      w.name = std::max(w.name, layer.name.size());
      w.op = std::max(w.op, layer.op.size());
      w.elements = std::max(w.elements, std::to_string(layer.elements).size());
      w.mismatches = std::max(w.mismatches, std::to_string(layer.mismatches).size());
      last = std::max(last, name(layer.verdict).size());
    }
    if (report.first_divergence()) last = std::max<std::size_t>(last, 26);
    w.op = std::min<std::size_t>(w.op, report.first_divergence() ? 10 : 16);
    const std::size_t others = w.elements + w.mismatches + w.lsb + last + 4 + (w.chained ? w.chained + 1 : 0), room = columns > others ? columns - others : 0;
    if (report.layers.size() > few_layers) w.name = std::max<std::size_t>(w.name, 12);  // "(999 layers)"
    if (w.name + w.op + 1 > room) w.op = 0;  // rather the name whole than the operator beside it
    w.name = std::min(w.name, std::max<std::size_t>(12, w.op ? room - w.op - 1 : room));
    return w;
  }

  std::string row(const Widths& w, const std::string& name, const std::string& op, const std::string& elements, const std::string& mismatches,
                  const std::string& chained, const std::string& lsb) const {
    return left(shortened(name, w.name), w.name) + " " + (w.op ? left(shortened(op, w.op), w.op) + " " : "") + right(elements, w.elements) + " " +
           right(mismatches, w.mismatches) + " " + (w.chained ? right(chained, w.chained) + " " : "") + right(lsb, w.lsb) + " ";
  }

  void layer_row(const Widths& w, const LayerReport& layer) {
    const std::string start = row(w, layer.name, layer.op, std::to_string(layer.elements), std::to_string(layer.mismatches),
                                  layer.chained ? std::to_string(layer.chained->mismatches) : "", std::to_string(words::largest_error(layer)));
    const std::string verdict(name(layer.verdict));
    const std::size_t used = start.size() + verdict.size() + 1;
    std::string cause = words::leading_cause(layer);
    const std::size_t room = columns > used ? columns - used : 0;
    if (cause.size() > room) cause = room < 5 ? "" : cause.substr(0, room - 2) + "..";
    out += start + paint(layer.verdict, verdict) + (cause.empty() ? "" : " " + cause) + "\n";
  }

  // Layers with the same uneventful verdict, one after the other, become one line when there are many layers.
  void table() {
    const Widths w = widths();
    out += "\n" + row(w, "layer", "op", "elements", "differ", "chained", "max LSB") + (report.first_divergence() ? "verdict, cause" : "verdict");
    out += "\n" + std::string(columns, '-') + "\n";
    const auto& layers = report.layers;
    for (std::size_t i = 0; i < layers.size();) {
      if (report.dumps.size() > 1 && (i == 0 || layers[i].dump != layers[i - 1].dump)) out += wrapped(layers[i].dump + ":", "", columns);
      std::size_t end = i + 1;
      std::int64_t elements = layers[i].elements;
      while (!differs(layers[i]) && end < layers.size() && !differs(layers[end]) && layers[end].verdict == layers[i].verdict &&
             layers[end].dump == layers[i].dump)
        elements += layers[end++].elements;
      if (layers.size() > few_layers && end - i > 3) {
        out += row(w, "(" + count(static_cast<std::int64_t>(end - i), "layer") + ")", "", std::to_string(elements), "0", w.chained ? "0" : "", "0") +
               paint(layers[i].verdict, std::string(name(layers[i].verdict))) + "\n";
        i = end;
      } else {
        layer_row(w, layers[i++]);
      }
    }
  }

  // One row an error while there are few, else equal ranges of them.
  void histogram(const LayerReport& layer) {
    if (layer.histogram.empty()) return;
    struct Row {
      std::string label;
      std::int64_t n;
    };
    std::vector<Row> rows;
    if (layer.histogram.size() <= histogram_rows) {
      for (const auto& [lsb, n] : layer.histogram) rows.push_back({words::with_sign(lsb), n});
    } else {
      const std::int64_t low = layer.histogram.begin()->first, high = layer.histogram.rbegin()->first;
      const std::int64_t step = (high - low) / static_cast<std::int64_t>(histogram_rows) + 1;
      for (std::int64_t from = low; from <= high; from += step) rows.push_back({words::with_sign(from) + ".." + words::with_sign(from + step - 1), 0});
      for (const auto& [lsb, n] : layer.histogram) rows[static_cast<std::size_t>((lsb - low) / step)].n += n;
    }
    std::int64_t most = 0;
    std::size_t width = 6;
    for (const Row& r : rows) most = std::max(most, r.n), width = std::max(width, r.label.size());
    out += "  error in LSB\n";
    for (const Row& r : rows) {
      const auto length = static_cast<std::size_t>(static_cast<double>(r.n) / static_cast<double>(most) * bar_columns);
      out += "  " + right(r.label, width) + "  " + left(std::string(r.n ? std::max<std::size_t>(1, length) : 0, '#'), bar_columns) + " " +
             std::to_string(r.n) + "\n";
    }
  }

  void elements(const LayerReport& layer, std::size_t budget) {
    const std::size_t shown = std::min(budget, layer.worst.size());
    if (shown == 0) return;
    std::size_t index = 5, expected = 8, observed = 8, acc = 3, exact = 5;
    for (std::size_t i = 0; i < shown; ++i) {
      const WorstElement& e = layer.worst[i];
      index = std::max(index, words::index(e.index).size() + (e.output == "y" || e.output.empty() ? 0 : e.output.size() + 1));
      expected = std::max(expected, e.expected.size());
      observed = std::max(observed, e.observed.size());
      acc = std::max(acc, e.acc ? std::to_string(*e.acc).size() : 0);
      exact = std::max(exact, e.exact.size());
    }
    const auto put = [&](const std::string& i, const std::string& e, const std::string& o, const std::string& l, const std::string& a,
                         const std::string& x, const std::string& flags) {
      std::string text = "  " + left(i, index) + " " + right(e, expected) + " " + right(o, observed) + " " + right(l, 6) + " " + right(a, acc) +
                         " " + right(x, exact) + "  " + flags;
      while (text.back() == ' ') text.pop_back();
      out += text + "\n";
    };
    put("index", "expected", "observed", "LSB", "acc", "exact", "events");
    for (std::size_t i = 0; i < shown; ++i) {
      const WorstElement& e = layer.worst[i];
      const std::string port = e.output == "y" || e.output.empty() ? "" : e.output + ":";
      put(port + words::index(e.index), e.expected, e.observed, words::with_sign(e.lsb), e.acc ? std::to_string(*e.acc) : "-",
          e.exact.empty() ? "-" : e.exact, e.events);
    }
  }

  void detail(const LayerReport& layer, std::size_t budget) {
    out += "\n";
    line(words::divergence_sentence(layer) + (layer.mismatches ? ", mean " + words::shortest(layer.mean_lsb) : ""));
    if (layer.chained)
      out += wrapped("chained: " + count(layer.chained->mismatches, "mismatch", "mismatches") + ", of them inherited " +
                     std::to_string(layer.chained->inherited), "  ", columns);
    histogram(layer);
    for (const CauseFound& cause : layer.causes)
      out += wrapped(cause.name + " explains " + std::to_string(cause.explains) + " of " + std::to_string(cause.of) + ": " + cause.sentence +
                     (cause.group.empty() ? "" : " (this layer cannot tell it from " + words::join(cause.group, ", ") + ")"), "  ", columns);
    if (layer.unexplained) out += wrapped(words::unexplained_sentence(layer), "  ", columns);
    for (std::size_t i = 0; layer.unexplained && i < std::min<std::size_t>(3, layer.near_misses.size()); ++i) {
      const CauseFound& near = layer.near_misses[i];
      out += wrapped("near miss: " + near.name + " gives " + std::to_string(near.explains) + " of " + std::to_string(near.of) + ": " + near.sentence, "  ", columns);
    }
    for (const std::string& note : layer.notes) out += wrapped(note, "  ", columns);
    elements(layer, budget);
    if (!layer.command.empty()) out += "  repeat: " + layer.command + "\n";  // never broken: it is meant to be copied
  }

  void details() {
    std::vector<const LayerReport*> differing;
    for (const LayerReport& layer : report.layers)
      if (differs(layer)) differing.push_back(&layer);
    const std::size_t shown = std::min(detailed_layers, differing.size());
    for (std::size_t i = 0; i < shown; ++i) detail(*differing[i], worst_elements / shown);
    if (differing.size() > shown)
      out += "\n" + count(static_cast<std::int64_t>(differing.size() - shown), "more differing layer") + ": --layer NAME shows one.\n";
  }

  // Many layers are often not checked for one reason: one line a reason.
  void warnings() {
    std::vector<std::pair<std::string, std::vector<const LayerReport*>>> reasons;
    for (const LayerReport& layer : report.layers) {
      if (layer.verdict != Verdict::not_checked) continue;
      const auto same = std::find_if(reasons.begin(), reasons.end(), [&](const auto& r) { return r.first == layer.reason; });
      if (same == reasons.end()) reasons.push_back({layer.reason, {&layer}});
      else same->second.push_back(&layer);
    }
    if (!reasons.empty()) out += "\n";
    for (const auto& [reason, layers] : reasons)
      line("warning: " + layers.front()->name + " (" + layers.front()->op + ")" +
           (layers.size() > 1 ? " and " + count(static_cast<std::int64_t>(layers.size() - 1), "other layer") + " were" : " was") + " not checked: " + reason);
  }

  std::string render() {
    gate();
    head();
    if (!report.layers.empty()) table();
    details();
    warnings();
    if (report.verdict() == Verdict::different && !report.command.empty()) out += "\nrepeat: lastbit " + words::shell(report.command) + "\n";
    return out;
  }
};

std::string render(const Report& report, const FormatOptions& options) {
  const Report clean = words::printable(report);
  return Text{clean, options, static_cast<std::size_t>(std::max(60, options.columns)), ""}.render();
}

}  // namespace

Format text() { return {"text", "for people at a terminal", render}; }

}  // namespace lastbit::formats
