"""Training of a task with several outcomes, such as the causes of leaving or the stages on the way to a contract.

Rows are those of the population for which one of the outcomes came about within the horizon (who answered trains and
judges the causes of leaving); the rest is foretold only. Where outcomes are ordered, every step is judged, too.
Each outcome's trees get as many rounds as a held-out fifth of the entities bears; the probabilities are scaled on
out-of-fold scores (`models.one_of_several`). The model is held against the prior (the shares in training), and against
the truth where the data come from a simulated world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..config import ConversionConfig, DefectionConfig, LearnerConfig, StagesConfig
from ..data.dataset import Dataset
from ..errors import DataError
from ..features.groups import check_groups
from ..features.snapshot import Snapshots
from ..language.declarations import FeatureColumn
from ..models.calibration import entity_folds
from ..models.classifier import BoostedClassifier, out_of_fold_scores
from ..models.one_of_several import OneOfSeveral, Scaling
from ..registry.lookup import Resolved
from ..registry.tracking import start_run
from ..registry.versions import aliases, load
from ..tasks import declare
from .ceiling import open_truth, true_probability
from .diet import diet
from .ladder import Ladder, agreement, reaches
from .material import FEWEST_POSITIVES, Floats, Material
from .metrics.ranking import roc_auc
from .registering import register_model
from .severally import SeveralJudged, draws_of, judge_several

if TYPE_CHECKING:
    from ..data.world.truth import Truth

Say = Callable[[str], None]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainedSeveral:
    """A registered version, how good it is, and the answers (by outcome) that it was trained on."""

    material: Material
    model: OneOfSeveral
    judged: SeveralJudged
    answers: dict[str, int]
    registered: Resolved
    run_id: str


def train_several(data: Dataset, name: str, *, seed: int | None = None, say: Say = lambda text: None) -> TrainedSeveral:
    """Train, judge and register a task with several outcomes.

    DataError where too few answered, or all named one outcome.
    """
    config = data.config.task(name)
    assert isinstance(config, DefectionConfig | StagesConfig)
    seed = data.config.seed if seed is None else seed
    with start_run(data.config, name, fingerprint=data.fingerprint) as run:
        say("building the training rows")
        material = Material(data, name, config, seed=seed, several=True)
        check_groups(material.snapshots.columns, config.groups, name)
        labels = {window: _labels(material, spine) for window, spine in material.spines.items()}
        classes = _classes(material, labels["train"])
        run.log_params({"config": data.config.resolved(), "seed": seed})
        run.log_dict(data.config.resolved(), "config.yaml")
        training, label = _answered(material, "train", labels, classes)
        kept = diet(training, material.snapshots.columns).kept
        say(f"fitting {len(classes)} outcomes to {len(label):,} rows")
        model = _fit(material, config, kept, training, label, [material.task.outcomes[c].name for c in classes])
        say("judging it on the test window")
        tested, came = _answered(material, "test", labels, classes)
        truth = open_truth(data.config)
        of_causes = truth is not None and isinstance(config, DefectionConfig)
        true = _true_probability(truth.causes, tested, model.classes) if truth is not None and of_causes else None
        prior = np.bincount(label, minlength=len(classes)) / len(label)
        judged = judge_several(
            model, tested, came, prior, true, entity=material.task.entity, replicates=config.bootstrap, seed=seed
        )
        if isinstance(config, StagesConfig):
            judged = _with_steps(judged, material, config, model, tested, came, truth)
        run.log_metrics(judged.metrics)
        run.log_dict(judged.as_dict(), "judgement.json")
        say("registering")
        registered = register_model(
            material.snapshots,
            model,
            run,
            raw_scores=model.raw_score(training),
            windows=material.windows,
            grade=judged.letter,
        )
    counts = np.bincount(label, minlength=len(classes)).tolist()
    return TrainedSeveral(material, model, judged, dict(zip(model.classes, counts, strict=True)), registered, run.id)


# ------------------------------------------------------------------------------------------- steps on a way
def _with_steps(
    judged: SeveralJudged,
    material: Material,
    config: StagesConfig,
    model: OneOfSeveral,
    tested: pa.Table,
    came: Ints,
    truth: Truth | None,
) -> SeveralJudged:
    """The judgement with that of each step, and of their product beside a model of conversion and beside the truth."""
    names, order = model.classes, list(config.order)
    probability = dict(zip(names, model.probabilities(tested).T, strict=True))
    reach = reaches(names, probability)
    known = [name for name in order if name in names]
    stages = [order[0], *known]
    now = tested["prospect_stage"].to_pylist()
    ladder = Ladder(
        stages=stages,
        now=np.array([stages.index(one) if one in stages else 0 for one in now], np.int64),
        came=np.array([stages.index(names[c]) if names[c] in stages else -1 for c in came.tolist()], np.int64),
        reach=np.column_stack([np.ones(len(came)), *(reach[name] for name in known)]),
    )
    draws = draws_of(tested[material.task.entity], material.config.bootstrap, material.seed)
    metrics, intervals = ladder.metrics(), ladder.intervals(draws)
    if config.converted in stages:
        found, spread = agreement(ladder, config.converted, draws, _direct(material, tested))
        metrics, intervals = metrics | found, intervals | spread
        if truth is not None:
            whole = declare(
                "conversion", ConversionConfig.model_validate({"of": "prospects", "horizon": config.horizon})
            )
            true = true_probability(truth, whole, tested)
            assert true is not None
            took = (ladder.came >= stages.index(config.converted)).astype(np.float64)
            metrics[f"ceiling.test.reach_{config.converted}.roc_auc"] = roc_auc(took, true)
    return replace(judged, metrics=judged.metrics | metrics, intervals=judged.intervals | intervals)


def _direct(material: Material, rows: pa.Table) -> Floats | None:
    """What the model of `conversion` in use says of the same rows (n,); None where there is none for them."""
    config, other = material.data.config, material.data.config.tasks.conversion
    if other is None or other.of != "prospects" or other.horizon != material.task.horizon:
        return None
    if "champion" not in aliases(config, "conversion"):
        return None
    bundle = load(config, "conversion")
    if not {column.name for column in bundle.columns} <= set(rows.column_names):
        return None
    return np.asarray(bundle.predict(rows)["score"].to_numpy(), np.float64)


# ------------------------------------------------------------------------------------------- who answered what
def _labels(material: Material, spine: pa.Table) -> Ints:
    """Which outcome came about of each row of a spine (n,), -1 for none; of two the one that is declared first."""
    found = np.full(spine.num_rows, -1, np.int64)
    cutoffs = pc.unique(spine["cutoff"]).to_pylist()
    for number, outcome in reversed(list(enumerate(material.task.outcomes))):
        task = replace(material.task, target=outcome.requirement)
        rows = Snapshots(material.data, task, blocks=(), learned={}).population(cutoffs, with_target=True)
        if not rows.select(["cutoff", *task.keys]).equals(spine.select(["cutoff", *task.keys])):
            raise DataError(f"{task.name}: the population of outcome '{outcome.name}' is another one than the task's")
        found[rows["target"].to_numpy() == 1] = number
    return found


def _classes(material: Material, label: Ints) -> Sequence[int]:
    """The outcomes that can be learned; DataError where fewer than two were named often enough."""
    names = [outcome.name for outcome in material.task.outcomes]
    counts = np.bincount(label[label >= 0], minlength=len(names))
    enough = [number for number, count in enumerate(counts.tolist()) if count >= FEWEST_POSITIVES]
    if len(enough) < 2:
        said = ", ".join(f"{name} {count}" for name, count in zip(names, counts.tolist(), strict=True))
        ordered = material.task.ordered
        raise DataError(
            f"{material.task.name}: not enough data to tell {'stages' if ordered else 'causes'} apart: two of them "
            f"must be {'reached' if ordered else 'named'} by {FEWEST_POSITIVES} {material.task.wording.entity}s each "
            f"in the training window, and there were: {said}"
        )
    return enough


def _answered(
    material: Material, window: str, labels: dict[str, Ints], classes: Sequence[int]
) -> tuple[pa.Table, Ints]:
    """The rows (m) of a window whose outcome can be learned, with features, and its place (m,) among the classes."""
    chosen = np.isin(labels[window], classes)
    place = np.full(len(material.task.outcomes), -1, np.int64)
    place[list(classes)] = np.arange(len(classes))
    if not chosen.any():
        raise DataError(f"{material.task.name}: no outcome of the {window} window is one that training knows")
    return material.with_features(material.spines[window].filter(pa.array(chosen))), place[labels[window][chosen]]


# ------------------------------------------------------------------------------------------- fitting
def _fit(
    material: Material,
    config: DefectionConfig | StagesConfig,
    columns: Sequence[FeatureColumn],
    training: pa.Table,
    label: Ints,
    names: Sequence[str],
) -> OneOfSeveral:
    entities = training[material.task.entity].to_numpy(zero_copy_only=False)
    rest, fold = next(iter(entity_folds(entities, seed=material.seed)))
    inner, held_out = training.take(pa.array(rest)), training.take(pa.array(fold))
    models, raw = [], np.empty((len(label), len(names)))
    for number in range(len(names)):
        target = (label == number).astype(np.float64)
        rounds = config.learner.n_estimators
        if 0 < target[fold].sum() < len(fold) and target[rest].any():
            looked = _model(material, config.learner, columns)
            looked.fit(inner, target[rest], validation=(held_out, target[fold]))
            rounds = max(looked.rounds, 10)
        learner = config.learner.model_copy(update={"n_estimators": rounds})
        model = _model(material, learner, columns).fit(training, target)
        models.append(model)
        raw[:, number] = out_of_fold_scores(model, training, target, entities)
    return OneOfSeveral(
        names,
        models,
        Scaling.fit(raw, label, wrong=config.wrong_answers if isinstance(config, DefectionConfig) else 0.0),
    )


def _model(material: Material, learner: LearnerConfig, columns: Sequence[FeatureColumn]) -> BoostedClassifier:
    return BoostedClassifier(learner, columns, seed=material.seed, threads=material.data.config.threads)


def _true_probability(causes: Callable[..., pa.Table], rows: pa.Table, classes: Sequence[str]) -> Floats | None:
    """P(cause | has left, history) of each row (n, k) by the truth, over the classes; None if it knows others."""
    wanted = [f"p_{name}" for name in classes]
    cutoffs = pc.unique(rows["cutoff"]).to_pylist()
    ids = sorted({int(one) for one in rows["customer_id"].to_pylist()})
    known = causes(cutoffs, customers=ids)
    if not set(wanted) <= set(known.column_names):
        return None
    place = {
        key: n for n, key in enumerate(zip(known["customer_id"].to_pylist(), known["cutoff"].to_pylist(), strict=True))
    }
    keys = zip(rows["customer_id"].to_pylist(), rows["cutoff"].to_pylist(), strict=True)
    chosen = known.take(pa.array([place[int(who), when] for who, when in keys]))
    true = np.column_stack([chosen[name].to_numpy() for name in wanted])
    # Who is certain to be a customer still has no cause yet: nothing is known then, and all are alike.
    true = np.where(np.isnan(true).any(axis=1, keepdims=True), 1.0 / len(classes), true)
    true = np.maximum(true, 1e-6)
    return np.asarray(true / true.sum(axis=1, keepdims=True))
