"""One writer at a time: a lock on a folder, which the system releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError


@contextmanager
def only_writer(file: Path) -> Iterator[None]:
    """Hold the lock file as long as the block runs; the file is removed at the end.

    Raises OutputError at once where another process holds it.
    """
    handle = _acquire(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(handle)


def _acquire(file: Path) -> int:
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 100, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise OutputError(
                f"another job (process {holder}) is writing to {file.parent} for the same day; wait until it has ended"
            ) from error
        except BaseException:
            os.close(handle)
            raise
        if _is_same(handle, file):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            return handle
        os.close(handle)  # the last holder removed the file between our opening and locking it


def _is_same(handle: int, file: Path) -> bool:
    try:
        there = os.stat(file)
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
