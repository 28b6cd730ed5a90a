"""Writing so that it lasts: synced to the disk before it is renamed, and folders that change places at once."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space and run the command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the command again",
    errno.EROFS: "it is read-only; give a folder that can be written with --out",
    errno.EACCES: "there is no permission; mend the rights, or give another folder with --out",
    errno.EPERM: "there is no permission; mend the rights, or give another folder with --out",
}


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn what the system says of a folder that cannot be written into one plain OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES and not isinstance(error, NotADirectoryError | FileExistsError):
            raise
        remedy = _REMEDIES.get(error.errno or 0, f"{error.strerror}; give another folder with --out")
        raise OutputError(f"cannot write below {folder}: {remedy}. Earlier results are untouched") from error


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename_synced(source: Path, target: Path) -> None:
    """Rename a finished file, with its content on the disk before the new name."""
    sync(source)
    os.replace(source, target)
    sync(target.parent)


def publish(new: Path, place: Path) -> None:
    """Put a finished folder in its place; what stood there before is gone in the same step, and removed afterwards.

    A reader sees the old folder or the new one, whole. Where the file system cannot exchange two folders at once, the
    old one is moved aside first, and `recover` brings it back if the process dies in between.
    """
    sync(new)
    if not place.exists():
        new.rename(place)
    elif _exchange(new, place):
        sync(place.parent)
        shutil.rmtree(new)
    else:
        old = _aside(place)
        place.rename(old)
        new.rename(place)
        sync(place.parent)
        shutil.rmtree(old)
    sync(place.parent)


def recover(place: Path) -> None:
    """Mend what a process left that died while it published: the old folder comes back, or goes for good."""
    old = _aside(place)
    if not old.exists():
        return
    if place.exists():
        shutil.rmtree(old)
    else:
        old.rename(place)


def _aside(place: Path) -> Path:
    return place.with_name(f".{place.name}.old")


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step (Linux); False where that cannot be had."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(one))
