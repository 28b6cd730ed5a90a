"""The effect of contacts given at random: learners fitted, the better one kept, judged, recorded and registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..config import UpliftConfig
from ..data.dataset import Dataset
from ..errors import DataError
from ..models.effect import EffectModel, Trees
from ..models.encoding import Encoder, numbers
from ..models.uplift import DRLearner, TwoModels, XLearner, cross_fitted
from ..registry.lookup import Resolved
from ..registry.tracking import CONFIG_FILE, start_run
from .attributes import check_attributes
from .ceiling import open_truth, true_effect
from .diet import diet
from .material import Floats, Material, target_of
from .metrics import qini
from .registering import register_model
from .uplift_judge import UpliftJudged, imbalance, judge_uplift

Say = Callable[[str], None]
LIKELIEST = "likeliest"
"""The rule by which most companies choose: whoever is likeliest to buy if contacted."""


@dataclass(frozen=True)
class TrainedUplift:
    """A registered version and how good it is; `found` has the Qini of each learner where it was chosen."""

    material: Material
    model: EffectModel
    judged: UpliftJudged
    found: dict[str, float]
    registered: Resolved
    run_id: str


def train_uplift(data: Dataset, name: str, *, seed: int | None = None, say: Say = lambda text: None) -> TrainedUplift:
    """Train, judge and register the effect of a task's treatment.

    X-learner and DR-learner are fitted to the training window and cross-fitted over entities there; the one with the
    better Qini on the validation window is kept (without such a window: the DR-learner). Raises DataError where the
    data have no treatment or only one arm.
    """
    config = data.config.task(name)
    assert isinstance(config, UpliftConfig)
    seed = data.config.seed if seed is None else seed
    check_attributes(data)
    truth = open_truth(data.config)
    with start_run(data.config, name, fingerprint=data.fingerprint) as run:
        say("building the training rows")
        material = Material(data, name, config, seed=seed, several=True)
        _check_arms(material)
        run.log_params({"config": data.config.resolved(), "seed": seed})
        run.log_dict(data.config.resolved(), CONFIG_FILE)
        run.log_dict({"windows": [vars(facts) for facts in material.facts()]}, "windows.json")
        training = material.table("train")
        encoder = Encoder.fit(diet(training, material.snapshots.columns).kept, training)
        say("fitting the learners")
        fitted, likeliest = _fitted(material, config, encoder, training)
        found = _on_validation(material, encoder, fitted) if "validation" in material.spines else {}
        chosen = max(found, key=lambda one: found[one]) if found else "DR-learner"
        parts = [(share, trees.text_) for share, trees in fitted[chosen].parts_]
        model = EffectModel(chosen, encoder, parts, threads=data.config.threads)
        say(f"judging the {chosen} on the test window")
        plain = two_regressions(encoder, training, target_of(training), arm_of(training))

        def score(rows: pa.Table) -> dict[str, Floats]:
            matrix = encoder.encode(rows)
            scores = {"model": model.score_matrix(matrix), LIKELIEST: likeliest.predict(matrix)}
            return scores | {"two_regressions": plain(rows)} | _by_rules(material, rows)

        tested, looked = material.scored("test", score, keep=20_000)
        ceiling = None if truth is None else true_effect(truth, material.task, tested)
        names = [one for one in tested.column_names if one not in looked.column_names]
        scores = {one: np.asarray(tested[one].to_numpy(), np.float64) for one in names}
        scores |= {} if ceiling is None else {"ceiling": ceiling}
        judged = judge_uplift(
            scores,
            target_of(tested),
            arm_of(tested),
            tested[material.task.entity],
            unlike=imbalance(model.encode(looked), arm_of(looked), encoder.names),
            replicates=config.bootstrap,
            seed=seed,
        )
        run.log_metrics({**judged.metrics, **{f"validation.qini.{one}": value for one, value in found.items()}})
        run.log_dict(judged.as_dict(), "grade.json")
        say("registering")
        registered = register_model(
            material.snapshots,
            model,
            run,
            raw_scores=model.raw_score(training),
            windows=material.windows,
            grade=judged.letter,
        )
    return TrainedUplift(material, model, judged, found, registered, run.id)


def arm_of(table: pa.Table) -> Floats:
    """Who was contacted, (n,) of 0 and 1."""
    return np.asarray(table["treated"].to_numpy(), np.float64)


# ------------------------------------------------------------------------------------------- fitting
def _fitted(
    material: Material, config: UpliftConfig, encoder: Encoder, training: pa.Table
) -> tuple[dict[str, XLearner | DRLearner], Trees]:
    """The learners by name, and the classifier of the outcome of the contacted."""
    threads, matrix = material.data.config.threads, encoder.encode(training)

    def trees(of_amounts: bool) -> Callable[[], Trees]:
        return lambda: Trees(encoder, config.learner, of_amounts=of_amounts, seed=material.seed, threads=threads)

    outcome, arm = target_of(training), arm_of(training)
    entities = training[material.task.entity].to_numpy(zero_copy_only=False)
    means = cross_fitted(trees(False), matrix, outcome, arm, entities, folds=3, seed=material.seed)
    made: dict[str, XLearner | DRLearner] = {
        "X-learner": XLearner(trees(False), trees(True)),
        "DR-learner": DRLearner(trees(False), trees(True)),
    }
    fitted = {name: learner.fit_effects(matrix, outcome, arm, means) for name, learner in made.items()}
    return fitted, trees(False)().fit(matrix[arm == 1], outcome[arm == 1])


def _on_validation(material: Material, encoder: Encoder, fitted: dict[str, XLearner | DRLearner]) -> dict[str, float]:
    rows, _ = material.scored(
        "validation", lambda piece: {name: one.predict(encoder.encode(piece)) for name, one in fitted.items()}
    )
    return {name: qini(target_of(rows), rows[name].to_numpy(), arm_of(rows)) for name in fitted}


def two_regressions(encoder: Encoder, training: pa.Table, outcome: Floats, arm: Floats) -> Callable[[pa.Table], Floats]:
    """The T-learner of two logistic regressions, the simple learner that the others are measured beside."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    measured = [place for place in range(len(encoder.names)) if place not in encoder.categories]

    def matrix(rows: pa.Table) -> Floats:
        values = encoder.encode(rows)[:, measured]
        return np.sign(values) * np.log1p(np.abs(values))

    def regression() -> object:
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        return make_pipeline(imputer, StandardScaler(), LogisticRegression(C=0.01, max_iter=300))

    learner = TwoModels(regression).fit(matrix(training), outcome, arm)
    return lambda rows: learner.predict(matrix(rows))


def _by_rules(material: Material, rows: pa.Table) -> dict[str, Floats]:
    """The order of each rule of thumb whose column there is, (n,); what is unknown comes last."""
    found = {}
    for rule in material.task.rules:
        (column,) = rule.columns
        if column in rows.column_names:
            values = rule.sign * numbers(rows, column)
            known = values[~np.isnan(values)]
            name = f"by_{column}" if rule.sign == 1 else f"by_{column}_ascending"
            found[name] = np.where(np.isnan(values), known.min() - 1 if len(known) else 0.0, values)
    return found


def _check_arms(material: Material) -> None:
    for window, spine in material.spines.items():
        contacted, rows = int(arm_of(spine).sum()), spine.num_rows
        if not 0 < contacted < rows:
            held = "nobody was contacted" if contacted == 0 else "nobody was held back"
            raise DataError(
                f"{material.task.name}: {held} among the {rows:,} rows of the {window} window; an effect needs both: "
                "hold some back at random, and say so in contacts.treated"
            )
