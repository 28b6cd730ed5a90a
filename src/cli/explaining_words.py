"""What `rapport explain` found, as text for a terminal."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..explain.review_words import rank
from ..explain.what_if import value_in_words

LINES = 12  # of a curve


def as_text(found: dict[str, Any], currency: str = "") -> str:
    """The explanation for a terminal."""
    lines = [f"{found['task']} of {found['entity_id']} as of {found['as_of']} (model version {found['model_version']})"]
    for score in found["scores"]:
        label = f"{score['label']}: " if score["label"] else ""
        lines.append(f"{label}{score['score']:.1%}, higher than {rank(score['percentile'])} of all")
        for reason in score["reasons"]:
            effect = "raises" if reason["contribution"] > 0 else "lowers"
            lines.append(f"  {effect} it ({reason['without']:.1%} without): {reason['words']}")
    if "what_if" in found:
        lines += _what_if_lines(found["what_if"])
    for content in found.get("curves", ()):
        lines += _curve_lines(content, found["label_of_curves"], currency)
    if "pictures" in found:
        lines += ["", f"drawn to {', '.join(found['pictures'])}"]
    for pair in found.get("interactions", ()):
        lines += [
            "",
            f"{pair['first']} and {pair['second']} together: {pair['together']:+.3f} log-odds beyond what each says "
            f"alone (half of it is in the contribution of each: {pair['contribution_first']:+.3f} and "
            f"{pair['contribution_second']:+.3f})",
        ]
    return "\n".join(lines)


def _what_if_lines(content: dict[str, Any]) -> list[str]:
    lines = ["", "What if"]
    for one in content["settings"]:
        range_of = f" [{one['range']}]" if one["range"] else ""
        lines.append(f"  {one['feature']} were {one['words']} (now {one['was_in_words']}){range_of}")
    for score in content["scores"]:
        label = f"{score['label']}: " if score["label"] else ""
        lines.append(f"  {label}{score['score']:.1%} instead of {score['was']:.1%}")
    same = content["unchanged_of_the_same_group"]
    if same:
        more = f" and {len(same) - 3} more" if len(same) > 3 else ""
        lines.append(f"  All else stays as it is, also what would change with it: {', '.join(same[:3])}{more}")
    return lines


def _curve_lines(content: dict[str, Any], label: str, currency: str) -> list[str]:
    values, chances = list(content["values"]), list(content["probability"])
    keep = np.unique(np.linspace(0, len(values) - 1, min(LINES, len(values))).round().astype(int)).tolist()
    if content["now"] in values:
        keep = sorted({*keep, values.index(content["now"])})
    top = max(chances) or 1.0
    lines = ["", f"{label + ': ' if label else ''}the score if only {content['feature']} were different"]
    for i in keep:
        value = values[i]
        marks = ["now"] if value == content["now"] else []
        low, high = content["low"], content["high"]
        if isinstance(value, float) and low is not None and not low <= value <= high:
            slack = 0.01 * (high - low)
            inside = content["least"] - slack <= value <= content["most"] + slack
            marks.append("rare in training" if inside else "beyond training")
        bar = "█" * max(round(24 * chances[i] / top), 1)
        words = value_in_words(value, content["unit"], currency)
        lines.append(f"  {words:>18}  {chances[i]:6.1%}  {bar} {', '.join(marks)}".rstrip())
    return lines
