"""Customers and prospects who asked to be forgotten: their rows are read no more, from whatever source.

`<home>/forgotten/<config>.json` keeps a random salt and, for each of them, sha256 of salt and id: enough to leave a row
out, and no list of names. The same id of another type of source column (7 and "7") is the same person.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sqlglot import exp

from ..config import Config
from ..errors import DataError
from .engine import DuckDBEngine
from .files import write_aside

Kind = Literal["customer", "prospect"]
_KINDS: dict[str, tuple[Kind, ...]] = {
    "customer_id": ("customer",),
    "prospect_id": ("prospect",),
    "entity_id": ("customer", "prospect"),
    "referred_by": ("customer",),
}
_REFERENCES = ("referred_by",)  # their rows belong to others, and stay without the reference


@dataclass(frozen=True)
class Forgotten:
    """The list of a project. `entries` have kind, sha256 and what else the record says (plain JSON values)."""

    salt: str
    entries: tuple[dict[str, Any], ...] = ()

    def hash_of(self, identity: str) -> str:
        """What stands for an id in the list."""
        return hashlib.sha256((self.salt + identity).encode()).hexdigest()

    def has(self, kind: Kind, identity: str) -> bool:
        """True if this one is in the list."""
        return self.hash_of(identity) in self.hashes(kind)

    def hashes(self, kind: Kind) -> tuple[str, ...]:
        """The sums of one kind, sorted."""
        return tuple(sorted({entry["sha256"] for entry in self.entries if entry["kind"] == kind}))

    def plus(self, kind: Kind, identity: str, **facts: Any) -> Forgotten:
        """With one more; the facts are kept beside the sum."""
        return replace(self, entries=(*self.entries, {"kind": kind, "sha256": self.hash_of(identity), **facts}))

    @property
    def digest(self) -> str:
        """One sum for the whole list; empty for an empty one."""
        sums = [*self.hashes("customer"), "", *self.hashes("prospect")]
        return hashlib.sha256("\n".join(sums).encode()).hexdigest() if self.entries else ""


def forgotten_file(config: Config) -> Path:
    """Where the list lies."""
    return config.home / "forgotten" / f"{config.name}.json"


def read_forgotten(config: Config) -> Forgotten:
    """The list; an empty one with a new salt where nobody was forgotten yet.

    DataError where it is damaged: whoever stood in it must not come back unnoticed.
    """
    file = forgotten_file(config)
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        entries = tuple(dict(entry) for entry in raw["forgotten"])
        if not all(entry["kind"] in ("customer", "prospect") and len(entry["sha256"]) == 64 for entry in entries):
            raise ValueError("an entry is none")
        return Forgotten(str(raw["salt"]), entries)
    except FileNotFoundError:
        return Forgotten(secrets.token_hex(16))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"the list of the forgotten, {file}, cannot be read ({error}); restore it") from error


def write_forgotten(config: Config, forgotten: Forgotten) -> None:
    """Write the list in one step."""
    content = {"salt": forgotten.salt, "forgotten": list(forgotten.entries)}
    write_aside(forgotten_file(config), json.dumps(content, indent=1))


def without_forgotten(engine: DuckDBEngine, views: dict[str, str], forgotten: Forgotten) -> dict[str, str]:
    """Views of canonical tables, by table, without the rows of the forgotten; the same views where there are none.

    A prospect who became a forgotten customer is forgotten too.
    """
    if not forgotten.entries:
        return views
    left = {}
    for table, view in views.items():
        columns = engine.columns(view)
        conditions, values = [], []
        for column in columns:
            own = exp.column(column, quoted=True)
            is_one = _is_forgotten(engine, own, _KINDS.get(column, ()), forgotten, views)
            if is_one is not None and column in _REFERENCES:
                own = exp.Case().when(exp.Not(this=is_one), own)
            elif is_one is not None:
                conditions.append(exp.Not(this=exp.Coalesce(this=is_one, expressions=[exp.false()])))
            values.append(exp.alias_(own, column, quoted=True))
        left[table] = f"rich.kept.{table}"
        engine.define(left[table], exp.select(*values).from_(exp.table_(view, quoted=True)).where(*conditions))
    return left


def _is_forgotten(
    engine: DuckDBEngine, column: exp.Expression, kinds: Sequence[Kind], forgotten: Forgotten, views: dict[str, str]
) -> exp.Expression | None:
    """The condition that a column holds the id of a forgotten one; None for a column that holds no such ids."""
    tests: list[exp.Expression] = []
    for kind in kinds:
        if hashes := forgotten.hashes(kind):
            tests.append(_hashed(column, forgotten).isin(*hashes))
        prospects = views.get("prospects")
        known = kind == "prospect" and prospects is not None and "customer_id" in engine.columns(prospects)
        if known and forgotten.hashes("customer"):
            became = _hashed(exp.column("customer_id", quoted=True), forgotten).isin(*forgotten.hashes("customer"))
            rows = exp.select("prospect_id").from_(exp.table_(prospects, quoted=True)).where(became)
            tests.append(exp.In(this=column.copy(), query=rows.subquery()))
    return exp.paren(exp.or_(*tests)) if tests else None


def _hashed(column: exp.Expression, forgotten: Forgotten) -> exp.Expression:
    text = exp.cast(column.copy(), "text")
    return exp.Anonymous(
        this="sha256", expressions=[exp.DPipe(this=exp.Literal.string(forgotten.salt), expression=text)]
    )
