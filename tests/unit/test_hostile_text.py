"""Text of a stranger in what others open: it stays text, in one cell, one element, one file."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st

from framebench import dataset
from framebench.dataset.file_formats import table
from framebench.errors import visible

# what msgspec reads from JSON has no lone surrogates
HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
STEERING = "\x00\x1b\x07\x9b\u202e\u2066\u2028\uffff"


@given(HOSTILE, st.integers(-9, 9))
@example("=cmd|' /C calc'!A0", -1)
@example("\t=1+1", 0)
@example('a,b\n"c"\r\n=2', 0)
@example("../../x\x00\x1b[2J\u202e", 0)
@example("＝1", 0)
def test_a_text_is_one_cell_that_no_spreadsheet_computes(text: str, number: int) -> None:
    frame = table([{"reason": text, "figure": number}])
    rows = list(csv.reader(io.StringIO(dataset.to_csv(frame).decode(), newline=""), strict=True))
    assert len(rows) == 2 and rows[1][1] == str(number)
    cell = rows[1][0]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert not set(cell) & {*STEERING, "\r"}
    assert cell.removeprefix("'") == visible(text).removeprefix("'")
    assert json.loads(dataset.to_json(frame)) == [{"reason": text, "figure": number}]
    assert pd.read_parquet(io.BytesIO(dataset.to_parquet(frame)))["reason"].tolist() == [text]
