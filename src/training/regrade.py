"""A version's grade, given again once a backtest says whether the way it was trained is stable over time."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from ..config import Config
from ..explain.review import Review
from ..models.bundle import Bundle
from ..registry.tracking import artifact_text, reopen
from ..registry.versions import tag_version
from .backtest_result import Backtest
from .evaluate import Grade, Interval, grade
from .experiment import GRADED
from .record import REVIEW
from .stability import of_backtest
from .story import grade_in_words


@dataclass(frozen=True)
class Regraded:
    """The version, the grade that it has now, and the one before."""

    version: str
    grade: Grade
    before: str


def regrade(config: Config, bundle: Bundle, result: Backtest, backtest_run: str) -> Regraded:
    """Grade a registered version with the verdict of a backtest of its hyperparameters; tags and review follow.

    A backtest of too few folds leaves `stable` open, and so the grade as it was. Raises ModelError where the version's
    run does not hold what its grade came from.
    """
    run = reopen(config, str(bundle.run_id))
    known = json.loads(artifact_text(run, GRADED))
    known["gain"] = Interval(**known["gain"])
    given = grade(**known, stable=result.stable)
    review = Review.from_json(artifact_text(run, REVIEW))
    walked = of_backtest(result)
    review_now = replace(
        review,
        grade=given.letter,
        grade_words=grade_in_words(given),
        stability=(*(picture for picture in review.stability if picture.name != walked.name), walked),
    )
    run.log_text(review_now.to_json(), REVIEW)
    stable = {True: "true", False: "false", None: "unknown"}[result.stable]
    tags = {"grade": given.letter, "backtest.stable": stable, "backtest.run_id": backtest_run}
    tag_version(config, result.task, str(bundle.version), tags)
    return Regraded(str(bundle.version), given, review.grade)
