"""Results that are too good to be true, and features that will not be there when it counts.

Each check returns `Alarm`s that name the feature; `raise_on` stops the run on those that stop, unless the
configuration goes on on purpose (`allow_suspected_leak`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import GateError
from ..language.declarations import FeatureColumn
from .metrics.counts import Counts, FloatArray, IntArray, as_outcomes, encode, sort_blocks
from .metrics.ranking import roc_auc_of
from .splits import entity_folds

_BINS = 32
_PRIOR_ROWS = 5.0


@dataclass(frozen=True)
class Alarm:
    """One suspicion: its kind, the feature (or "" where none is named), what was found, the limit, and a sentence.

    `stops` is False for what is only worth a look.
    """

    kind: Literal["auc", "separates", "availability", "overlap"]
    feature: str
    value: float
    limit: float
    message: str
    stops: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def called(name: str, columns: Sequence[FeatureColumn]) -> str:
    """A feature as a reviewer knows it, with the name that the config takes: "days known ('days_known')"."""
    definition = next((column.definition for column in columns if column.name == name), "")
    return f"{definition} ('{name}')" if definition else f"feature '{name}'"


def score_alarm(
    auc: float, limit: float, strongest: str = "", columns: Sequence[FeatureColumn] = ()
) -> tuple[Alarm, ...]:
    """An alarm where a model's AUC is above its task's limit; `strongest` is the feature that drives it most."""
    if not auc > limit:
        return ()
    suspect = f"; look first at its strongest feature, {called(strongest, columns)}" if strongest else ""
    return (Alarm("auc", strongest, auc, limit, f"AUC {auc:.3f} is above the alarm of {limit:g}{suspect}"),)


def separating_features(
    aucs: dict[str, float], limit: float = 0.95, columns: Sequence[FeatureColumn] = ()
) -> tuple[Alarm, ...]:
    """An alarm for each feature that alone nearly separates the target; `aucs` from `feature_aucs`."""
    return tuple(
        Alarm(
            "separates", name, auc, limit, f"{called(name, columns)} alone nearly separates the target (AUC {auc:.3f})"
        )
        for name, auc in sorted(aucs.items(), key=lambda item: -item[1])
        if auc > limit
    )


def feature_aucs(
    table: pa.Table,
    target: Any,
    columns: Sequence[FeatureColumn],
    *,
    entities: Any = None,
    most_rows: int = 100_000,
    seed: int = 0,
) -> dict[str, float]:
    """The AUC that each feature reaches alone, in whichever direction is better, by name.

    `table` has n rows, `target` (n,) of 0 and 1, `entities` (n,) those whose rows stay together (default: each row for
    itself). A number is taken as it is, missing values lowest or highest, and by the rate of positives in 32 bins and
    among the missing, a category by the rates of its values: rates are cross-fitted over two halves of the entities, so
    that a column of ids separates nothing. More than `most_rows` rows are sampled. nan with one outcome only.
    """
    outcome = as_outcomes(target)
    fold = entity_folds(np.arange(len(outcome)) if entities is None else entities, folds=2, seed=seed)
    if len(outcome) > most_rows:
        chosen = np.sort(np.random.default_rng(seed).choice(len(outcome), most_rows, replace=False))
        table, outcome, fold = table.take(pa.array(chosen)), outcome[chosen], fold[chosen]
    return {
        column.name: (_number_auc if column.kind == "number" else _category_auc)(table[column.name], outcome, fold)
        for column in columns
    }


def availability_alarms(
    training: Mapping[str, float],
    scoring: pa.Table,
    columns: Sequence[FeatureColumn],
    *,
    limit: float = 0.3,
    notice: float = 0.1,
    may_stop: bool = True,
) -> tuple[Alarm, ...]:
    """An alarm for each feature whose share of missing values differs between training and scoring.

    `training` has the share of missing values of each feature by name, `scoring` is a snapshot of those who are to be
    scored; without rows there is nothing to say. It stops where a feature is missing in scoring by `limit` more than it
    was in training: filled in afterwards, it was known to the model and will not be again. Any other difference above
    `notice` is worth a look, and so is every one where it `may_stop` nothing: a campaign aims at whom it likes, so
    that whoever is scored next may differ from all before.
    """
    alarms = []
    for column in columns if scoring.num_rows else ():
        before, after = training[column.name], missing_share(scoring[column.name])
        if abs(after - before) > notice:
            of_whom = f"{before:.0%} of training rows and {after:.0%} of those who would be scored now"
            message = f"{called(column.name, columns)} is missing for {of_whom}"
            stops = may_stop and after - before > limit
            alarms.append(
                Alarm("availability", column.name, after - before, limit if stops else notice, message, stops)
            )
    return tuple(sorted(alarms, key=lambda alarm: (not alarm.stops, -abs(alarm.value))))


def overlap_alarms(
    rows: pa.Table,
    entities: Any,
    trained_on: Any,
    columns: Sequence[FeatureColumn],
    *,
    limit: float = 0.5,
    least: int = 50,
) -> tuple[Alarm, ...]:
    """An alarm for each category that names entities, where the test has entities that were trained on.

    Customers come back from window to window, and that is no leak as long as no feature tells one from another. A
    category does, where it has `least` values or more, and more than `limit` for each entity of the test `rows` (n)
    that has one: a model learns such entities by heart, and is good on the test for that alone. `entities` (n,) are
    those of the rows, `trained_on` those of training, each as often as it likes.
    """
    tested = pc.unique(_plain(entities))
    shared = pc.mean(pc.is_in(tested, value_set=_plain(trained_on)).cast(pa.float64())).as_py() or 0.0
    alarms = []
    for column in columns if shared else ():
        if column.kind != "category":
            continue
        known = pa.table({"entity": _plain(entities), "value": _plain(rows[column.name])}).drop_null()
        named, values = pc.count_distinct(known["entity"]).as_py(), pc.count_distinct(known["value"]).as_py()
        if values >= least and values > limit * named:
            message = (
                f"{called(column.name, columns)} names entities: {values} values for {named} of them, "
                f"and {shared:.0%} of the test's entities were trained on"
            )
            alarms.append(Alarm("overlap", column.name, values / named, limit, message))
    return tuple(alarms)


def raise_on(alarms: Iterable[Alarm], *, allow: bool = False) -> None:
    """GateError that names every alarm that stops, with what to do; nothing where none does, or `allow` says go on."""
    stopping = [alarm for alarm in alarms if alarm.stops]
    if not stopping or allow:
        return
    lines = "\n".join(f"  {alarm.message}" for alarm in stopping)
    raise GateError(
        f"suspected leak:\n{lines}\n"
        "  check that these are known at the cutoff; leave a feature out with exclude_features, "
        "or go on on purpose with allow_suspected_leak: true"
    )


def _number_auc(values: pa.ChunkedArray, outcome: FloatArray, fold: IntArray) -> float:
    number = pc.cast(values, pa.float64()).to_numpy()
    known = ~np.isnan(number)
    positives, negatives = outcome.sum(), len(outcome) - outcome.sum()
    if not positives or not negatives:
        return float("nan")
    if not known.any():
        return 0.5
    finite = np.clip(number[known], -1e300, 1e300)
    blocks = sort_blocks(outcome[known], finite)
    counts = blocks.count()
    known_positives = outcome[known].sum()
    lost_positives, lost_negatives = positives - known_positives, (~known).sum() - (positives - known_positives)
    inside = roc_auc_of(counts)[0] * known_positives * (known.sum() - known_positives)
    won = np.nan_to_num(inside) + lost_positives * lost_negatives / 2
    lowest = (won + known_positives * lost_negatives) / (positives * negatives)
    highest = (won + lost_positives * (negatives - lost_negatives)) / (positives * negatives)
    middle = counts.rows_above[0] - counts.rows[0] / 2
    bins = np.full(len(outcome), _BINS, dtype=np.int64)
    bins[known] = np.minimum(middle / counts.total[0] * _BINS, _BINS - 1).astype(np.int64)[blocks.of_row]
    return float(max(lowest, 1 - lowest, highest, 1 - highest, _rates_auc(bins, _BINS + 1, outcome, fold)))


def _category_auc(values: pa.ChunkedArray, outcome: FloatArray, fold: IntArray) -> float:
    code, number = encode(pc.fill_null(pc.cast(values, pa.string()), "\0missing"))
    return _rates_auc(code, number, outcome, fold)


def _rates_auc(code: IntArray, number: int, outcome: FloatArray, fold: IntArray) -> float:
    """Mean over both halves of the AUC of each value's rate of positives as it was in the other half."""
    shape = (2, number)
    rows = np.bincount(fold * number + code, minlength=2 * number).reshape(shape)
    positives = np.bincount(fold * number + code, outcome, 2 * number).reshape(shape)
    prior = positives.sum() / rows.sum()
    found = []
    for half in (0, 1):
        rate = (positives[1 - half] + prior * _PRIOR_ROWS) / (rows[1 - half] + _PRIOR_ROWS)
        score, block = np.unique(-rate, return_inverse=True)
        in_block = [np.bincount(block, part[half], len(score))[None, :].astype(float) for part in (rows, positives)]
        found.append(roc_auc_of(Counts(-score, in_block[0], in_block[1], np.zeros(1, dtype=np.int64)))[0])
    return float(np.mean(found))


def missing_share(values: pa.ChunkedArray) -> float:
    """Share of nulls and NaN; 0 for no rows."""
    return float(pc.sum(pc.is_null(values, nan_is_null=True)).as_py() or 0) / max(len(values), 1)


def _plain(values: Any) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else pa.array(values)
