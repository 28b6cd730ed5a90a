"""Value: the money that customers bring, by `value` against BG/NBD with Gamma-Gamma and against naive averages.

    python benchmarks/value.py

Data: CDNOW (configs/cdnow.yaml: 23,570 customers of one quarter, sales) and Complete Journey
(configs/complete_journey.yaml: 2,469 households, a year of groceries, sales). Every forecast is made from what was
known on its day, by a model whose targets had ended by then. The rules are fitted to the same customers on that day:
BG/NBD (Fader, Hardie & Lee 2005) times Gamma-Gamma (Fader & Hardie 2013); his average so far; his last year.

- CDNOW, a quarter: as in the configuration, the quarter from April 1998 on.
- CDNOW, half a year: the half year from January 1998 on, learned on targets that end in 1997.
- CDNOW, 39 + 39 weeks: known are 39 weeks, foretold the 39 after. No target of 39 weeks ends within the first 39: so
  the model learns quarters, and its forecast of a quarter is carried on by what BG/NBD expects of 39 weeks over that.
- Complete Journey, a quarter: the last of 2017, learned on targets that end before it.

RMSE, bias and the share of sales that the best 20 % of the list brought; intervals of the gain over BG/NBD with
Gamma-Gamma by a paired bootstrap over customers: above nothing the model is better. Intervals of the model are to hold
80 %: counted as `rapport run` counts them (docs/value.md), and plainly.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rapport.config import Config, load_config
from rapport.data.ingest import open_dataset
from rapport.errors import DataError
from rapport.features.snapshot import Snapshots
from rapport.language.moments import midnight
from rapport.models.worth import Foretold
from rapport.tasks import declare
from rapport.training.carried_on import amounts
from rapport.training.fitting import fit
from rapport.training.material import Material
from rapport.training.worth import WorthScores, rule_amounts, rules_at_hand, worth_of

sys.path.append(str(Path(__file__).resolve().parent))
from results import table, write

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
RIVAL = "bg_nbd_gamma_gamma"
METRICS = {"worth_rmse": "RMSE", "worth_bias": "bias", "worth_capture_at_20pct": "share of the best 20 %"}
LESS = ("season_behind", "spend_trend_year", "spend_trend_long", "favourite_day", "favourite_day_share")


@dataclass(frozen=True)
class Case:
    """One forecast: as of `day`, of `horizon` days, by a model of `learned` days trained at the cutoffs `train`."""

    name: str
    config: str
    day: str
    horizon: int
    train: Any
    learned: int
    exclude: tuple[str, ...] = ()


CASES = (
    Case(
        "CDNOW, a quarter",
        "cdnow",
        "1998-04-01",
        91,
        {"first": "1997-05-21", "last": "1997-12-31", "every": 28},
        91,
        LESS,
    ),
    Case("CDNOW, half a year", "cdnow", "1997-12-31", 182, ["1997-04-30", "1997-05-28", "1997-07-02"], 182, LESS),
    Case("CDNOW, 39 + 39 weeks", "cdnow", "1997-10-01", 273, ["1997-04-02", "1997-05-14", "1997-07-02"], 91, LESS),
    Case(
        "Complete Journey, a quarter",
        "complete_journey",
        "2017-10-01",
        91,
        ["2017-04-30", "2017-05-31", "2017-07-01"],
        91,
    ),
)


def configured(case: Case) -> Config:
    """The project of a case: its data, and the one task."""
    raw = yaml.safe_load((CONFIGS / f"{case.config}.yaml").read_text(encoding="utf-8"))
    known = raw["tasks"].get("value", {})
    split = {"train": case.train, "test": [case.day]}
    raw["tasks"] = {"value": known | {"horizon": case.learned, "split": split, "exclude_features": list(case.exclude)}}
    raw["tasks"]["value"]["tuning"] = {"trials": 1}
    config = load_config(CONFIGS / f"{case.config}.yaml")
    return Config.model_validate({**raw, "folder": config.folder, "home": config.home})


def judged(case: Case) -> tuple[list[list[object]], int]:
    """Lines of the table, and the number of customers."""
    config = configured(case)
    data = open_dataset(config)
    material = Material(data, "value", config.task("value"), seed=0)
    fitted = fit(material)
    task = declare("value", config.task("value").model_copy(update={"horizon": case.horizon}))
    snapshots = Snapshots(data, task, learned=material.snapshots.learned)
    cutoff = midnight(date.fromisoformat(case.day), config.zone)
    rows = snapshots.features(snapshots.population([cutoff], with_target=True))
    assert fitted.worth is not None
    probability = fitted.model.calibrator.apply(fitted.explainer.raw_score(rows))
    foretold = fitted.worth.foretell(rows, probability)
    at_hand = rules_at_hand(task, rows.column_names)
    rules = rule_amounts(task, at_hand, rows)
    if case.learned != case.horizon:
        rival = next(rule for rule in at_hand if rule.name == RIVAL)
        longer = rules[RIVAL] / np.maximum(amounts(rival, rows, case.learned), 1e-9)
        foretold = Foretold(
            *(values * longer for values in (foretold.expected, foretold.low, foretold.high)), foretold.nothing
        )
    scores = WorthScores(worth_of(rows), foretold, rules)
    comparison = scores.compare(rows[task.entity], replicates=500, seed=0)
    covered = scores.coverage() if case.learned == case.horizon else {}
    lines = [
        [
            case.name,
            who,
            *(f"{found[metric].estimate:.3f}" for metric in METRICS),
            *_beside(who, comparison.gains, covered),
        ]
        for who, found in comparison.estimates.items()
    ]
    return lines, rows.num_rows


def _beside(who: str, gains: Mapping[str, Any], covered: Mapping[str, float]) -> list[str]:
    """For the model the gains over the rival, and how many its intervals held."""
    if who != "model":
        return ["", "", ""]
    told = "; ".join(
        f"{words} {gain.estimate:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        for metric, words in METRICS.items()
        for gain in [gains[RIVAL][metric]]
    )
    known = [covered.get(name) for name in ("worth_coverage_80pct", "worth_coverage_80pct_plain")]
    return [told, *("" if value is None else f"{value:.3f}" for value in known)]


def main() -> None:
    rows: list[list[object]] = []
    counts = []
    for case in CASES:
        try:
            lines, customers = judged(case)
        except DataError as fault:
            counts.append(f"{case.name}: left out: {fault}.")
            continue
        rows += lines
        counts.append(f"{case.name}: {customers:,} customers.")
    header = ["data", "by", *METRICS.values(), "gain over BG/NBD with Gamma-Gamma", "80 % intervals held", "plainly"]
    text, about = table(header, rows), " ".join(counts)
    print(text, about, sep="\n")
    write("Value", "python benchmarks/value.py", text, about, packages=("rapport", "lightgbm"))


if __name__ == "__main__":
    main()
