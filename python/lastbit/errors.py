"""errors.py: the one exception a user of this package has to know."""


class LastbitError(Exception):
    """Wrong use or wrong input. The message is one line: what was found, what was expected."""


class LastbitWarning(UserWarning):
    """A dump was made, and something in it is less than it could be."""
