"""A data scientist's own features, from Python files that the configuration names.

A file declares features as variables, a line or two each; what the language cannot say is a function of a few lines:

    tea = feature(Sum("amount", last=90, where=Column("line") == "TEA"), "spent on tea", unit="currency")

    @computed("transactions", definition="visits so far, on a logarithmic scale")
    def many_visits(visible, spine):
        return np.log1p(visible.values("transactions", Visits(), spine))

The variable's name is the feature's. A file is one block, named like the file. Features from files are declared, cut at
the cutoff and tested like all others (`battery("my_features.py")`); a model keeps the checksum of each file it was
trained with, and never the code.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..config import Config
from ..errors import ConfigError, ModelError, RapportError
from ..language.declarations import Block, Feature, Fitted, Group, Kind, Measure, Ratio, Visible
from .aligned import aligned
from .blocks import BLOCKS

Floats = npt.NDArray[np.float64]
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BY_DEFAULT = "{definition}: {{value}}; typically {{typical}}"


@dataclass(frozen=True)
class _Described:
    """What a reader is told of a feature."""

    definition: str
    unit: str
    words: str
    family: str
    kind: Kind = "number"

    def named(self, name: str, what: Measure | Ratio | None) -> Feature:
        """The feature of that name; a measure over several windows has the window in it."""
        several = isinstance(what, Measure) and len(what.last) > 1
        words = self.words or _BY_DEFAULT.format(definition=self.definition)
        family = self.family or name.replace("_", " ")
        definition = self.definition + (", in {period}" if several and "{period}" not in self.definition else "")
        name = f"{name}_{{window}}" if several else name
        return Feature(name, what, definition, self.unit, words, family, self.kind)


@dataclass(frozen=True)
class _Declared:
    what: Measure | Ratio
    table: str
    key: tuple[str, ...]
    about: _Described


@dataclass(frozen=True)
class _Computed:
    function: Callable[[Seen, pa.Table], npt.ArrayLike]
    needs: tuple[tuple[str, tuple[str, ...]], ...]
    key: tuple[str, ...]
    about: _Described


class Seen:
    """What a function sees: measures over events that were visible at the cutoff, and none after it."""

    def __init__(self, visible: Visible) -> None:
        self._visible = visible
        self.cutoff = visible.cutoff

    def measure(self, table: str, key: str | tuple[str, ...] = "customer_id", **measures: Measure) -> pa.Table:
        """One row for each key in sight, sorted, with a column for each measure of one window."""
        features = tuple(Feature(name, measure, definition="") for name, measure in measures.items())
        return self._visible.measure(Group(table, _key(key), features))

    def values(self, table: str, measure: Measure, spine: pa.Table, key: str = "customer_id") -> Floats:
        """One measure for the key of each row (n,); NaN for a key without an event."""
        return aligned(self.measure(table, key, value=measure), "value", spine, key)


def feature(
    what: Measure | Ratio,
    definition: str,
    *,
    table: str = "transactions",
    key: str | tuple[str, ...] = "customer_id",
    unit: str = "",
    words: str = "",
    family: str = "",
    kind: Kind = "number",
) -> Any:
    """A feature that the language can say: a measure over the events of a table, or a ratio of two other features.

    `words` is the sentence of its reason with `{value}` and `{typical}` in it; `family` joins features that say one
    thing. A measure that looks ahead is refused when the features are planned (ConfigError).
    """
    return _Declared(what, table, _key(key), _Described(definition, unit, words, family, kind))


def computed(
    *tables: str,
    definition: str,
    key: str | tuple[str, ...] = "customer_id",
    unit: str = "",
    words: str = "",
    family: str = "",
) -> Callable[[Callable[[Seen, pa.Table], npt.ArrayLike]], Any]:
    """A feature that a function computes: from what it may see and the rows (n,), as numbers (n,); NaN is missing.

    The rows have the task's keys and `cutoff`, for a task over plans also what was planned; never the target.
    `tables` are those it reads; where one is not there, the feature is left out.
    """
    needs = tuple((table, ()) for table in tables)
    about = _Described(definition, unit, words, family)
    return lambda function: _Computed(function, needs, _key(key), about)


def _key(key: str | tuple[str, ...]) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else key


# ------------------------------------------------------------------------------------------- files
def own_blocks(config: Config) -> tuple[Block, ...]:
    """The blocks of the files that the configuration names; ConfigError where one cannot be used."""
    blocks = tuple(block_of(config.folder / name) for name in config.features)
    names = [block.name for block in blocks]
    for name in {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"features: two files are called {name}.py; their blocks would have one name: rename one")
    return blocks


def block_of(file: Path) -> Block:
    """The block that a file declares. ConfigError for a file that is absent, cannot run, or declares nothing."""
    name = file.stem
    if not _NAME.fullmatch(name) or name in BLOCKS:
        taken = "is the name of a block of the package" if name in BLOCKS else "has other signs than a-z, 0-9 and _"
        raise ConfigError(f"features: {file.name} {taken}; rename the file")
    module = ModuleType(f"own_features_{name}")
    try:
        exec(compile(_read(file), str(file), "exec"), vars(module))
    except ConfigError:
        raise
    except Exception as error:  # whatever its author made of it
        raise _fault(file, error) from error
    block = _collect(file, vars(module))
    if not (block.groups or block.derived or block.fitted):
        raise ConfigError(
            f"features: {file.name} declares none; write `my_name = feature(...)`, see docs/own_features.md"
        )
    return block


def _fault(file: Path, error: Exception, of: str = "") -> ConfigError:
    """What went wrong in a file, with the last of its own lines on the way there."""
    steps = reversed(traceback.extract_tb(error.__traceback__))
    line = next((at.lineno for at in steps if at.filename == str(file)), None) or getattr(error, "lineno", None)
    where = f"{file.name}, line {line or '?'}{f', in {of}' if of else ''}"
    return ConfigError(f"features: {where}: {type(error).__name__}: {error}")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"features: {file.name} is not readable in the folder of the configuration ({file.parent}); "
            "put it there, or take it out of `features`"
        ) from error


def _collect(file: Path, variables: Mapping[str, Any]) -> Block:
    """All that a file declares; features over the same table and key are one group."""
    grouped: dict[tuple[str, tuple[str, ...]], list[Feature]] = {}
    derived, fitted = list[Feature](), list[Fitted]()
    for name, value in variables.items():
        match value:
            case _Declared(what=Ratio()):
                derived.append(value.about.named(name, value.what))
            case _Declared():
                grouped.setdefault((value.table, value.key), []).append(value.about.named(name, value.what))
            case _Computed():
                described = (value.about.named(name, None),)
                fitted.append(Fitted(value.key, described, value.needs, _checked(file, name, value)))
    groups = tuple(Group(table, key, tuple(features)) for (table, key), features in grouped.items())
    return Block(file.stem, groups, tuple(derived), tuple(fitted))


def _checked(file: Path, name: str, own: _Computed) -> Callable[[Visible, pa.Table], list[Floats]]:
    """The function, held to what it must give: a finite or missing number for each row."""

    def compute(visible: Visible, spine: pa.Table) -> list[Floats]:
        try:
            values = np.asarray(own.function(Seen(visible), spine), dtype=np.float64)
        except RapportError:
            raise
        except Exception as error:  # whatever its author made of it
            raise _fault(file, error, name) from error
        if values.shape != (spine.num_rows,):
            raise ConfigError(f"features: {name} gave numbers of shape {values.shape} for {spine.num_rows} rows")
        return [np.where(np.isfinite(values), values, np.nan)]

    compute.__module__ = f"own_features_{file.stem}"  # not of the package, whose code the cache of snapshots knows
    return compute


# ------------------------------------------------------------------------------------------- what a model keeps of them
def checksums(config: Config) -> dict[str, str]:
    """The sha256 of each file, by its name."""
    files = {name: _read(config.folder / name) for name in config.features}
    return {Path(name).name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}


def check_same(config: Config, trained: Mapping[str, str], task: str) -> None:
    """ModelError where a file with which a model was trained is not named here, or is another one."""
    if not trained:
        return
    here = checksums(config)
    for name, digest in trained.items():
        if name not in here:
            raise ModelError(
                f"{task}: the model was trained with own features of {name}, which this configuration does not name; "
                f"put the file beside it and `features: [{name}]` into it"
            )
        if here[name] != digest:
            raise ModelError(
                f"{task}: {name} is not the file with which the model was trained (sha256 {here[name][:12]}, then "
                f"{digest[:12]}); put the old one back, or train again"
            )
