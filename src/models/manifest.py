"""The manifest of a folder: every file with its size and checksum, so that a changed byte is refused.

`manifest.json` covers all files of its folder but itself, and carries a digest of its own content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ModelError
from .base import json_bytes, read_json, write_json

MANIFEST = "manifest.json"
FORMAT = 1


def write_manifest(folder: Path, about: Mapping[str, Any] | None = None) -> None:
    """Write the manifest of all files in the folder (sub-folders too); `about` is kept beside the list."""
    files = {name: _entry(folder / name) for name in _files(folder)}
    content: dict[str, Any] = {"format": FORMAT, "about": dict(about or {}), "files": files}
    write_json(folder / MANIFEST, content | {"digest": _digest(content)})


def verify_manifest(folder: Path) -> dict[str, Any]:
    """Hold the folder against its manifest and return `about`.

    Raises ModelError naming the first file that was changed, is missing, is not listed, is a link, or whose name leads
    out of the folder.
    """
    content = read_json(folder / MANIFEST)
    _check_manifest(folder, content)
    listed: dict[str, dict[str, Any]] = content["files"]
    found = _files(folder)
    for name in sorted(listed):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name:
            raise ModelError(f"the manifest of {folder} names a file outside of it: {name!r}; do not use this model")
        if name not in found:
            raise ModelError(f"{name} is missing in {folder}; copy or export the model again")
    for name in sorted(found):
        if name not in listed:
            raise ModelError(f"{name} in {folder} is not in its manifest; remove it, or export the model again")
        if _entry(folder / name) != listed[name]:
            raise ModelError(f"{name} in {folder} was changed since it was written; export the model again")
    return dict(content["about"])


def _check_manifest(folder: Path, content: Any) -> None:
    """The manifest itself, to the byte: its text must be what `write_manifest` makes of its content."""
    whole = isinstance(content, dict) and set(content) == {"format", "about", "files", "digest"}
    if whole and content["format"] != FORMAT:
        raise ModelError(f"{folder} has a manifest of format {content['format']}; this version reads {FORMAT}")
    if whole:
        rest = {key: value for key, value in content.items() if key != "digest"}
        whole = content["digest"] == _digest(rest) and (folder / MANIFEST).read_bytes() == json_bytes(content)
    if not whole or not isinstance(content["files"], dict):
        raise ModelError(f"{MANIFEST} in {folder} was changed since it was written; export the model again")


def _files(folder: Path) -> set[str]:
    """Names of all files below the folder, relative and with forward slashes, but for the manifest of the folder."""
    names = set()
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise ModelError(f"{name} in {folder} is a link; a model folder holds plain files only")
        if path.is_file() and name != MANIFEST:
            names.add(name)
    return names


def _entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json_bytes(content)).hexdigest()
