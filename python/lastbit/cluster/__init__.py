"""lastbit.cluster: many dumps verified on many machines, by Ray.

    python -m lastbit.cluster verify 'dumps/**' --out result.json

A shard is a dump, or a range of layers of a large one; each is `lastbit verify` on one processor. The reports of the shards
merge, by the rule of `lastbit merge`, to the bytes that one process writes.
"""

from lastbit.cluster.verify import Outcome, verify

__all__ = ["Outcome", "verify"]
