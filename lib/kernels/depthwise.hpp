// depthwise.hpp: convolutions whose groups have one input channel.
#pragma once
#include <functional>

#include "lib/kernels/tiles.hpp"

namespace lastbit {

/// Whether all weights are int8 with their zero points off: zero points of 0 (uint8: 128).
bool weights_fit_bytes(const StoredOperands&);

/// Planes: stored and handed out channel by channel. Bytes need weights that fit them.
bool planes_take(const StreamRequest&, const OperandRange&, Kind);
void plane_sums(const StreamRequest&, Kind, const std::function<void(const SumBlock&)>&);

/// Bytes stored channels last, as their output is; two axes. Weights that fit bytes. For targets with Kind::bytes.
bool quads_take(const StreamRequest&, const OperandRange&);
void quad_sums(const StreamRequest&, const std::function<void(const SumBlock&)>&, StreamNotes&);

/// Channels side by side, one output channel each: any order of storage, forward and transposed.
bool channels_take(const StreamRequest&, const OperandRange&);
void channel_sums(const StreamRequest&, const std::function<void(const SumBlock&)>&, double& pack_seconds);

}  // namespace lastbit
