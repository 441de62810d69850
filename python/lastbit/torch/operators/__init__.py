"""operators: what a dispatched operator is called in a dump. One table, filled by the files of this folder.

A handler takes a Call (with its output) and gives the layers it becomes, or None if it has no name there.
"""

TABLE = {}


def operator(*names):
    """Registers a handler for operators of these names, `namespace::base`, of every overload."""
    def register(handler):
        for name in names:
            TABLE[name] = handler
        return handler
    return register


from lastbit.torch.operators import decomposed, dynamic, embedding, engine, moves, plain, rnn  # noqa: E402,F401
