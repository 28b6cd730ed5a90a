"""Registered models `rapport.<config>.<task>`: versions, the aliases champion and challenger, folders to carry away.

The first version of a task becomes the champion, marked unreviewed; every later one the challenger. Only a promotion
moves the alias champion from one version to another.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from ..config import Config
from ..errors import ModelError
from ..models.base import read_json
from ..models.bundle import INNER, Bundle, load_bundle
from ..models.manifest import MANIFEST, write_manifest
from .lookup import Resolved, ensure_registered, find_version, localise, log_model, registered
from .store import connect, is_empty
from .tracking import Run

Alias = Literal["champion", "challenger"]

_META_OF_MLFLOW = "registered_model_meta"  # MLflow writes it into a model folder that it loads by name
_NAMED = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
_OF_RUN = re.compile(r"runs:/(?P<run>[0-9a-f]{32})(?:/.*)?")


def model_name(config: Config, task: str) -> str:
    """Name of the registered model of a task."""
    return f"rapport.{config.name}.{task}"


def register(config: Config, task: str, run: Run, folder: Path, *, tags: Mapping[str, str] | None = None) -> Resolved:
    """Log a saved bundle as the model of the run and register it as a new version.

    The version becomes the champion where the task has none (tagged `review` = `unreviewed`), else the challenger.
    ModelError where the bundle is damaged or was saved for another run.
    """
    bundle = load_bundle(folder)
    if bundle.run_id != run.id:
        raise ModelError(f"the bundle in {folder} says run {bundle.run_id}, not {run.id}; save it within the run")
    name = model_name(config, task)
    client = run.client
    source, model_id = log_model(run, folder)
    ensure_registered(client, name)
    created = client.create_model_version(
        name, source, run.id, tags={"review": "unreviewed", **(tags or {})}, model_id=model_id
    )
    version = str(created.version)
    set_alias(config, task, "challenger" if "champion" in aliases(config, task) else "champion", version)
    return localise(config, client, client.get_model_version(name, version))


def resolve(config: Config, task: str, which: str | Path = "champion") -> Resolved:
    """Find a model and make it a folder on this machine; nothing is verified yet (`load_bundle` does).

    `which` is an alias, a version number, `models:/name@alias`, `models:/name/3`, `runs:/<run>/bundle`, or a
    folder. ModelError where there is none.
    """
    text = str(which)
    if _is_folder(which):
        folder = Path(which)
        bundle = load_bundle(folder)
        return Resolved(folder, bundle.name, bundle.version, bundle.run_id)
    name = model_name(config, task)
    if is_empty(config):
        raise ModelError(f"no model is registered yet below {config.home}; run `rapport run` or `rapport train` first")
    client = connect(config)
    if run := _OF_RUN.fullmatch(text):
        found = client.search_model_versions(f"run_id = '{run['run']}'")
        if not found:
            raise ModelError(f"no registered model comes from run {run['run']}; see `mlflow ui` for the runs")
        return localise(config, client, found[0])
    if named := _NAMED.fullmatch(text):
        name, text = named["name"], named["alias"] or named["version"]
    elif ":/" in text:
        raise ModelError(f"'{which}' names no model; use models:/name@alias, models:/name/3, runs:/<run> or a folder")
    return localise(config, client, find_version(client, name, text))


def load(config: Config, task: str, which: str | Path = "champion", *, threads: int | None = None) -> Bundle:
    """The verified bundle of `resolve`, knowing its name, version and run."""
    found = resolve(config, task, which)
    bundle = load_bundle(found.folder, threads=threads)
    return replace(bundle, name=found.name, version=found.version, run_id=found.run_id)


def export(config: Config, task: str, folder: Path, which: str | Path = "champion") -> Path:
    """Copy a model into a folder that scores without a tracking server, MLflow or network.

    Written aside, verified and renamed: the folder is whole or as it was. An earlier export in its place is replaced;
    ModelError for a folder that holds anything else.
    """
    folder = Path(os.path.abspath(folder))
    if folder.exists() and not _is_export(folder):
        raise ModelError(f"{folder} is not empty and no export of Rapport; give a new folder")
    found = resolve(config, task, which)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        new, old = aside / "new", aside / "old"
        shutil.copytree(found.folder, new, ignore=shutil.ignore_patterns(_META_OF_MLFLOW, "__pycache__"))
        if (new / INNER).is_dir():
            (new / MANIFEST).unlink(missing_ok=True)
            about = {"model_name": found.name, "model_version": found.version, "run_id": found.run_id}
            write_manifest(new, about)
        load_bundle(new)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


# ------------------------------------------------------------------------------------------- versions and aliases
def aliases(config: Config, task: str) -> dict[str, str]:
    """Version of each alias of a task's model; empty where nothing is registered."""
    found = None if is_empty(config) else registered(connect(config), model_name(config, task))
    return {} if found is None else {alias: str(version) for alias, version in found.aliases.items()}


def set_alias(config: Config, task: str, alias: Alias, version: str) -> None:
    """Give an alias to a version, taking it from the one that had it."""
    connect(config).set_registered_model_alias(model_name(config, task), alias, version)


def tag_version(config: Config, task: str, version: str, tags: Mapping[str, str]) -> None:
    """Tags of one version, such as the decision of a review; ModelError where there is no such version."""
    client, name = connect(config), model_name(config, task)
    find_version(client, name, version)
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)


def version_tags(config: Config, task: str, which: str = "champion") -> dict[str, str]:
    """Tags of the version with this number or alias; ModelError where there is none."""
    return dict(find_version(connect(config), model_name(config, task), which).tags)


def role(config: Config, task: str, version: str) -> str:
    """What a version is at this moment, as a reviewer reads it: "champion, not reviewed yet"."""
    held = aliases(config, task)
    alias = next((alias for alias in get_args(Alias) if held.get(alias) == version), "in no use")
    state = version_tags(config, task, version).get("review", "unreviewed")
    return f"{alias}, {'not reviewed yet' if state == 'unreviewed' else state}"


# ------------------------------------------------------------------------------------------- inside
def _is_folder(which: str | Path) -> bool:
    """True for a path; a bare word that is an alias or a number never means a folder of that name."""
    if isinstance(which, Path):
        return True
    if which in get_args(Alias) or which.isdigit() or _NAMED.fullmatch(which) or _OF_RUN.fullmatch(which):
        return False
    return ":/" not in which and (os.sep in which or Path(which).is_dir())


def _is_export(folder: Path) -> bool:
    """True for an empty folder, and for one with nothing in it but what `export` wrote, damaged or not."""
    if not folder.is_dir():
        return False
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    try:
        listed = set(read_json(folder / MANIFEST)["files"]) if found else set()
    except (ModelError, KeyError, TypeError):
        return False
    return found <= listed | {MANIFEST, _META_OF_MLFLOW}
