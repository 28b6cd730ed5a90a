"""Spark's dialect of SQL, with what sqlglot's own leaves as other engines have it."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.spark import Spark


class SparkSQL(Spark):  # type: ignore[misc]
    """Integers of 128 bits are decimals, and microseconds since 1970 have another name."""

    class Generator(Spark.Generator):  # type: ignore[misc]
        """Writes the trees."""

        TYPE_MAPPING: ClassVar = {**Spark.Generator.TYPE_MAPPING, exp.DType.INT128: "DECIMAL(38, 0)"}

        def anonymous_sql(self, expression: exp.Anonymous) -> str:
            """EPOCH_US of a time without a zone: as a timestamp, it is read in the session's zone, which is UTC."""
            if expression.name == "EPOCH_US":
                moment = exp.cast(expression.expressions[0].copy(), "timestamptz")
                return str(self.func("UNIX_MICROS", moment))
            return str(super().anonymous_sql(expression))
