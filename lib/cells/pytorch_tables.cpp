// pytorch_tables.cpp: quantized embeddings and recurrent layers of ATen.
//
//   aten/src/ATen/native/quantized/cpu/qembeddingbag.cpp, qembeddingbag_prepack.cpp
//   fbgemm/src/EmbeddingSpMDM.cc, EmbeddingSpMDMNBit.cc    generated kernels
//   fbgemm/src/QuantUtils.cc                               FloatOrHalfToFused8BitRowwiseQuantizedSBFloat, ...NBit...SBHalf
//   aten/src/ATen/native/RNN.cpp                           QuantizedCellParamsDynamic, LSTMCell, GRUCell
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> pytorch_tables() {
  return {
      {{"embedding"}, {}, "fused_rows", {}, {{"mean", "ignored"}}},
      {{"embedding"}, {"weight:uint4"}, "fused_rows", {}, {{"mean", "ignored"}, {"half", "yes"}}},
      {{"embedding"}, {"weight:uint2"}, "fused_rows", {}, {{"mean", "ignored"}, {"half", "yes"}}},
      {{"quantize_rowwise"}, {}, "min_range", {}, {}},
      {{"lstm_gates", "gru_gates"}, {}, "ranges", {}, {}},
  };
}

}  // namespace lastbit::cells
