"""A world by a description, written into a cache when it is first asked for.

A source location `world:customers=20000,seed=7#transactions` names a table of such a world. Further parameters are
given by their dotted names: `world:customers=5000,seed=1,switches.dirty_values=false#customers`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, OutputError
from .parameters import named_values, world_config
from .write import STEP_VERSION, write_world

_log = logging.getLogger(__name__)


def materialise(spec: str, cache: str | Path) -> Path:
    """The folder of the world that `spec` describes ("customers=20000,seed=7"), written into `cache` if need be.

    Two processes that ask at once both write; the first to end wins, and the bytes are the same. Raises ConfigError for
    an unknown parameter or an impossible world.
    """
    customers, seed, parameters = _parsed(spec)
    config = world_config(parameters)
    described = [STEP_VERSION, customers, seed, config.model_dump(mode="json")]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:10]
    folder = Path(cache) / f"world-{customers}-{seed}-{digest}"
    if not (folder / "truth" / "world.json").is_file():
        _log.info("writing a simulated world of %s customers (seed %s)", f"{customers:,}", seed)
        try:
            write_world(folder, customers=customers, seed=seed, parameters=config)
        except (ConfigError, OutputError):
            if not (folder / "truth" / "world.json").is_file():
                raise
    return folder


def table_file(location: str, cache: str | Path) -> Path:
    """The Parquet file of a location without its scheme: `customers=20000,seed=7#transactions`.

    Raises DataError where no table is named or the world has none of that name.
    """
    spec, _, table = location.partition("#")
    if not table:
        raise DataError(
            "a world's location names no table; write it behind a #, such as world:customers=20000#customers"
        )
    folder = materialise(spec, cache)
    known = sorted(file.stem for file in folder.glob("*.parquet"))
    if table not in known:
        raise DataError(f"the world has no table '{table}'; it has: {', '.join(known)}")
    return folder / f"{table}.parquet"


def _parsed(spec: str) -> tuple[int, int, dict[str, Any]]:
    parameters = named_values(filter(None, (part.strip() for part in spec.split(","))))
    numbers = {"customers": 20_000, "seed": 7}
    for name in numbers:
        value = parameters.pop(name, numbers[name])
        if not isinstance(value, int):
            raise ConfigError(f"world: {name} must be a whole number, not '{value}'")
        numbers[name] = value
    return numbers["customers"], numbers["seed"], parameters
