"""Rows as a pandas table, and the table as CSV, Parquet and JSON; the same rows give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from framebench.errors import visible
from framebench.statistics.interval import Estimate

if TYPE_CHECKING:
    import pandas as pd


_COMPUTED = tuple("=+-@\t＝＋－＠")  # a text that a spreadsheet would compute begins so


def as_files(name: str, frame: pd.DataFrame) -> dict[str, bytes]:
    """``{file name: bytes}`` of one table in every format."""
    writers = {"csv": to_csv, "parquet": to_parquet, "json": to_json}
    return {f"{name}.{kind}": write(frame) for kind, write in writers.items()}


def to_csv(frame: pd.DataFrame) -> bytes:
    """UTF-8, comma, ``\\n``, a header row, empty where missing; floats in their shortest exact form.

    CSV is for spreadsheets: a text that one would compute has an apostrophe in front, control characters are written
    out. The other formats have the very text.
    """
    texts = frame.select_dtypes("object")
    text: str = frame.assign(**{name: texts[name].map(_only_text) for name in texts}).to_csv(
        index=False, lineterminator="\n"
    )
    return text.encode()


def _only_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.startswith(_COMPUTED) else shown


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Parquet with zstd compression."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False, compression="zstd")
    return buffer.getvalue()


def to_json(frame: pd.DataFrame) -> bytes:
    """A list of objects, one per row; null where missing."""
    text: str = frame.to_json(orient="records", indent=1, double_precision=15)
    return text.encode() + b"\n"


def table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Columns in the order of their first appearance; whole numbers stay whole where some are missing."""
    import pandas as pd  # whoever only measures has no table to make, and need not have it

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pd.DataFrame({name: pd.Series(values, dtype=_dtype(values)) for name, values in columns.items()})


def _dtype(values: list[Any]) -> str:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "Int64"
    return "float64" if kinds and kinds <= {int, float} else "object"


def estimate_columns(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """Value and interval in three columns; all null where there is no estimate."""
    value, low, high, _ = estimate or Estimate(float("nan"), None, None, 0)
    return {name: value if estimate else None, f"{name}_low": low, f"{name}_high": high}
