// choose_qparams.hpp: how runtimes choose a scale and a zero point from the data, at run time.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "lib/layer/operator.hpp"

namespace lastbit {

struct ChosenQparams {
  double scale = 1;
  std::int64_t zero_point = 0;
  std::optional<double> inverse = {};  // what x is multiplied by, where a runtime computes that first and the scale from it
};

/// rule "pytorch": quant_utils::ChooseQuantizationParams over [qmin, qmax] (aten/src/ATen/native/quantized/cpu/QuantUtils.h);
/// "onnx": DynamicQuantizeLinear as ONNX Runtime computes it (core/util/qmath.h GetQuantizationParameter), uint8;
/// "int4mm": one row for _dyn_quant_matmul_4bit (aten/src/ATen/native/cpu/int4mm_kernel.cpp), int8.
/// Throws Error(place: ...) for an unknown rule or data that is not finite where the rule has no answer.
ChosenQparams choose_qparams(const std::string& rule, std::span<const float> x, std::int64_t qmin, std::int64_t qmax, const std::string& place);

}  // namespace lastbit
