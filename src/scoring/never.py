"""Whom no job ever scores: the ids of a list, and customers without consent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..config import Config
from ..data.dataset import Dataset
from ..errors import ConfigError, DataError


def never_ids(config: Config) -> tuple[str, ...]:
    """The ids of the configured list, one a line, as they are written there; empty where there is no list.

    Lines are taken as they are (an id may have blanks at its ends); empty lines do not count. ConfigError where the
    file is not there or no UTF-8: a job that cannot read the list must not run.
    """
    if config.scoring.never is None:
        return ()
    file = config.folder / Path(config.scoring.never).expanduser()
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"scoring.never: the list {file} cannot be read: {reason}") from error
    return tuple(sorted({line.removesuffix("\r") for line in text.split("\n")} - {""}))


def never_digest(config: Config) -> str:
    """What decides who is left out, as one sum: a changed list makes another job."""
    total = hashlib.sha256(b"consent" if config.scoring.consent else b"")
    for identity in never_ids(config):
        total.update(identity.encode() + b"\0")
    return total.hexdigest()


class Never:
    """Leaves out rows of whom no job may score."""

    def __init__(self, data: Dataset, entity: str) -> None:
        self._ids = pa.array(never_ids(data.config), pa.string())
        self._needs_consent = data.config.scoring.consent
        self._data = data
        if self._needs_consent and not (entity == "customer_id" and data.has("customers", "consent")):
            raise DataError(
                "scoring.consent is set, and there is no column customers.consent to read it from; map it, or unset it"
            )

    def allowed(self, ids: pa.ChunkedArray) -> pa.ChunkedArray:
        """True (n,) for the ids that may be scored."""
        known = pc.invert(pc.is_in(ids.cast(pa.string()), value_set=self._ids))
        if not self._needs_consent:
            return known
        query = exp.select("customer_id").from_("customers").where(exp.column("consent"))
        return pc.and_(known, pc.is_in(ids, value_set=self._data.engine.arrow(query)["customer_id"].combine_chunks()))
