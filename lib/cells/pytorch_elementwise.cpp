// pytorch_elementwise.cpp: ATen's elementwise kernels over quantized tensors, which every engine falls back to, and QNNPACK's.
//
// Built for AVX2 even on AVX-512 machines: a turn of the vector loop is 64 bytes. Vectors add the zero point after the
// rounding in every version; the scalar tail goes through quantize_val, where 2.13.0 alone adds it before. So body and tail of
// one kernel differ on ties with an odd zero point. On Arm all is tail, and the compiler fuses x * inv + zp. Without AVX2 vectors quantize as FBGEMM does a whole array:
// in 2.13.0 the zero point inside, fused.
//
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   qadd_kernel, qmul_kernel, qcat_nhwc_kernel, ...
//   aten/src/ATen/native/quantized/cpu/BinaryOps.cpp                    acl_qadd
//   aten/src/ATen/native/cpu/Loops.h                                    vectorized_loop
//   aten/src/ATen/cpu/vec/vec256/vec256_qint.h                          dequantize (fmadd), QuantizeAvx2
#include "lib/cells/cells.hpp"

namespace lastbit::cells {
namespace {

using With = std::map<std::string, std::string>;

/// One cell a version and instruction set: `vector` elements a turn where vectors are, none elsewhere.
void kernel(std::vector<Cell>& cells, const std::vector<std::string>& ops, const std::vector<std::string>& when, const std::string& rule, const std::string& vector, const std::string& inverse, const With& functions = {}) {
  struct Version {
    std::string condition, tail;
  };
  for (const auto& v : {Version{"", "outside"}, Version{"build:debian", "outside_int64"}, Version{"version==2.13.0", "inside"}})
    for (const std::string isa : {"", "no_avx2", "arm"}) {
      std::vector<std::string> conditions = when;
      if (!v.condition.empty()) conditions.push_back(v.condition);
      if (!isa.empty()) conditions.push_back(isa);
      With with{{"vector", isa.empty() ? vector : "0"}, {"dequantize", "fma"}, {"inverse", inverse}, {"tail", v.tail}};
      for (const auto& [key, value] : functions) with[key] = value;
      if (isa == "no_avx2" && v.tail == "inside" && (ops[0] == "add" || ops[0] == "cat" || ops[0] == "leaky_relu" || ops[0] == "hardswish" || ops[0] == "elu_like")) {
        with["vector"] = vector, with["dequantize"] = "plain", with["vector_rule"] = "inside_fused";
        if (functions.count("body")) with["body"] = with["function"];  // the C library's, a value at a time
      }
      cells.push_back({ops, conditions, rule, {}, std::move(with)});
    }
}

}  // namespace

std::vector<Cell> pytorch_elementwise() {
  const With bound{{"bound", "outside"}}, bound_int64{{"bound", "outside_int64"}}, bound_inside{{"bound", "inside"}};
  std::vector<Cell> cells{
      {{"mul"}, {}, "stages", {"float", "multiply f32(si) * f32(sw) * (1 / f32(so))", "round half_even int_min", "zero_point", "clamp"}, {}},
      {{"mul"}, {"version==2.13.0", "arm"}, "stages", {"float", "multiply f32(si) * f32(sw) * (1 / f32(so))", "round half_even saturate", "zero_point", "clamp"}, {}},
      // 1.13 gives int8 tensors to XNNPACK, whatever the engine, but where the output's zero point is 127: Mul.cpp xnnp_mul.
      {{"mul"}, {"x86", "version<2.0", "a:int8", "!y_zero_point:max"}, "stages", {"float", "multiply f32(si) * f32(sw) / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"}, {}},
      {{"cat"}, {}, "dequantize_quantize", {}, {{"rounding", "outside"}, {"equal", "convert"}}},
      {{"cat"}, {"build:debian"}, "dequantize_quantize", {}, {{"rounding", "outside_int64"}, {"equal", "convert"}}},
      {{"cat"}, {"version==2.13.0"}, "dequantize_quantize", {}, {{"rounding", "inside_fused"}, {"equal", "convert"}}},
      {{"softmax"}, {}, "float", {}, {{"rounding", "outside"}}},
      {{"softmax"}, {"build:debian"}, "float", {}, {{"rounding", "outside_int64"}}},
      {{"softmax"}, {"version==2.13.0"}, "float", {}, {{"rounding", "inside_fused"}}},
      {{"limits"}, {}, "clamp", {}, bound},
      {{"limits"}, {"build:debian"}, "clamp", {}, bound_int64},
      {{"limits"}, {"version==2.13.0"}, "clamp", {}, bound_inside},
  };
  kernel(cells, {"add"}, {}, "aten", "64", "f32");
  // On Arm Compute Library takes two tensors of one shape; QNNPACK's uint8 is asked for before it.
  cells.push_back({{"add"}, {"version==2.13.0", "arm", "alike", "!activation:relu"}, "acl", {}, {}});
  kernel(cells, {"cat"}, {"cat_nhwc"}, "aten_nhwc", "8", "f64");
  kernel(cells, {"leaky_relu"}, {}, "aten", "64", "f32");
  kernel(cells, {"hardsigmoid", "threshold", "prelu", "add_scalar"}, {}, "aten", "64", "f32");
  kernel(cells, {"hardswish"}, {}, "aten", "64", "f64");
  // sigmoid's body alone subtracts before it multiplies.
  kernel(cells, {"sigmoid"}, {}, "aten", "64", "f64", {{"dequantize", "plain"}, {"body", "sleef"}, {"function", "widened"}});
  // 1.13 dequantizes there as everywhere; without AVX2 its vectors are the C library's function in float32.
  cells.push_back({{"sigmoid"}, {"x86", "version<2.0"}, "aten", {}, {{"vector", "64"}, {"dequantize", "fma"}, {"inverse", "f64"}, {"tail", "outside_int64"}, {"body", "sleef"}, {"function", "widened"}}});
  cells.push_back({{"sigmoid"}, {"no_avx2", "version<2.0"}, "aten", {}, {{"vector", "64"}, {"dequantize", "plain"}, {"inverse", "f64"}, {"tail", "outside_int64"}, {"vector_rule", "outside_int64"}, {"body", "float32"}, {"function", "widened"}}});
  kernel(cells, {"tanh"}, {}, "aten", "64", "f32", {{"body", "sleef"}, {"function", "float64"}, {"slack", "2"}});
  kernel(cells, {"gelu"}, {}, "aten", "64", "f32", {{"body", "vector"}, {"function", "float64"}});
  // exp(x) - 1 became expm1 with 2.13.
  kernel(cells, {"elu_like"}, {}, "aten", "64", "f32", {{"body", "sleef_expm1"}, {"function", "expm1"}, {"slack", "2"}});
  kernel(cells, {"elu_like"}, {"version<2.13"}, "aten", "64", "f32", {{"body", "sleef_exp"}, {"function", "exp"}});
  cells.push_back({{"mul_scalar"}, {}, "rescale", {}, {}});
  return fused_on_arm(cells);
}

// QNNPACK's clamp of a channels-last tensor writes its bytes in memory order into a contiguous output (2.13.0: relu6, hardtanh and
// clamp return permuted values). That is a fault, not arithmetic: such a layer is reported as different.
std::vector<Cell> pytorch_qnnpack_elementwise() {
  return {
      {{"add"}, {"a:uint8", "!broadcast"}, "fixed22_away", {}, {}},
      {{"add"}, {"x86", "version<2.0", "a:int8"}, "fixed21_up", {}, {}},  // XNNPACK: BinaryOps.cpp xnnp_add
      {{"sigmoid"}, {"x:uint8", "y_256ths"}, "lut", {}, {{"function", "float32"}, {"rounding", "inside"}}},
      {{"softmax"}, {"x:uint8", "y_256ths", "last_dim"}, "qnnpack", {}, {}},
      {{"tanh"}, {"x:uint8"}, "lut", {}, {{"function", "float64"}, {"rounding", "inside"}}},
      {{"hardsigmoid", "hardswish"}, {"x:uint8"}, "lut", {}, {{"rounding", "inside"}}},
  };
}

}  // namespace lastbit::cells
