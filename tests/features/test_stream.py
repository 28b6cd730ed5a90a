"""The stream of scoring gives what `Snapshots` gives, to the bit: from one bucket or from several, in any pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from sqlglot import exp

from rapport.data.buckets import owner_of, write_table
from rapport.data.dataset import Dataset
from rapport.data.engine import DuckDBEngine
from rapport.features.battery import engine as new_engine
from rapport.features.battery import every_task, score
from rapport.features.battery_data import made_up_company
from rapport.features.blocks import BLOCKS, alike, alive, co_purchase, similar, up_sell
from rapport.features.snapshot import Snapshots
from rapport.features.stream import SnapshotStream
from rapport.tasks import Task

BUCKETS = 2


def in_buckets(folder: Path, engine: DuckDBEngine) -> Dataset:
    """The made-up company as ingest would have written it, its customers in two buckets."""
    company = made_up_company()
    data = company.dataset(engine)
    files = {}
    for name in company.tables:
        engine.define(f"rich.{name}", exp.select("*").from_(exp.to_table(name)))
        owner = owner_of(engine, name, f"rich.{name}")
        files[name] = write_table(engine, f"rich.{name}", owner, BUCKETS, folder / name)
        engine.drop(f"rich.{name}")
    for name in company.tables:
        engine.drop(name)
    data = replace(data, files=files, buckets=BUCKETS)
    data.register()
    return data


TASKS = {task.name: task for task in every_task()}
WIDE = [task for task in TASKS.values() if len(task.keys) > 1]  # they read of one customer, and of everybody
FITS = {"alive": (alive, "rhythm_of_all"), "bought together": (co_purchase, "_conditions")}
FITS |= {"similar customers": (similar, "_projection"), "up-sell": (up_sell, "_ladder")}
FITS |= {"others alike": (alike, "_by_value")}
OF_CUSTOMERS = {"alive", "others alike"}
FITS_OF = dict.fromkeys(("churn", "conversion", "uplift", "up_sell"), OF_CUSTOMERS)
FITS_OF |= {"next_offer": set(FITS) - OF_CUSTOMERS}


def counted_fits(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each fit over everybody is made from now on."""
    made: Counter[str] = Counter()

    def watched(name: str, fit: Callable[[pa.Table], object]) -> Callable[[pa.Table], object]:
        def fitted(counted: pa.Table) -> object:
            made[name] += 1
            return fit(counted)

        return fitted

    for what, (module, name) in FITS.items():
        monkeypatch.setattr(module, name, watched(what, getattr(module, name)))
    return made


@pytest.mark.parametrize("task", [*WIDE, TASKS["churn"]], ids=lambda task: task.name)
def test_buckets_and_pieces_do_not_matter(
    task: Task, tmp_path: Path, engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    company, blocks = made_up_company(), [BLOCKS[name] for name in task.blocks if name in BLOCKS]
    with new_engine() as opened:
        learned = Snapshots(company.dataset(opened), task, blocks=blocks, learn_at=company.cutoffs[0]).learned
    expected = score(task, blocks, company, learned).table
    data = in_buckets(tmp_path, engine)
    fits = counted_fits(monkeypatch)
    stream = SnapshotStream(data, task, blocks=None, learned=learned, rows=max(expected.num_rows // (3 * BUCKETS), 1))
    pieces = [list(stream.pieces(company.cutoffs[-1], bucket)) for bucket in range(BUCKETS)]
    counts = [stream.count(company.cutoffs[-1], bucket) for bucket in range(BUCKETS)]
    stream.close()
    assert counts == [sum(piece.num_rows for piece in bucket) for bucket in pieces]
    assert sum(count > 0 for count in counts) > 1
    together = pa.concat_tables([piece for bucket in pieces for piece in bucket])
    together = together.sort_by([(key, "ascending") for key in task.keys])
    assert together.column_names == expected.column_names
    for name in expected.column_names:
        assert together[name].to_pylist() == expected[name].to_pylist(), name
    assert sum(len(bucket) for bucket in pieces) > BUCKETS
    assert dict(fits) == dict.fromkeys(FITS_OF[task.name], 1)  # not anew for each bucket and piece
