// pytorch_tables.cpp: quantized embeddings, gates of recurrent layers and weight-only layers of ATen.
//
//   aten/src/ATen/native/quantized/cpu/qembeddingbag.cpp, qembeddingbag_prepack.cpp
//   fbgemm/src/EmbeddingSpMDM.cc, EmbeddingSpMDMNBit.cc    generated kernels
//   fbgemm/src/QuantUtils.cc                               FloatOrHalfToFused8BitRowwiseQuantizedSBFloat, ...NBit...SBHalf
//   aten/src/ATen/native/RNN.cpp                           QuantizedCellParamsDynamic, LSTMCell, GRUCell
//   aten/src/ATen/native/cpu/int4mm_kernel.cpp, int8mm_kernel.cpp   weight only
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> pytorch_tables() {
  return {
      {{"embedding"}, {}, "fused_rows", {}, {{"mean", "ignored"}}},
      {{"embedding"}, {"weight:uint4"}, "fused_rows", {}, {{"mean", "ignored"}, {"half", "yes"}}},
      {{"embedding"}, {"weight:uint2"}, "fused_rows", {}, {{"mean", "ignored"}, {"half", "yes"}}},
      {{"quantize_rowwise"}, {}, "min_range", {}, {}},
      {{"linear_weight_only"}, {}, "float", {}, {}},
      {{"lstm_gates", "gru_gates"}, {}, "ranges", {}, {}},
  };
}

}  // namespace lastbit::cells
