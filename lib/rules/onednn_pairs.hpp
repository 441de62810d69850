// onednn_pairs.hpp: which products share a 16-bit register when oneDNN 3.12 runs u8 x s8 without VNNI.
#pragma once
#include <string>

#include "lib/kernels/accumulate.hpp"
#include "lib/layer/operator.hpp"

namespace lastbit {

/// Segments of K for a linear or convolution layer; empty: the kernel that runs is exact. `kernels`: "avx512", "avx512 2.6"
/// (oneDNN 2.6.3: no brgemm without VNNI), "avx2" or "avx" (AVX and SSE4.1). Padding holds raw zeros in all of them. Measured on PyTorch 2.13.0
/// and 1.13.1 with ONEDNN_MAX_CPU_ISA, and on 2.13.0 with CPUID hidden: the variable leaves VBMI in sight, which a processor before Ice Lake
/// has not (the producer's "vbmi" is "absent").
std::vector<Segment> onednn_segments(const Layer&, const Geometry&, const std::string& kernels);

/// Whether a forward convolution falls to gemm_s8u8s32 on AVX-512, with VNNI or without: where brgconv gives up its copying forms, and groups keep
/// the generated kernels away. (3-d depthwise: without VNNI, or dilated.)
bool onednn_falls_to_gemm(const Layer&, const Geometry&);

}  // namespace lastbit
