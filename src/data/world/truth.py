"""The truth of a written world: true probabilities at any cutoff, and who people really are.

`Truth(folder)` lives the world again up to the cutoffs (same seed, same step, so the same states: replay.py), then asks
foresight.py for the futures. A true probability knows every latent trait and the whole history up
to the cutoff, and not what nobody can know: whether a silent customer is alive is weighed by the filter
(defection.py). With `sees_all=True` it knows that too. The calendar of the market (prices, competitors, campaigns) is
known to it in either case.

What an offer would do stands in interventions.py, the events of drawn futures in retelling.py, references in
references.py. All methods return Arrow tables with a column `cutoff` (timestamp, UTC) and, beside each probability, the
standard error of the draws, `..._se`. A cutoff is a midnight (or a date, which means its first moment); with it `day`
numbers the days since the start of the world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import DataError
from .chance import Floats
from .defection import all_alive
from .foresight import OUTCOMES, foresee
from .names import CAUSES, TROUBLES
from .products import CATEGORIES, N_CATEGORIES
from .replay import Cutoff, Replay, Seen
from .rows import words
from .simulation import Ints
from .state import CUSTOMER, FUTURE, PROSPECT, SILENT


class Truth:
    """The truth beside a written world."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.replay = Replay(self.folder)
        self.world = self.replay.world

    # ------------------------------------------------------------------------------ who they are
    def people(self) -> pa.Table:
        """One row a person: ids, segment, strengths of the five traits, rates, response to contacts, trouble."""
        return self.replay.people

    def turns(self) -> pa.Table:
        """What happened to customers: left (with the cause), came_back, trouble, life_event, referred."""
        return pq.read_table(self.folder / "truth" / "turns.parquet")

    # ------------------------------------------------------------------------------ probabilities
    def silence(
        self, cutoffs: Sequence[Cutoff], horizons: Sequence[int], *, draws: int = 8, sees_all: bool = False,
        customers: Sequence[int] | None = None,
    ) -> pa.Table:  # fmt: skip
        """P(no purchase in (cutoff, cutoff + h]) of every customer, a row for each horizon; and P(alive) at the cutoff.

        Columns customer_id, cutoff, horizon, probability, probability_se, p_alive.
        """
        days = np.array(sorted(horizons), np.int64)

        def one(seen: Seen) -> pa.Table:
            result, _ = self.foresee(seen, days, draws=draws, mode=SILENT, sees_all=sees_all)
            alive = all_alive(seen.people, seen.states)
            return _long(seen, "customer_id", days, result.mean, result.error, p_alive=np.repeat(alive, days.size))

        return self.collect(cutoffs, int(days[-1]), CUSTOMER, one, customers)

    def conversion(
        self, cutoffs: Sequence[Cutoff], horizons: Sequence[int], *, draws: int = 16,
        prospects: Sequence[int] | None = None,
    ) -> pa.Table:  # fmt: skip
        """P(contract in (cutoff, cutoff + h]) of every prospect who has none yet: prospect_id, cutoff, horizon, ..."""
        days = np.array(sorted(horizons), np.int64)

        def one(seen: Seen) -> pa.Table:
            result, _ = self.foresee(seen, days, draws=draws, mode=SILENT)
            return _long(seen, "prospect_id", days, result.mean, result.error)

        return self.collect(cutoffs, int(days[-1]), PROSPECT, one, prospects)

    def categories(
        self, cutoffs: Sequence[Cutoff], horizon: int, *, draws: int = 50, customers: Sequence[int] | None = None
    ) -> pa.Table:
        """P(category bought in (cutoff, cutoff + h]) of every customer and category."""
        days = np.array([horizon], np.int64)

        def one(seen: Seen) -> pa.Table:
            _, result = self.foresee(seen, days, draws=draws, mode=FUTURE, categories=True)
            n = len(seen.ids)
            return pa.table(
                {
                    "customer_id": seen.ids.take(pa.array(np.repeat(np.arange(n), N_CATEGORIES))),
                    "cutoff": moments(seen, n * N_CATEGORIES),
                    "category": pa.array(list(CATEGORIES) * n, pa.string()),
                    "probability": result.mean.ravel(),
                    "probability_se": result.error.ravel(),
                }
            )

        return self.collect(cutoffs, horizon, CUSTOMER, one, customers)

    def futures(
        self, cutoffs: Sequence[Cutoff], horizon: int = 365, *, draws: int = 50, salt: int = 1, sees_all: bool = False,
        customers: Sequence[int] | None = None,
    ) -> pa.Table:  # fmt: skip
        """Expectations over re-simulated futures of every customer: a column (and its _se) for each of OUTCOMES.

        buys is P(at least one purchase), margin the expected margin of all purchases, leaves P(gone at the end, alive
        before). Futures of different `salt` are independent.
        """
        days = np.array([horizon], np.int64)

        def one(seen: Seen) -> pa.Table:
            result, _ = self.foresee(seen, days, draws=draws, mode=FUTURE, salt=salt, sees_all=sees_all)
            columns = {"customer_id": seen.ids, "cutoff": moments(seen, len(seen.ids))}
            for j, name in enumerate(OUTCOMES):
                if name not in ("converts", "answers"):
                    columns[name] = pa.array(result.mean[:, j])
                    columns[f"{name}_se"] = pa.array(result.error[:, j])
            return pa.table(columns)

        return self.collect(cutoffs, horizon, CUSTOMER, one, customers)

    def causes(self, cutoffs: Sequence[Cutoff], *, customers: Sequence[int] | None = None) -> pa.Table:
        """Who has left, and why: the fact (`gone`, `cause`), and what the history allows to know of it.

        p_gone is P(gone | history, traits); p_<cause> is P(cause | gone, history, traits), missing where p_gone is 0.
        """

        def one(seen: Seen) -> pa.Table:
            left = seen.states["left"]
            total = left.sum(axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                shares = left / total[:, None]
            alive = all_alive(seen.people, seen.states)
            gone = seen.states["alive"] == 0
            names = np.array([*CAUSES, None], object)
            columns = {
                "customer_id": seen.ids,
                "cutoff": moments(seen, len(seen.ids)),
                "gone": pa.array(gone),
                "cause": pa.array(names[np.where(gone, seen.states["cause"], len(CAUSES))], pa.string()),
                "p_gone": pa.array(1 - alive),
            }
            columns |= {
                f"p_{name}": pa.array(shares[:, c], mask=np.isnan(shares[:, c])) for c, name in enumerate(CAUSES)
            }
            return pa.table(columns)

        return self.collect(cutoffs, 0, CUSTOMER, one, customers)

    def trouble(self, cutoffs: Sequence[Cutoff], horizon: int, *, customers: Sequence[int] | None = None) -> pa.Table:
        """Who abuses: `kind` (none, returns, does_not_pay, redeems_by_trick), has it `begun`, P(begun by the end).

        In closed form, so without an error: nobody stops, and who will begin does so with the hazard `onset`:
        P = 1 - exp(-onset h).
        """
        onset = float(self.world.rules[0]["trouble_onset"])

        def one(seen: Seen) -> pa.Table:
            kind, begun = seen.people["trouble"], seen.states["trouble"] == 1
            begins = np.where(kind > 0, -np.expm1(-onset * horizon), 0.0)
            columns = {"customer_id": seen.ids, "cutoff": moments(seen, len(seen.ids))}
            columns |= {"kind": words(kind, TROUBLES), "begun": pa.array(begun)}
            return pa.table(columns | {"probability": pa.array(np.where(begun, 1.0, begins))})

        return self.collect(cutoffs, horizon, CUSTOMER, one, customers)

    # ------------------------------------------------------------------------------ how
    def foresee(self, seen: Seen, days: Ints, *, quiet: bool = False, **how: Any) -> Any:
        """`foresight.foresee` for persons at a cutoff; `quiet`: without the company's campaign of that very day."""
        market = self.replay.market
        if quiet:
            market = market.copy()
            market["campaign"][seen.day] = -1
        world = self.world
        return foresee(seen.people, seen.states, market, world.goods, world.rules, seen.day, days, **how)

    def collect(
        self, cutoffs: Sequence[Cutoff], horizon: int, phase: int, one: Callable[[Seen], pa.Table],
        ids: Sequence[int] | None = None,
    ) -> pa.Table:  # fmt: skip
        """`one` for each block and cutoff, put together; DataError where nobody was there."""
        days = sorted({self.replay.day(cutoff, horizon) for cutoff in cutoffs})
        parts = [one(seen) for seen in self.replay.seen(days, phase, ids) if len(seen.ids)]
        if not parts:
            raise DataError("nobody was there at these cutoffs; take later ones")
        return pa.concat_tables(parts)


def moments(seen: Seen, n: int) -> pa.Array:
    """The cutoff, n times."""
    return pa.array(np.full(n, np.datetime64(seen.cutoff, "us")), pa.timestamp("us"))


def _long(seen: Seen, name: str, days: Ints, mean: Floats, error: Floats, **more: Floats) -> pa.Table:
    n = len(seen.ids)
    columns = {
        name: seen.ids.take(pa.array(np.repeat(np.arange(n), days.size))),
        "cutoff": moments(seen, n * days.size),
        "horizon": pa.array(np.tile(days, n)),
        "probability": pa.array(mean.ravel()),
        "probability_se": pa.array(error.ravel()),
    }
    return pa.table(columns | {key: pa.array(value) for key, value in more.items()})
