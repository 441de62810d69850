// gate_run.hpp: dumps verified one by one for the gate and for its baseline.
#pragma once
#include "verifier/gate.hpp"
#include "verifier/verify.hpp"

namespace lastbit {

/// Verifies every dump of the options. Where the baseline has a record of a dump, it is judged by the arithmetic that made the record,
/// so that another engine version or instruction set shows as what it is: a difference, with its cause.
GateInput verify_for_gate(const VerifyOptions&, const Baseline*);

/// What a baseline says of verified dumps.
std::vector<DumpRecord> records(const GateInput&, const std::string& reason);

}  // namespace lastbit
