"""What every model of Rapport has in common: its numbers, and how its parts are written as JSON.

Three numbers are never confused: the *raw score* (log-odds, unbounded), the *probability* (calibrated) and the
*percentile* (rank among the scores of the calibration window, 0 to 100).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

Floats = NDArray[np.float64]

_CREDENTIALS = re.compile(r"(://[^:@/\s]*:)(?!\$\{)[^@\s]*(?=@)|(\bpassword\s*=\s*)(?:'[^']*'|(?!\$\{)[^\s;&']+)", re.I)


def json_bytes(content: Any) -> bytes:
    """JSON with sorted keys, so that equal content gives equal bytes. ValueError or TypeError for what JSON lacks."""
    return (json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def write_json(path: Path, content: Any) -> None:
    """Write `json_bytes` of the content."""
    path.write_bytes(json_bytes(content))


def read_json(path: Path) -> Any:
    """Read JSON; ModelError naming the file where it is absent or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"the model has no file {path.name}; export or train it again") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{path.name} of the model is not readable JSON: {error}; export or train it again") from error


def without_nan(content: Any) -> Any:
    """The same values with every number that is not finite replaced by None, as JSON has no word for it."""
    if isinstance(content, float | np.floating):
        return float(content) if np.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    return content


def without_credentials(content: Any) -> Any:
    """The same JSON values with passwords taken out of addresses and connection strings; `${VARIABLE}` may stay."""
    if isinstance(content, str):
        return _CREDENTIALS.sub(lambda match: f"{match[1] or match[2]}***", content)
    if isinstance(content, Mapping):
        return {key: without_credentials(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_credentials(value) for value in content]
    return content
