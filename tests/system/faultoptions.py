"""Options of a fault test's own: more rounds than `make check` has time for, and the seed of a run."""

import sys


def option(name, default):
    """The number behind `name` on the command line, which it is taken off; else `default`."""
    if name not in sys.argv:
        return default
    at = sys.argv.index(name)
    value = int(sys.argv[at + 1])
    del sys.argv[at : at + 2]
    return value
