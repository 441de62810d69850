// observed.cpp: see observed.hpp.
#include "golden/observed.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "golden/generate.hpp"
#include "golden/matrix.hpp"
#include "lib/dump/npy.hpp"
#include "lib/error.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/output.hpp"

namespace lastbit {
namespace {

namespace fs = std::filesystem;

/// The request that a command line spells.
VectorRequest request_of(const std::vector<std::string>& words, const std::string& place) {
  VectorRequest r;
  const auto wrong = [&](const std::string& what) { return Error(place, "found the command \"" + what + "\" of no `lastbit golden generate`, expected one"); };
  if (words.size() < 2 || words[0] != "golden" || words[1] != "generate") throw wrong(words.empty() ? "" : words[0]);
  const auto number = [&](const std::string& s) {
    std::uint64_t v = 0;
    const auto e = std::from_chars(s.data(), s.data() + s.size(), v);
    if (e.ec != std::errc() || e.ptr != s.data() + s.size()) throw wrong(s);
    return v;
  };
  for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
    const std::string &key = words[i], &value = words[i + 1];
    if (key == "--op") r.op = value;
    else if (key == "--profile") r.profile = value;
    else if (key == "--suite") r.suite = value;
    else if (key == "--like") r.like = value;
    else if (key == "--shape") r.shapes.push_back(value);
    else if (key == "--set") r.attributes.push_back(value);
    else if (key == "--dtype") r.dtypes.push_back(value);
    else if (key == "--producer") r.producer.push_back(value);
    else if (key == "--seed") r.seed = number(value);
    else if (key == "--count") r.count = static_cast<std::int64_t>(std::min<std::uint64_t>(number(value), std::uint64_t{1} << 40));
    else throw wrong(key);
  }
  return r;
}

SuiteRead again(const VectorRequest& request, const std::string& sum, const std::string& place) {
  Vectors v = generate(request, false);
  if (v.checksum != sum) throw Error(place, "found the checksum " + sum + ", expected " + v.checksum + ": this version of lastbit makes other vectors from the same command");
  return {place, std::move(v.cases), v.label, v.cases.empty() ? Producer{} : v.cases[0].producer, request};
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : line + " ") {
    if (c == ' ' || c == '\t' || c == '\r') {
      if (!word.empty()) words.push_back(word), word.clear();
    } else word += c;
  }
  return words;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  while (from < text.size()) {
    const auto to = std::min(text.find('\n', from), text.size());
    std::string line = text.substr(from, to - from);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
    from = to + 1;
  }
  return lines;
}

SuiteRead from_dump(const std::string& path, std::optional<VectorRequest> request) {
  const Dump dump = Dump::open(path);
  SuiteRead s{path, {}, "", dump.producer(), std::move(request)};
  for (const auto& entry : dump.layers()) {
    const ChosenProfile chosen = choose_profile(dump, entry, "");
    const Operator* op = find_operator(entry.op);
    if (const auto why = obstacle(entry, chosen, op); !why.empty()) throw Error(path + ": layer " + entry.name, "found a layer that cannot be checked (" + why + "), expected one that can");
    s.label = chosen.profile->name + (chosen.isa.empty() ? "" : "@" + chosen.isa);
    s.cases.push_back(bind_layer(dump, entry, chosen.isa));
  }
  return s;
}

}  // namespace

