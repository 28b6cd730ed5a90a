"""`rapport explain`: one customer's reasons, what his score would be with other values, and pairs of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..config import Config
from ..data.engine import Engine
from ..data.ingest import open_dataset
from ..errors import DataError, ModelError
from ..explain.contributions import Explainer, explainer
from ..explain.interactions import Interactions
from ..explain.review import Customer
from ..explain.trees import TablesDoNotApply
from ..explain.what_if import (
    Curve,
    Setting,
    curve,
    find_feature,
    probabilities,
    range_in_words,
    read_settings,
    value_in_words,
    with_settings,
)
from ..features.snapshot import Snapshots
from ..language.moments import midnight, to_local
from ..models.bundle import Bundle
from ..registry.versions import load
from ..scoring.job import define_job
from ..tasks import declare
from ..tasks.base import Task
from ..training.customers import customers_of
from .console import Console

NEAREST = 5
SHOWN = 10  # scores of a customer
PICTURES = (".png", ".svg")


@dataclass(frozen=True)
class Asked:
    """What is asked beside the reasons: features to set, curves to draw (and where), pairs of features."""

    settings: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    picture: Path | None = None
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A customer's rows as of a day, with the model that scores them."""

    task: Task
    bundle: Bundle
    explainer: Explainer
    rows: pa.Table
    as_of: str
    currency: str
    zone: ZoneInfo

    def customer(self) -> Customer:
        """His scores with reasons in words."""
        distribution = self.bundle.distribution
        if distribution is None:
            raise ModelError(f"the model of {self.task.name} was saved without its distribution of scores; train again")
        model, currency = self.bundle.model, self.currency
        (customer,) = customers_of(self.task, self.explainer, model, self.rows, distribution, currency, self.zone)
        return customer


def find_customer(
    config: Config, name: str, bundle: Bundle, entity: str, as_of: date | None, console: Console
) -> Found:
    """One customer's features as of a day, computed now; DataError with the nearest ids where he is not scored."""
    with console.step("explain"):
        data = open_dataset(config, progress=console.say)
        settings = config.task(name)
        task = declare(name, settings)
        job = define_job(data, task, settings, bundle, as_of)
        learned = {key: tuple(values) for key, values in bundle.metadata.get("learned", {}).items()}
        snapshots = Snapshots(data, task, blocks=settings.blocks, learned=learned)
        spine = snapshots.to_score(job.cutoff)
        known = spine[task.entity].cast(pa.string())
        spine = spine.filter(pc.equal(known, entity))
        if spine.num_rows == 0:
            missing = f"{name}: '{entity}' is not among the {len(known):,} who are scored as of {job.as_of}"
            hint = _last_seen(snapshots, entity, job.cutoff)
            hint = hint or f"close to it: {', '.join(_nearest(entity, known, data.engine))}"
            raise DataError(f"{missing} ({task.population_text}); {hint}")
        rows = snapshots.features(spine)
        why = explainer(bundle.model, rows, threads=config.threads)
    return Found(task, bundle, why, rows, job.as_of.isoformat(), config.currency, config.zone)


def _last_seen(snapshots: Snapshots, entity: str, cutoff: datetime) -> str:
    """When somebody who is not scored bought last, and the day after, if he was scored then; empty for a stranger."""
    data, task = snapshots.data, snapshots.task
    if not data.has("transactions", task.entity):
        return ""
    his = exp.cast(exp.column(task.entity), "VARCHAR").eq(exp.Literal.string(entity))
    before = exp.column("at") < exp.cast(exp.Literal.string(cutoff.isoformat(sep=" ")), "TIMESTAMP")
    query = exp.select(exp.Max(this=exp.column("at")).as_("at")).from_("transactions").where(his, before)
    last = data.engine.arrow(query)["at"][0].as_py()
    if last is None:
        return ""
    seen = to_local(last, data.config.zone).date()
    day = seen + timedelta(days=1)
    then = snapshots.to_score(midnight(day, data.config.zone))[task.entity].cast(pa.string())
    scored = pc.any(pc.equal(then, entity)).as_py()
    return f"his last purchase was on {seen}" + (f", and he was scored then: try --as-of {day}" if scored else "")


def _nearest(entity: str, known: pa.ChunkedArray, engine: Engine) -> list[str]:
    """The ids of those who are scored that look most like the asked-for one, by edit distance."""
    name = "__scored"
    engine.add_table(name, pa.table({"id": pc.unique(known)}))
    distance = exp.Levenshtein(this=exp.column("id"), expression=exp.Literal.string(entity))
    found = engine.arrow(exp.select("id").from_(name).order_by(distance, "id").limit(NEAREST))
    engine.drop(name)
    return [str(value) for value in found["id"].to_pylist()]


