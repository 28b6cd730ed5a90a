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

        def greatest_sql(self, expression: exp.Greatest) -> str:
            """The greatest value, missing where one is missing; Spark's function passes over missing ones."""
            return self._none_missing(expression)

        def least_sql(self, expression: exp.Least) -> str:
            """The least value, likewise."""
            return self._none_missing(expression)

        def _none_missing(self, expression: exp.Greatest | exp.Least) -> str:
            value = self.function_fallback_sql(expression)
            values = [expression.this, *expression.expressions]
            doubtful = [one for one in values if one.find(exp.Column)]
            if expression.args.get("ignore_nulls") or not doubtful:
                return str(value)
            missing = exp.or_(*(exp.Is(this=one.copy(), expression=exp.Null()) for one in doubtful))
            return f"CASE WHEN NOT ({self.sql(missing)}) THEN {value} END"
