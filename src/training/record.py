"""What is kept of a training beside its numbers: pictures, scored test rows, the review and the model card."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.parquet as pq

from ..explain.card import model_card
from ..explain.review import Review
from ..registry.tracking import reopen, run_facts
from .experiment import Trained
from .fairness import spreads
from .figures import shap_figures
from .story import tell

REVIEW, CARD, TEST_SCORES = "review.json", "model_card.md", "test_scores.parquet"
FAIRNESS = "fairness.json"


def record(trained: Trained) -> Review:
    """Log the pictures, the scored test rows, the review and the model card to the version's run; the review."""
    run = reopen(trained.material.data.config, trained.run_id)
    review = tell(trained)
    facts = run_facts(trained.material.data.config, trained.run_id)
    origin = {"commit": facts.revision, "trained_at": f"{facts.started_at:%Y-%m-%d %H:%M} UTC"}
    review = replace(review, provenance=replace(review.provenance, **origin))
    for picture in (*review.pictures, *review.stability, *review.driver_pictures):
        run.log_text(picture.svg, f"plots/{picture.name}.svg")
    for file, figure in shap_figures(trained).items():
        run.log_figure(figure, file)
    run.log_text(review.to_json(), REVIEW)
    run.log_text(model_card(review), CARD)
    if review.fairness:
        run.log_dict({"groups": [asdict(group) for group in review.fairness]}, FAIRNESS)
        run.log_metrics(spreads(review.fairness))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / TEST_SCORES
        kept = [*trained.material.task.keys, "cutoff", "window_end", "target", "raw_score", "score"]
        pq.write_table(trained.tested.select([*kept, f"{trained.judgement.rule}:rank"]), path, compression="zstd")
        run.log_artifacts(path)
    return review
