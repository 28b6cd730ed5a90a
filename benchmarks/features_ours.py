"""The 74 columns of benchmarks/features.py as declarations, and their snapshots by Rapport's own path."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from features_data import CATEGORIES, KINDS

from rapport.config import Config
from rapport.data.dataset import Dataset
from rapport.data.engine import DuckDBEngine
from rapport.data.report import Report
from rapport.features.snapshot import Snapshots
from rapport.language.declarations import (
    Block,
    Column,
    Count,
    DaysSinceFirst,
    DaysSinceLast,
    Distinct,
    Feature,
    GapMean,
    GapSpread,
    Group,
    Largest,
    Latest,
    Mean,
    Measure,
    Population,
    Ratio,
    Requirement,
    Seen,
    Sum,
    TopShare,
)
from rapport.language.formulation import Formulation
from rapport.tasks.base import Task, Wording

KEY, HORIZON = ("customer_id",), 90
WINDOWS = (7, 30, 90, 180, 365)
ALSO_FOR_RATIOS = ("n_60d", "sum_60d")


def _feature(name: str, what: Measure | Ratio) -> Feature:
    return Feature(name, what, definition=name, words="{value}")


PURCHASES = (
    _feature("n_{window}", Count(last=(*WINDOWS, 60, None))),
    _feature("sum_{window}", Sum(column="amount", last=(*WINDOWS, 60, None))),
    _feature("mean_{window}", Mean(column="amount", last=(*WINDOWS, None))),
    _feature("recency", DaysSinceLast()),
    _feature("tenure", DaysSinceFirst()),
    _feature("products_{window}", Distinct(column="product_id", last=(90, 365, None))),
    _feature("categories_{window}", Distinct(column="category", last=(90, 365, None))),
    _feature("gap_mean", GapMean()),
    _feature("gap_spread", GapSpread()),
    _feature("top_share", TopShare(column="amount", of="category")),
    *(
        _feature(f"category_{category}", Sum(column="amount", last=(365,), where=Column("category") == category))
        for category in range(CATEGORIES)
    ),
    _feature("quantity_{window}", Sum(column="quantity", last=(90, 365))),
    _feature("largest", Largest(column="amount", last=(365,))),
    _feature("last_channel", Latest(column="channel")),
)
INTERACTIONS = (
    *(_feature(f"{kind}_{{window}}", Count(last=(30, 90, 365), where=Column("kind") == kind)) for kind in KINDS),
    _feature("days_since_complaint", DaysSinceLast(where=Column("kind") == "complaint")),
)
BLOCK = Block(
    "benchmark",
    groups=(Group("transactions", KEY, PURCHASES), Group("interactions", KEY, INTERACTIONS)),
    derived=(
        _feature("trend_n", Ratio("n_30d", "n_60d")),
        _feature("trend_sum", Ratio("sum_30d", "sum_60d")),
    ),
)
_TEXT = "everybody"
TASK = Task(
    name="benchmark",
    question="Who will not buy?",
    population_text=_TEXT,
    target_text=_TEXT,
    keys=KEY,
    population=Population(Seen("transactions", KEY)),
    target=Requirement("transactions", KEY, Count(ahead=HORIZON) == 0),
    horizon=HORIZON,
    blocks=(),
    primary_metric="average_precision",
    rules=(),
    wording=Wording(*[_TEXT] * 6),
)


def dataset(engine: DuckDBEngine, files: dict[str, tuple[Path, ...]], first: datetime, until: datetime) -> Dataset:
    """Canonical Parquet files, one a bucket, as a data set."""
    for name, some in files.items():
        engine.add_files(name, some)
    columns = {name: engine.columns(name) for name in files}
    config = Config.model_validate({"name": "benchmark", "time_zone": "UTC", "sources": {}, "tables": {}})
    buckets = len(files["transactions"])
    return Dataset(config, engine, columns, {}, files, "", first, until, buckets, Report("benchmark", (), {}, ()))


def snapshots(data: Dataset, formulation: Formulation | None = None) -> Snapshots:
    """Population, target and features of the benchmark's task."""
    return Snapshots(data, TASK, blocks=[BLOCK], exclude=ALSO_FOR_RATIOS, learned={}, formulation=formulation)
