"""Where a command gets its model from."""

from __future__ import annotations

from pathlib import Path

from ..config import Config
from ..errors import GateError
from ..models.bundle import Bundle, load_bundle


def model_of(config: Config, task: str, model: str | None) -> Bundle:
    """The bundle of an exported folder, or of the registry: a machine with a folder needs no registry."""
    if model is not None and Path(model).is_dir():
        return load_bundle(model, threads=config.threads)
    from ..registry.versions import load

    return load(config, task, model or "champion", threads=config.threads)


def remarks_on(config: Config, task: str, model: str | None, bundle: Bundle) -> list[str]:
    """What somebody who scores with a registered model should know of it; nothing is known of an exported folder.

    GateError where a reviewer has rejected it.
    """
    if (model is not None and Path(model).is_dir()) or bundle.version is None:
        return []
    from ..registry.versions import version_tags

    tags = version_tags(config, task, bundle.version)
    if tags.get("review") == "rejected":
        raise GateError(
            f"version {bundle.version} of {task} was rejected by {tags.get('review.by', 'a reviewer')} "
            f"({tags.get('review.note', 'no reason given')}); promote another version, or train a new one"
        )
    remarks = []
    if tags.get("grade") == "D":
        remarks.append(f"version {bundle.version} has the grade D: its gain over the rule is not sure; do not use it")
    if tags.get("review", "unreviewed") == "unreviewed":
        remarks.append(f"version {bundle.version} is not reviewed yet")
    return remarks