SuiteRead read_suite(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    std::optional<VectorRequest> request;
    std::string sum;
    if (fs::exists(path + "/golden.json", error)) {
      const std::string place = path + "/golden.json";
      try {
        const auto j = nlohmann::json::parse(read_file(place));
        request = request_of(j.at("command").get<std::vector<std::string>>(), place);
        sum = j.at("sha256").get<std::string>();
      } catch (const nlohmann::json::exception& e) {
        throw Error(place, std::string("found no description of a suite (") + e.what() + "), expected one that `lastbit golden generate` wrote");
      }
    }
    if (fs::exists(path + "/manifest.json", error)) {
      SuiteRead s = from_dump(path, request);
      return s;
    }
    if (!request) throw Error(path, "found neither manifest.json nor golden.json, expected a suite that `lastbit golden generate` wrote");
    return again(*request, sum, path);
  }
  // A file of text: its header says how it was made.
  const std::string text = read_file(path);
  std::string command, sum;
  for (const auto& line : lines_of(text.substr(0, 1 << 16))) {
    if (const auto at = line.find("made by: lastbit "); at != std::string::npos && command.empty()) command = line.substr(at + 17);
    if (const auto at = line.find("sha256: "); at != std::string::npos && sum.empty()) sum = line.substr(at + 8);
  }
  if (command.empty() || sum.empty()) throw Error(path, "found no header that says how it was made, expected a suite that `lastbit golden generate` wrote: a dump, a folder with golden.json, or a file with its header");
  return again(request_of(words_of(command), path), words_of(sum)[0], path);
}

namespace {

double float_of_bits(std::uint64_t bits, int width, const std::string& place) {
  if (width == 32) return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  if (width == 64) return std::bit_cast<double>(bits);
  throw Error(place, "found a float of " + std::to_string(width) + " bits, expected 32 or 64");
}

struct Reader {
  const DTypeInfo& type;
  std::string place;

  [[noreturn]] void wrong(const std::string& word) const { throw Error(place, "found \"" + word + "\", expected " + std::string(type.name)); }
  double checked(std::int64_t v, const std::string& word) const {
    if (v < type.min || v > type.max) throw Error(place, "found " + word + ", expected " + std::to_string(type.min) + " to " + std::to_string(type.max) + " (" + std::string(type.name) + ")");
    return static_cast<double>(v);
  }
  /// Two's complement in any number of digits: FE, FFFE and FFFFFFFE are all -2.
  double hex(std::string word) const {
    const std::string whole = word;
    bool negative = false;
    if (!word.empty() && word[0] == '-') negative = true, word.erase(0, 1);
    if (word.rfind("0x", 0) == 0 || word.rfind("0X", 0) == 0) word.erase(0, 2);
    std::uint64_t bits = 0;
    const auto r = std::from_chars(word.data(), word.data() + word.size(), bits, 16);
    if (word.empty() || word.size() > 16 || r.ec != std::errc() || r.ptr != word.data() + word.size()) wrong(whole);
    if (type.is_float) return float_of_bits(bits, type.bits, place);
    auto v = static_cast<std::int64_t>(bits);
    if (negative) v = -v;
    else if (type.min < 0 && v > type.max && word.size() < 16) {  // a sign in the word's own width, or the type's
      const int width = static_cast<int>(word.size()) * 4;
      const int used = (bits >> (width - 1) & 1) ? width : type.bits;
      if (used < 64 && (bits >> used) == 0) v -= std::int64_t{1} << used;
    }
    return checked(v, whole);
  }
  double decimal(const std::string& word) const {
    if (type.is_float) {
      if (word == "nan" || word == "NaN") return NAN;
      float v = 0;
      const char* begin = word.data() + (word[0] == '+');
      const auto r = std::from_chars(begin, word.data() + word.size(), v);
      if (r.ec != std::errc() || r.ptr != word.data() + word.size()) wrong(word);
      return static_cast<double>(v);
    }
    std::int64_t v = 0;
    const char* begin = word.data() + (word[0] == '+');
    const auto r = std::from_chars(begin, word.data() + word.size(), v);
    if (r.ec != std::errc() || r.ptr != word.data() + word.size()) wrong(word);
    return checked(v, word);
  }
};

std::vector<double> values_of_tensor(const Tensor& t) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < t.size(); ++i) v.push_back(t.value(i));
  return v;
}

