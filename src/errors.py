"""Everything that can go wrong by a user's hand, as one plain message each.

The command line prints the message of a `RapportError` without a traceback and exits with code 1. A message says
what was wrong, where (table, column, rows), and what to do about it.
"""

from __future__ import annotations


class RapportError(Exception):
    """A fault that the user can mend; its text is shown as it is."""


class ConfigError(RapportError):
    """The configuration is wrong: an unknown key, a missing file, a value that cannot be."""


class DataError(RapportError):
    """The tables break the data contract."""


class ModelError(RapportError):
    """A saved model is damaged, or does not fit the data it is asked to score."""


class GateError(RapportError):
    """A check that guards training, publishing or promotion said no."""


class OutputError(RapportError):
    """Results cannot be written, or what was written before is damaged or somebody else's."""
