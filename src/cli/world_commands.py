"""The command that writes a simulated world: world."""

from __future__ import annotations

from pathlib import Path

import click

from .console import Console
from .group import JSON, command

SPOKEN_STEPS = 10  # lines of progress where nobody looks at a terminal


@command
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--customers", type=int, default=20_000, show_default=True, help="How many customers, exactly.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same bytes.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="A parameter, such as buying.mean_rate=.1.")
@click.option("--threads", type=int, default=2, show_default=True, help="How many may work at once.")
@JSON
def world(folder: Path, customers: int, seed: int, changes: tuple[str, ...], threads: int, as_json: bool) -> None:
    """Write a simulated world: every table as Parquet, and the truth beside them in DIR/truth."""
    import pyarrow.parquet as pq

    from ..data.world import write_world
    from ..data.world.parameters import named_values

    console = Console(as_json=as_json)
    spoken = 0

    def progress(share: float, words: str) -> None:
        nonlocal spoken
        if console.is_watched or share * SPOKEN_STEPS >= spoken:
            spoken = int(share * SPOKEN_STEPS) + 1
            console.say(f"{words} ({share:.0%})")

    with console.step("world"):
        write_world(
            folder,
            customers=customers,
            seed=seed,
            parameters=named_values(changes),
            progress=progress,
            threads=threads,
        )
    rows = {file.stem: pq.ParquetFile(file).metadata.num_rows for file in sorted(folder.glob("*.parquet"))}
    counted = ", ".join(f"{number:,} {name}" for name, number in rows.items())
    console.result(
        {"folder": str(folder), "customers": customers, "seed": seed, "rows": rows, "seconds": console.seconds},
        f"{folder}: {counted}; the truth, which no model may read, in {folder / 'truth'}",
    )