std::vector<double> from_npy(const std::string& bytes, const DTypeInfo& type, const std::string& place) {
  auto kept = std::make_shared<std::string>(bytes);
  const auto array = parse_npy({reinterpret_cast<const std::byte*>(kept->data()), kept->size()}, place);
  const Tensor t = to_tensor(array, kept, "observed");
  if (is_float(t.dtype) != type.is_float) throw Error(place, "found " + std::string(name(t.dtype)) + ", expected " + std::string(type.name));
  const Reader reader{type, place};
  auto v = values_of_tensor(t);
  if (!type.is_float)
    for (std::int64_t i = 0; i < t.size(); ++i) reader.checked(t.integer(i), std::to_string(t.integer(i)));
  return v;
}

}  // namespace

Answers read_observed(const SuiteRead& suite, const std::string& path, const std::string& format) {
  Answers o;
  std::int64_t wanted = 0;
  for (const auto& layer : suite.cases) wanted += layer.out(main_output(layer)).size();
  if (suite.cases.empty()) return o;
  const Tensor& first = suite.cases[0].out(main_output(suite.cases[0]));
  const auto& type = info(first.dtype);
  const std::string place = path == "-" ? "stdin" : path;
  std::error_code error;
  if (path != "-" && fs::is_directory(path, error)) {
    o.form = "npy";
    for (const auto& layer : suite.cases) {
      const std::string port = main_output(layer);
      std::string file = path + "/" + layer.name + "." + port + ".npy";
      if (!fs::exists(file, error)) file = path + "/" + layer.name + ".npy";
      if (!fs::exists(file, error) && suite.cases.size() == 1) file = path + "/" + port + ".npy";
      const auto v = from_npy(read_file(file), type, file);
      if (static_cast<std::int64_t>(v.size()) != layer.out(port).size()) throw Error(file, "found " + std::to_string(v.size()) + " values, expected " + std::to_string(layer.out(port).size()));
      o.values.insert(o.values.end(), v.begin(), v.end());
    }
    return o;
  }
  const std::string bytes = read_file(path);
  if (bytes.empty()) throw Error(place, "found nothing, expected " + std::to_string(wanted) + " observed values");
  const Reader reader{type, place};
  const std::size_t width = static_cast<std::size_t>(stored_bytes(first.dtype));
  const bool npy = bytes.rfind("\x93NUMPY", 0) == 0;
  const bool text = std::all_of(bytes.begin(), bytes.end(), [](char c) { return (c >= 32 && c < 127) || c == '\n' || c == '\r' || c == '\t'; });
  const bool named = path.size() > 4 && (path.compare(path.size() - 4, 4, ".bin") == 0 || path.compare(path.size() - 4, 4, ".raw") == 0);
  if (format == "npy" || (format == "auto" && npy)) {
    o.form = "npy";
    o.values = from_npy(bytes, type, place);
  } else if (format == "bin" || (format == "auto" && (!text || named))) {
    o.form = "binary";
    if (bytes.size() != static_cast<std::size_t>(wanted) * width) throw Error(place, "found " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(static_cast<std::size_t>(wanted) * width) + ": " + std::to_string(wanted) + " values of " + std::string(type.name));
    std::vector<std::byte> copy(bytes.size());
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    o.values = values_of_tensor(Tensor::of("observed", first.dtype, {wanted}, {}, std::move(copy)));
  } else {
    const auto lines = lines_of(bytes);
    std::vector<std::vector<std::string>> rows;
    bool csv = format == "csv";
    std::size_t column = std::string::npos;
    for (std::size_t n = 0; n < lines.size(); ++n) {
      std::string line = lines[n].substr(0, std::min(lines[n].find('#'), lines[n].find("//")));
      const bool commas = line.find(',') != std::string::npos;
      if (rows.empty() && commas && format == "auto") csv = true;
      std::vector<std::string> words;
      if (csv) {
        std::string word;
        for (const char c : line + ",") {
          if (c == ',') words.push_back(word), word.clear();
          else if (c != ' ' && c != '"') word += c;
        }
        if (line.find_first_not_of(" \t") == std::string::npos) continue;
        if (rows.empty() && column == std::string::npos) {  // a line of names, or none
          for (const char* wanted_name : {"observed", "y", "output", "value", "expected"})
            for (std::size_t k = 0; k < words.size() && column == std::string::npos; ++k)
              if (words[k] == wanted_name) column = k;
          if (column != std::string::npos) continue;
          column = words.size() - 1;
          if (!words[column].empty() && std::isalpha(static_cast<unsigned char>(words[column][0])) && words[column] != "nan") continue;
        }
        if (column >= words.size()) throw Error(place + ": line " + std::to_string(n + 1), "found " + std::to_string(words.size()) + " columns, expected " + std::to_string(column + 1));
        rows.push_back({words[column]});
      } else {
        words = words_of(line);
        if (!words.empty()) rows.push_back({words.back()});
      }
    }
    // One word a line; a line with all of them is taken apart.
    if (!csv && rows.size() == 1 && wanted > 1) {
      rows.clear();
      for (const auto& line : lines)
        for (const auto& word : words_of(line)) rows.push_back({word});
    }
    // Decimal, where a sign or a type says so; hexadecimal is what boards and simulators print.
    bool hex = format == "hex" || (format == "auto" && !csv);
    if (format == "auto") {
      bool digits = false, letters = false, signs = false, point = false;
      std::size_t longest = 0, shortest_word = 99;
      for (const auto& r : rows) {
        const std::string& word = r[0];
        longest = std::max(longest, word.size()), shortest_word = std::min(shortest_word, word.size());
        for (const char c : word) {
          digits = digits || std::isdigit(static_cast<unsigned char>(c));
          letters = letters || (std::isxdigit(static_cast<unsigned char>(c)) && !std::isdigit(static_cast<unsigned char>(c))) || c == 'x' || c == 'X';
          signs = signs || c == '-', point = point || c == '.';
        }
      }
      // Numbers without a hexadecimal letter that are not all as wide as the type's digits are decimal.
      const bool padded = longest == shortest_word && longest >= 2 * width;
      hex = type.is_float ? !point && letters && !signs : letters || (!signs && padded);
    } else if (format == "dec" || format == "csv") hex = false;
    o.form = csv ? "csv" : hex ? "hexadecimal" : "decimal";
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const std::string& word = rows[k][0];
      const Reader at{type, place + ": value " + std::to_string(k + 1)};
      if (word.empty()) at.wrong(word);
      o.values.push_back(hex || word.rfind("0x", 0) == 0 ? at.hex(word) : at.decimal(word));
    }
  }
  if (static_cast<std::int64_t>(o.values.size()) != wanted) throw Error(place, "found " + std::to_string(o.values.size()) + " values (" + o.form + "), expected " + std::to_string(wanted) + ", one for each output of the suite");
  return o;
}

std::vector<Layer> with_observed(const SuiteRead& suite, const Answers& o) {
  std::vector<Layer> all = suite.cases;
  std::size_t at = 0;
  for (auto& layer : all) {
    Tensor& t = layer.outputs.at(main_output(layer));
    const std::string memory = t.memory_layout;
    const auto stored = t.stored_axes;
    const auto n = static_cast<std::size_t>(t.size());
    if (is_float(t.dtype)) {
      std::vector<float> v;
      for (std::size_t i = 0; i < n; ++i) v.push_back(static_cast<float>(o.values[at + i]));
      t = Tensor::of_floats(t.name, t.shape, v);
    } else {
      std::vector<std::int32_t> v;
      for (std::size_t i = 0; i < n; ++i) v.push_back(static_cast<std::int32_t>(o.values[at + i]));
      t = Tensor::of_integers(t.name, t.dtype, t.shape, t.q, v);
    }
    t.memory_layout = memory;
    t.stored_axes = stored;
    at += n;
  }
  return all;
}

bool is_suite(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return fs::exists(path + "/golden.json", error);
  std::ifstream file(path, std::ios::binary);
  std::string start(4096, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  return start.find("made by: lastbit golden generate") != std::string::npos;
}

}  // namespace lastbit
