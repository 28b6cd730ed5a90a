"""The world of a project: the one that its configuration names under `world`, written when it is first asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ...config import Config
from ...errors import ConfigError, DataError
from .parameters import world_config
from .write import STEP_VERSION, write_world


def project_world(config: Config, say: Callable[[str], None] = lambda text: None) -> Path:
    """The folder of the configured world, written if it does not exist or is empty.

    Two processes that ask at once both write; the first to end wins, and the bytes are the same. Raises ConfigError for
    an impossible world, or where the folder holds another one than the configuration says.
    """
    wanted = config.world
    if wanted is None:
        raise DataError(f"{config.name} has no simulated world; name its folder under `world`")
    folder = (config.folder / wanted.folder).resolve()
    parameters = world_config(wanted.parameters)
    described = folder / "truth" / "world.json"
    if not described.is_file():
        say(f"writing a simulated world of {wanted.customers:,} customers to {wanted.folder}")
        try:
            write_world(
                folder,
                customers=wanted.customers,
                seed=wanted.seed,
                parameters=parameters,
                threads=config.threads or 2,
                progress=lambda share, words: say(f"{words} ({share:.0%})"),
            )
        except ConfigError:
            if not described.is_file():  # another process may have written it meanwhile
                raise
    found = json.loads(described.read_text(encoding="utf-8"))
    asked = {
        "step_version": STEP_VERSION,
        "customers": wanted.customers,
        "seed": wanted.seed,
        "parameters": parameters.model_dump(mode="json"),
    }
    other = [name for name, value in asked.items() if found.get(name) != value]
    if other:
        raise ConfigError(
            f"{folder} holds another world than `world` of the configuration says ({', '.join(other)} differ); "
            "remove it, or name another folder"
        )
    return folder
