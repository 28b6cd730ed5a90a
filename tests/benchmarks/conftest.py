"""The benchmarks are scripts and no package: their folders are put behind everything else that can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
for folder in (BENCHMARKS, BENCHMARKS / "published"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
