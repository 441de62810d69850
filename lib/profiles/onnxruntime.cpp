// onnxruntime: ONNX Runtime's CPU provider (MLAS), by instruction set.
//
// Products of uint8 inputs and int8 weights share 16-bit registers where the CPU lacks VNNI (`u8s8_pairs` of the producer says
// so); elsewhere every sum is exact.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile onnxruntime() {
  Profile p{
      .name = "onnxruntime",
      .title = "ONNX Runtime, CPU provider: QLinear operators, QGemm, integer operators",
      .sources = {"ONNX Runtime 1.31.1", "onnxruntime/core/mlas/lib/quantize.cpp: MlasRequantizeOutput"},
      .evidence = "measured: ONNX Runtime 1.31.1 on AVX-512 VNNI, AVX2 (emulated) and ARM (neoverse-n1, emulated), inputs aimed at ties",
      .for_producer = {"framework:onnxruntime"},
      .replaces = "",
      .replaces_when = {},
      .isas = {"avx512_vnni", "avx2", "neon_dotprod"},
      .cells = {}};
  cells::append(p.cells, cells::onnxruntime_accumulate());
  cells::append(p.cells, cells::onnxruntime_windows());
  cells::append(p.cells, cells::onnxruntime_elementwise());
  cells::append(p.cells, cells::onnxruntime_quantize());
  return p;
}

}  // namespace lastbit::profiles
