// every_kind.hpp: one report that has every kind of result, for the approved output of every format. Its numbers are invented
// but agree with each other; its names try what each format must escape.
#pragma once
#include <cmath>
#include <limits>

#include "reports/report.hpp"

namespace lastbit::test {

inline LayerReport identical(const std::string& name, std::int64_t elements) {
  LayerReport l;
  l.dump = "dumps/model a";
  l.name = name;
  l.op = "conv2d";
  l.profile = "pytorch-fbgemm";
  l.verdict = Verdict::identical;
  l.elements = elements;
  l.events = {.tie = 3, .clamped = 17};
  l.accumulator = {-2198, 17524, 16, -1040400, 1040400, 21};
  l.exact = {0.5, -0.000034, 3, 0, {}};
  l.float_form = {2, 1, 1, 1};
  l.sqnr_db = 999;
  l.cosine = 1;
  l.command = "lastbit verify 'dumps/model a' --layer '" + name + "'";
  return l;
}

inline LayerReport explained() {
  LayerReport l = identical("features.0.conv", 512);
  l.verdict = Verdict::different;
  l.mismatches = 12;
  l.max_lsb = 1;
  l.mean_lsb = 0.0078125;
  l.histogram = {{-1, 4}, {1, 8}};
  l.causes = {{"round:half-away", 12, 12, "halves go away from zero, where the profile sends them to the even neighbour",
               "lastbit explain 'dumps/model a' features.0.conv --at 0,12,0,3", {"round:half-up"}, {{0, 12, 0, 3}}}};
  l.events = {.tie = 12, .clamped = 17};
  l.exact = {0.5, 0.0078125, 12, 0, std::vector<std::int64_t>(40, 12)};
  l.exact.histogram[10] = 44;
  l.error_map = ErrorMap{16, 32, 2, 4, {0, 4, 0, 1, 0, 0, 7, 0}};
  l.worst = {{"y", {0, 12, 0, 3}, "124", "125", 1, 585, "124.5", "t......", "sum 585\n* 0.0625 = 36.5625\n+ 88 = 124.5: a tie, to even 124"},
             {"y", {0, 3, 1, 7}, "126", "125", -1, 601, "125.5", "t......", ""}};
  l.first = {l.worst[1]};
  l.sqnr_db = 51.25;
  l.cosine = 0.999998;
  return l;
}

inline LayerReport unexplained() {
  LayerReport l = identical("features.1.<conv>|\"2\"", 1024);
  l.profile = "pytorch-fbgemm@avx2";
  l.verdict = Verdict::different;
  l.mismatches = 30;
  l.max_lsb = 1024;
  l.mean_lsb = -3.5;
  for (std::int64_t lsb = -1024; lsb <= 256; lsb += 64) l.histogram[lsb] = 1;
  l.histogram.erase(0);
  l.histogram[2] = 10;
  l.causes = {{"acc:pair-saturated-int16", 21, 30, "pairs of products saturate at 16 bits", "", {}, {}}};
  l.near_misses = {{"bias:rounded", 28, 30, "the bias is rounded to the accumulator's scale, but 2 elements that agreed break", "", {}, {}}};
  l.unexplained = 9;
  l.events = {.clamped = 1, .saturated = 2, .wrapped = 3, .pair_saturated = 21, .inexact_float = 4};
  l.exact = {1023.75, -3.25, 0, 31, {}};
  l.pairs = PairSummary{7, 3, 21};
  l.worst = {{"y", {0, 0, 0, 0}, "1151", "127", -1024, -1040400, "1150.99999", ".csw.i.", ""}};
  l.sqnr_db = 3.0103;
  l.cosine = 0.5;
  l.rules_out = {"pytorch-qnnpack"};
  l.cannot_rule_out = {"pytorch-onednn", "pytorch-x86"};
  l.notes = {"the dump names no instruction set"};
  l.timing = Timing{1.5, 0.25, 0.125, 12.75, "vnni"};
  return l;
}

inline LayerReport with_floats() {
  LayerReport l = identical("dequantize", 3);
  l.op = "dequantize";
  l.verdict = Verdict::different;
  l.mismatches = 3;
  l.max_lsb = 8388608;
  l.mean_lsb = std::numeric_limits<double>::infinity();
  l.histogram = {{-1, 1}, {1, 1}, {1024, 1}};
  l.unexplained = 3;
  l.worst = {{"y", {0}, "0.1", "nan", 8388608, {}, "", ".......", ""}, {"y", {1}, "-0", "1e-45", 1, {}, "", ".......", ""},
             {"y", {2}, "3.4028235e+38", "inf", 1, {}, "", ".......", ""}};
  l.sqnr_db = -std::numeric_limits<double>::infinity();
  l.cosine = std::numeric_limits<double>::quiet_NaN();
  return l;
}

inline LayerReport undefined() {
  LayerReport l = identical("pool", 64);
  l.verdict = Verdict::undefined_only;
  l.events = {.undefined = 5};
  return l;
}

inline LayerReport not_checked(const std::string& name) {
  LayerReport l;
  l.dump = "dumps/b";
  l.name = name;
  l.op = "embedding_bag";
  l.reason = "the operator \"embedding_bag\" is not known";
  l.command = "lastbit verify dumps/b --layer '" + name + "'";
  return l;
}

inline LayerReport inherited() {
  LayerReport l = identical("classifier", 10);
  l.dump = "dumps/b";
  l.chained = ChainedSummary{4, 2, 4};
  return l;
}

inline Report every_kind() {
  Report r;
  r.version = "0.1.0";
  r.command = {"verify", "dumps/model a", "dumps/b", "--chained"};
  r.dumps = {"dumps/model a", "dumps/b"};
  r.producers = {{{"framework", "pytorch"}, {"engine", "fbgemm"}, {"isa", "avx2"}}, {{"framework", "onnxruntime"}}};
  r.chained = true;
  r.layers = {identical("quantize", 768), explained(), unexplained(), with_floats(), undefined(), not_checked("lookup.0"), not_checked("lookup.1"), inherited()};
  for (std::size_t i = 0; i < r.layers.size(); ++i) {
    r.layers[i].position = static_cast<std::int64_t>(i < 5 ? i : i - 5);
    if (!r.layers[i].chained) r.layers[i].chained = ChainedSummary{r.layers[i].mismatches, r.layers[i].max_lsb, 0};
  }
  return r;
}

/// As every_kind, but long: for what a report of hundreds of layers looks like.
inline Report long_network(std::size_t layers) {
  Report r;
  r.version = "0.1.0";
  r.command = {"verify", "dumps/long"};
  r.dumps = {"dumps/long"};
  r.producers = {{{"framework", "pytorch"}}};
  for (std::size_t i = 0; i < layers; ++i) {
    LayerReport l = i % 97 == 40 ? explained() : identical("", 50176);
    l.dump = "dumps/long";
    l.name = "layer." + std::to_string(i) + ".conv";
    l.position = static_cast<std::int64_t>(i);
    r.layers.push_back(l);
  }
  return r;
}

}  // namespace lastbit::test
