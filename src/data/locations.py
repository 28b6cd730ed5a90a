"""Where the tables come from: files, files of an installed package, DuckDB files, PostgreSQL, tables that Spark knows.

A location in `sources` is one of

- `sales/2024-*.parquet`, `customers.csv`: Parquet or CSV files (also .tsv, .txt, compressed .gz or .zst), a glob for
  several, relative to the folder of the configuration;
- `package:NAME/path/in/it.parquet`: a file that an installed Python package brings along; it is not imported;
- `duckdb:path/to/file.duckdb#schema.table` (the schema may be left out: main);
- `postgresql://user@host:5432/database#schema.table` (the schema may be left out: public);
- `spark:lake.sales.orders`: a table or view of Spark's catalogs (Hive, Iceberg, Delta), as `spark.options` name them.

`${NAME}` stands for an environment variable anywhere in it, so that passwords stay out of files.
"""

from __future__ import annotations

import difflib
import glob
import importlib.util
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError

_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".tsv", ".txt")
_PACKED = (".gz", ".zst")


@dataclass(frozen=True)
class Location:
    """A location taken apart: `kind`, the files or the database, and the table in it.

    `address` is a connection string and may hold a password: it is never printed.
    """

    name: str
    kind: str
    files: tuple[Path, ...] = ()
    address: str = field(default="", repr=False)
    schema: str = ""
    table: str = ""


def view_name(source: str) -> str:
    """The name under which a source stands in the engine (no canonical table can have it)."""
    return f"source.{source}"


def near(name: str, names: Iterable[str]) -> str:
    """A hint at the most similar names, or an empty text."""
    by_lower = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), by_lower, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(by_lower[match] for match in found)}?" if found else ""


def locate(name: str, location: str, folder: Path, environment: Mapping[str, str] = os.environ) -> Location:
    """Take a location apart and find its files.

    Raises DataError: an unset variable, an unknown form, a package that is not installed, no such file.
    """
    text = expanded(f"source '{name}'", location, environment)
    if text.startswith("package:"):
        return Location(name, _file_kind(name, text), (_in_package(name, text.removeprefix("package:")),))
    if text.startswith("duckdb:"):
        path, schema, table = _database(name, text.removeprefix("duckdb:"), "main")
        return Location(name, "duckdb", _found(name, path, folder), schema=schema, table=table)
    if re.match(r"postgres(ql)?://", text):
        address, schema, table = _database(name, text, "public")
        return Location(name, "postgresql", address=address, schema=schema, table=table)
    if text.startswith("spark:"):
        table = text.removeprefix("spark:")
        if not re.fullmatch(r"([^.`\s]+|`[^`]+`)(\.([^.`\s]+|`[^`]+`))*", table):
            raise DataError(f"source '{name}': '{table}' is no name of a table; write spark:catalog.schema.table")
        return Location(name, "spark", table=table)
    if re.match(r"[a-z][a-z0-9+]+:", text):
        scheme = text.partition(":")[0]
        known = "a file, package:, duckdb:, postgresql:// or spark:"
        raise DataError(f"source '{name}': {scheme}: is not known here; use {known}")
    return Location(name, _file_kind(name, text), _found(name, text, folder))


# ------------------------------------------------------------------------------------------- taking apart
def expanded(what: str, location: str, environment: Mapping[str, str] = os.environ) -> str:
    """A location with its environment variables filled in; DataError saying `what` needs one that is not set."""

    def value(match: re.Match[str]) -> str:
        variable = match.group(1)
        if variable not in environment:
            raise DataError(f"{what} needs the environment variable {variable}, which is not set")
        return environment[variable]

    return re.sub(r"\$\{(\w+)\}", value, location)


def _file_kind(name: str, text: str) -> str:
    path = Path(text)
    suffix = Path(path.stem).suffix.lower() if path.suffix.lower() in _PACKED else path.suffix.lower()
    if suffix in _PARQUET:
        return "parquet"
    if suffix in _CSV:
        return "csv"
    known = ", ".join((*_PARQUET, *_CSV))
    raise DataError(f"source '{name}': '{text}' names no kind of file that can be read; its name must end in {known}")


def _found(name: str, text: str, folder: Path) -> tuple[Path, ...]:
    path = folder / Path(text).expanduser()
    files = [path] if path.is_file() else sorted(Path(found) for found in glob.glob(str(path), recursive=True))
    files = [file for file in files if file.is_file()]
    if not files:
        hint = f"; it is a folder: write {text}/*.parquet for the files in it" if path.is_dir() else ""
        raise DataError(f"source '{name}': there is no file {path}{hint}; correct `sources.{name}`")
    for file in files:
        if "truth" in (part.lower() for part in _below(folder, file).parts[:-1]):
            raise DataError(f"source '{name}': {file} lies in a folder named truth, which no model may read")
    return tuple(files)


def _below(folder: Path, file: Path) -> Path:
    """Where a file really is, seen from the project's folder."""
    real, base = file.resolve(), folder.resolve()
    return real.relative_to(base) if real.is_relative_to(base) else real


def _in_package(name: str, text: str) -> Path:
    package, _, inner = text.partition("/")
    spec = importlib.util.find_spec(package) if re.fullmatch(r"\w+", package) else None
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"source '{name}' lies in the Python package {package}, which is not installed; "
            f"run: pip install {package.replace('_', '-')}"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / inner
    if not path.is_file():
        raise DataError(f"source '{name}': the package {package} has no file {inner}; correct `sources.{name}`")
    return path


def _database(name: str, text: str, default_schema: str) -> tuple[str, str, str]:
    address, mark, target = text.rpartition("#")
    if not mark or not target:
        raise DataError(f"source '{name}' names no table; write it behind a #, such as ...#{default_schema}.orders")
    schema, dot, table = target.partition(".")
    return (address, schema, table) if dot else (address, default_schema, target)
