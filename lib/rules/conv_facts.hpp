// conv_facts.hpp: what the convolution operators share beside their arithmetic: ports, attributes, facts, run.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

std::vector<Port> conv_inputs(int dims, bool transposed);
std::vector<AttributeSpec> conv_attributes(bool transposed);
/// Throws Error unless the observed output has this shape ("y" or "accumulator").
void expect_conv_output(const Layer&, const Shape&);

/// "fbgemm_depthwise": the condition of FBGEMM's depthwise kernel (FbgemmConv.cc takeDepthWiseFastPath); "fbgemm_direct":
/// of its direct transposed convolution; "output_padding"; "onednn_reference": groups that oneDNN's generated kernels do not
/// take below AVX-512; "onednn_gemm": what falls to its matrix product on AVX-512 (onednn_pairs.hpp); "onednn_depthwise": undilated depthwise, which
/// with VNNI has a kernel of its own; "onednn_col2im": transposed convolutions that oneDNN gives to its matrix product and
/// col2im on AVX-512, "onednn_2_col2im": oneDNN 2.6; "onednn_col2im_avx2", "onednn_col2im_sse41": on AVX2, and below it; "one_channel" (one input channel a
/// group); "one_by_one" (one output channel too); "taps_to_25": up to XNNPACK's largest depthwise kernel; "mlas_depthwise",
/// "mlas_nine_taps", "mlas_indirect": what MLAS's symmetric kernels take on ARM (convsym.cpp MlasConvSymPackWSize), the depthwise
/// one, its form for nine taps, the indirect one without dot products; "tflite_depthwise": what DEPTHWISE_CONV_2D computes;
/// "depthwise_27": depthwise, 3 x 3 x 3; "gemv"; "pointwise": one tap, without stride or padding.
void conv_facts(const Layer&, const Geometry&, int dims, std::set<std::string>&);

/// A matrix times one vector, as TFLite's own kernel takes it (cpu_backend_gemm_custom_gemv.h): one output position, at least 4
/// channels and 8 terms.
bool is_gemv(const Geometry&);

/// Rows of a linear layer, more than 28 or filling most of a last eight: arm_gemm takes another kernel for them on Cortex-A53 (gemm_int8.cpp,
/// a64_gemm_s16_8x12).
bool rows_in_eights(const Geometry&);

/// read_operands and run_accumulation, or the float operator between q/dq pairs when the rule is "float".
Result run_convolution(const Layer&, const Cell&, const Geometry&, const Shape& out_shape);
/// Its real values, in either case.
Real real_convolution(const Layer&, const Result&, const Geometry&);

}  // namespace lastbit
