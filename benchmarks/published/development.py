"""Data sets for development, in the folder that the environment variable RAPPORT_DATA names; none is in the project."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd


def read(name: str) -> pd.DataFrame | None:
    """A Parquet file of that folder by its name, or None where the variable is not set or the file is absent."""
    folder = os.environ.get("RAPPORT_DATA")
    file = Path(folder or "") / f"{name}.parquet"
    return pd.read_parquet(file) if folder and file.is_file() else None


def skipped(name: str) -> str:
    """What to say where the file is absent."""
    return f"skipped: this needs {name}.parquet in the folder that the environment variable RAPPORT_DATA names"
