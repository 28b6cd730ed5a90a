"""`rapport backtest`: the walk, what it says as a picture and a table, and the grade of the champion that follows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from ..config import Config
from ..data.ingest import open_dataset
from ..explain.pictures import to_png
from ..registry.versions import aliases, load
from ..training.backtest import as_csv, backtest, log_backtest
from ..training.backtest_picture import picture
from ..training.backtest_result import Backtest
from ..training.material import Material
from ..training.regrade import Regraded, regrade
from . import reviewing
from .console import Console
from .summary import REPORTS


@dataclass(frozen=True)
class Walked:
    """A backtest with where it was kept, and the champion's grade where it was given again."""

    result: Backtest
    run_id: str
    picture: Path
    table: Path
    regraded: Regraded | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        grade = None if self.regraded is None else {**vars(self.regraded), "grade": self.regraded.grade.letter}
        kept = {"run_id": self.run_id, "picture": str(self.picture), "table": str(self.table), "grade": grade}
        return {**self.result.as_dict(), **kept}


def walk(config: Config, name: str, folds: int, seed: int | None, console: Console) -> Walked:
    """Walk a task back through time, log it, write its picture and table, and grade the champion with its verdict."""
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    with console.step("backtest"):
        result = backtest(data, name, folds=folds, seed=seed, say=console.say)
        run_id = log_backtest(config, result, fingerprint=data.fingerprint)
    folder = config.home / REPORTS / config.name
    folder.mkdir(parents=True, exist_ok=True)
    drawn, table = folder / f"{name}_backtest.png", folder / f"{name}_backtest.csv"
    drawn.write_bytes(to_png(picture(result)))
    table.write_text(as_csv(result), encoding="utf-8")
    regraded = None
    if "champion" in aliases(config, name):
        champion = load(config, name, threads=config.threads)
        windows = Material(data, name, config.task(name), seed=config.seed).windows.as_dict()
        if champion.metadata["windows"] == windows:
            regraded = regrade(config, champion, result, run_id)
            reviewing.write_page(config, name, str(champion.version), (), console)
        else:
            console.note(f"the champion of {name} was judged on other windows, so its grade stays as it is")
    return Walked(result, run_id, drawn, table, regraded)


def as_table(result: Backtest) -> Table:
    """A line a fold, then all of them together, and known and new entities apart."""
    table = Table()
    for head in ("test window", "rows", "positives", result.metric, "95 % interval", "rule", "gain"):
        table.add_column(head, justify="left" if head == "test window" else "right", no_wrap=head == "test window")
    for head in ("AUC", "calibration error", "promised", "happened"):
        table.add_column(head, justify="right")
    for row in result.table():
        low, high = row[f"{result.metric}_low"], row[f"{result.metric}_high"]
        table.add_row(
            row["part"],
            f"{row['rows']:,}",
            f"{row['positives']:,}",
            _number(row[result.metric]),
            "" if low is None or high is None else f"{low:.3f} to {high:.3f}",
            _number(row[f"rule_{result.metric}"]),
            _number(row["gain"], "+.3f"),
            _number(row["roc_auc"]),
            _number(row["ece"]),
            _number(row["promised"], ".1%"),
            _number(row["happened"], ".1%"),
        )
    return table


def _number(value: float | None, form: str = ".3f") -> str:
    return "" if value is None else format(value, form)
