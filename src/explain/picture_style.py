"""One look for all pictures, and how they become SVG or PNG of bounded size.

Pictures are matplotlib Figures built with the object interface alone (no pyplot, no global state). They are drawn
small, 5.8 inches wide, so that their words stay readable at 700 pixels and on a telephone.
"""

from __future__ import annotations

import base64
import io
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

Floats = npt.NDArray[np.floating[Any]]

# Told apart by lightness as well as by hue, so that they survive colour blindness and grey printers.
INK, QUIET, FAINT, PAPER = "#1d2733", "#5b6673", "#dfe3e8", "#ffffff"
MODEL, RULE, BAND = "#14618c", "#b45f1d", "#c9d8e3"
RAISES, LOWERS, NEUTRAL = "#b8432f", "#2d6fa8", "#8b95a1"

WIDTH = 5.8  # inches
SVG_LIMIT = 250_000  # characters; a picture that would be larger becomes a PNG inside its SVG

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.labelsize": 9.5,
    "axes.edgecolor": NEUTRAL,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": PAPER,
    "axes.axisbelow": True,
    "figure.facecolor": PAPER,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 2.2,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "savefig.dpi": 150,
}

_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@contextmanager
def styled() -> Iterator[None]:
    """The look of the house for everything created inside; the caller's own settings come back afterwards."""
    with rc_context(_STYLE):
        yield


def new_figure(height: float = 3.7, width: float = WIDTH) -> Figure:
    """An empty Figure of `width` x `height` inches whose parts are laid out without overlap."""
    return Figure(figsize=(width, height), layout="constrained")


def title(where: Any, text: str) -> None:
    """What the picture (a Figure) or a part of it (Axes) shows, in one quiet line above it, from the left edge."""
    if isinstance(where, Figure):
        where.suptitle(plain(text, 90), x=0.01, ha="left", fontsize=10, color=INK)
    else:
        where.set_title(plain(text, 60), loc="left", fontsize=10, color=INK, pad=22)


def legend(axes: Any) -> None:
    """The legend between title and picture, where it hides nothing."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.1, columnspacing=1.4, handlelength=1.6
    )


def percent_axis(axis: Any, digits: int = 0) -> None:
    """Write a share of 0 to 1 as 0 % to 100 %."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.{digits}f} %"))


def plain(text: str, limit: int = 60) -> str:
    """A text that comes from data, made fit for a picture: no control or direction marks, no formulas, `limit` long."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text[: 4 * limit])
    kept = " ".join(kept.split())
    kept = kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"
    return kept.replace("$", r"\$")


def thin(x: Floats, y: Floats, most: int = 250) -> tuple[Floats, Floats]:
    """At most `most` points of a curve, evenly spread along its length; both ends are kept."""
    if len(x) <= most:
        return x, y
    span_x, span_y = float(np.ptp(x)) or 1.0, float(np.ptp(y)) or 1.0
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x) / span_x, np.diff(y) / span_y))])
    at = np.searchsorted(length, np.linspace(0, length[-1], most))
    at = np.unique(np.clip(np.concatenate([[0], at, [len(x) - 1]]), 0, len(x) - 1))
    return x[at], y[at]


def to_png(fig: Figure, width: int = 1200) -> bytes:
    """The picture as PNG, `width` pixels wide (at most 2,000)."""
    buffer = io.BytesIO()
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the viewer sees a box; nothing is wrong
        fig.savefig(buffer, format="png", dpi=min(width, 2000) / fig.get_size_inches()[0])
    return buffer.getvalue()


def to_svg(fig: Figure) -> str:
    """The picture as one SVG element of at most about `SVG_LIMIT` characters, the same bytes every time.

    Text stays text, in the fonts of the reader's system; numbers are cut to two decimals of a point. A picture with
    too many marks is embedded as PNG.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with styled(), rc_context({"svg.hashsalt": "rapport"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        fig.savefig(buffer, format="svg", metadata=nothing, dpi=150)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"'DejaVu Sans'(, [\w' -]+)*", _FONTS, text)
    text = re.sub(r' (?:d|points|transform|x|y|width|height)="[^"]*"', _short_numbers, text)
    text = re.sub(r">\s*\n\s*<", "><", text)
    return text if len(text) <= SVG_LIMIT else _as_image(fig)


def _short_numbers(match: re.Match[str]) -> str:
    return re.sub(r"\s*\n\s*", " ", re.sub(r"(\d+\.\d\d)\d+", r"\1", match.group()))


def _as_image(fig: Figure) -> str:
    for width in (1200, 800, 500):
        data = base64.b64encode(to_png(fig, width)).decode("ascii")
        if len(data) <= SVG_LIMIT:
            break
    inches_wide, inches_high = fig.get_size_inches()
    size = f'viewBox="0 0 {72 * inches_wide:.0f} {72 * inches_high:.0f}"'
    image = f'<image width="100%" height="100%" href="data:image/png;base64,{data}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{image}</svg>'
