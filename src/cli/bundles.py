"""Where a command gets its model from."""

from __future__ import annotations

from pathlib import Path

from ..config import Config
from ..models.bundle import Bundle, load_bundle


def model_of(config: Config, task: str, model: str | None) -> Bundle:
    """The bundle of an exported folder, or of the registry: a machine with a folder needs no registry."""
    if model is not None and Path(model).is_dir():
        return load_bundle(model, threads=config.threads)
    from ..registry.versions import load

    return load(config, task, model or "champion", threads=config.threads)
