"""What people see of a run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from linetune.evaluation.metrics import Score
from linetune.report.terminal import run_table
from linetune.training.run import Row, RunResult

ROWS = [
    Row("PP-OCRv5_mobile_rec, untouched", Score(0.65, -0.2, 456), Score(0.67, -0.19, 440), 0),
    Row("PP-OCRv5_mobile_rec, limited to the charset", Score(0.65, -0.2, 456), Score(0.68, -0.19, 440), 0),
    Row("stage real", Score(1.0, 0.0, 456), Score(1.0, 0.0, 440), 12_345),
]


@pytest.mark.parametrize("width", [100, 120])
def test_the_table_of_a_run_is_whole_at_100_columns(width: int) -> None:
    shown = io.StringIO()
    Console(file=shown, width=width).print(run_table(RunResult(Path("run"), ROWS, "stage real")))
    out = shown.getvalue()
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out
    for figure in ("65.0% (60.5–69.2)", "100.0% (99.2–100.0)", "12345", "stage real *", "95% interval"):
        assert figure in out