def explain(
    config: Config, name: str, entity: str, which: str, as_of: date | None, asked: Asked, console: Console
) -> dict[str, Any]:
    """One customer's scores with their reasons, and what else was asked, as plain values."""
    bundle = load(config, name, which, threads=config.threads)
    settings = read_settings(asked.settings, bundle.model)  # before any long work
    curves = [find_feature(text, bundle.model.columns).name for text in asked.curves]
    pairs = [_pair(text, bundle) for text in asked.pairs]
    if asked.picture is not None and asked.picture.suffix.lower() not in PICTURES:
        raise DataError(f"a picture is a .png or an .svg; {asked.picture.name} is neither")
    found = find_customer(config, name, bundle, entity, as_of, console)
    customer = found.customer()
    scores = [
        {
            "label": score.label,
            "score": score.probability,
            "percentile": score.percentile,
            "raw_score": score.raw,
            "base": score.base,
            "reasons": [vars(reason) for reason in score.reasons],
        }
        for score in customer.scores[:SHOWN]
    ]
    content: dict[str, Any] = {
        "task": name,
        "entity_id": entity,
        "as_of": found.as_of,
        "model_version": bundle.version,
        "scores": scores,
    }
    best = _best_row(found)
    if settings:
        content["what_if"] = _what_if(found, settings)
    drawn = [curve(found.explainer, bundle.model, best, one) for one in dict.fromkeys([*settings, *curves])]
    if drawn:
        content["curves"] = [asdict(one) for one in drawn]
        content["label_of_curves"] = scores[0]["label"]
    if drawn and asked.picture is not None:
        content["pictures"] = [str(file) for file in _draw(drawn, asked.picture)]
    if pairs:
        content["interactions"] = [_interaction(found, best, *pair) for pair in pairs]
    return content


# ------------------------------------------------------------------------------------------- what is asked beside
def _best_row(found: Found) -> pa.Table:
    raw = found.explainer.raw_score(found.rows)
    return found.rows.slice(int(np.argmax(raw)), 1)


def _what_if(found: Found, settings: dict[str, Setting]) -> dict[str, Any]:
    model, currency = found.bundle.model, found.currency
    before = probabilities(found.explainer, model, found.rows)
    changed = with_settings(found.rows, settings)
    after = probabilities(found.explainer, model, changed)
    order = np.argsort(-before, kind="stable")[:SHOWN]
    labels = found.task.labels(found.rows)
    best = _best_row(found)
    families = {column.name: column.family for column in model.columns}
    touched = {families[name] for name in settings}
    same = [name for name, family in families.items() if family in touched and name not in settings]
    return {
        "settings": [
            {
                "feature": name,
                "value": value,
                "was": best[name][0].as_py(),
                "words": value_in_words(value, find_feature(name, model.columns).unit, currency),
                "was_in_words": value_in_words(
                    _plain(best[name][0].as_py()), find_feature(name, model.columns).unit, currency
                ),
                "range": range_in_words(model, name, value, currency),
            }
            for name, value in settings.items()
        ],
        "scores": [{"label": labels[i], "score": float(after[i]), "was": float(before[i])} for i in order],
        "unchanged_of_the_same_group": same,
    }


def _plain(value: Any) -> Setting:
    return value if value is None or isinstance(value, str) else float(value)


def _pair(text: str, bundle: Bundle) -> tuple[str, str]:
    names = [find_feature(part.strip(), bundle.model.columns).name for part in text.split(",")]
    if len(names) != 2 or names[0] == names[1]:
        raise DataError(f"'{text}' is no pair of features; write --interaction FIRST,SECOND")
    return names[0], names[1]


def _interaction(found: Found, row: pa.Table, first: str, second: str) -> dict[str, Any]:
    model = found.bundle.model
    try:
        trees = Interactions.from_booster(model.booster)
    except TablesDoNotApply as reason:
        raise ModelError(f"pairs of features cannot be told apart: {reason}") from reason
    names = [column.name for column in model.columns]
    a, b = names.index(first), names.index(second)
    value = float(trees.pair(model.encode(row), a, b)[0])
    own = found.explainer.contributions(row)[0]
    return {
        "first": first,
        "second": second,
        "interaction": value,
        "together": 2 * value,
        "contribution_first": float(own[a]),
        "contribution_second": float(own[b]),
    }


def _draw(curves: Sequence[Curve], path: Path) -> list[Path]:
    """A picture for each curve: at `path`, or where there are several, numbered beside it."""
    from ..explain.pictures import to_png, to_svg, what_if

    if len(curves) > 1:
        paths = [path.with_name(f"{path.stem}_{number + 1}{path.suffix}") for number in range(len(curves))]
    else:
        paths = [path]
    path.parent.mkdir(parents=True, exist_ok=True)
    for one, file in zip(curves, paths, strict=True):
        figure = what_if(one)
        if file.suffix.lower() == ".svg":
            file.write_text(to_svg(figure), encoding="utf-8")
        else:
            file.write_bytes(to_png(figure))
    return paths
