"""A config's own reason groups: features that it wants told as one reason, whatever family their blocks put them in."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import ConfigError
from ..language.declarations import FeatureColumn

Groups = Mapping[str, Sequence[str]]
NEAREST = 3


def in_groups(columns: Sequence[FeatureColumn], groups: Groups) -> tuple[FeatureColumn, ...]:
    """The columns, the family of each that a group lists being the group's name; the others stay as they are."""
    group_of = {feature: name for name, features in groups.items() for feature in features}
    return tuple(replace(column, family=group_of.get(column.name, column.family)) for column in columns)


def check_groups(columns: Sequence[FeatureColumn], groups: Groups, task: str) -> None:
    """Raise ConfigError with every fault of the groups of a task: features that there are not, names that mislead.

    `columns` are those of `in_groups`. A group must not have the name of a family of which it lists a part only: the
    rest would be summed into it unseen.
    """
    known = {column.name: column for column in columns}
    faults = []
    for name, features in groups.items():
        for feature in features:
            if feature not in known:
                near = ", ".join(difflib.get_close_matches(feature, known, NEAREST, cutoff=0.0))
                faults.append(f"'{name}' lists '{feature}', which is no feature of it; close to it: {near}")
        rest = [column.name for column in columns if column.family == name and column.name not in features]
        if rest:
            more = f" and {len(rest) - NEAREST} more" if len(rest) > NEAREST else ""
            faults.append(
                f"'{name}' is also what {', '.join(rest[:NEAREST])}{more} go by: list them too, or name it otherwise"
            )
    if faults:
        lines = "".join(f"\n  {fault}" for fault in faults)
        raise ConfigError(f"the groups of {task} have {len(faults)} fault(s); `rapport features` has all names{lines}")
