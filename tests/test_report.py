"""What people see of a run."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from linetune import image
from linetune.errors import LinetuneError
from linetune.evaluation.metrics import Score
from linetune.report.page import Cell, Marked, Part, write_page
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


def test_a_page_stands_alone_and_shows_texts_as_they_are(tmp_path: Path) -> None:
    crop = np.full((48, 90, 3), 200, np.uint8)
    rows: list[list[Cell]] = [["a.txt:1 <b>", Marked((("<A ", ""), ("&8", "wrong"))), crop]]
    write_page(tmp_path / "page.html", "T<1>", "What & why", [Part("All", "", ("where", "read", ""), rows)])
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "<h1>T&lt;1&gt;</h1>" in html
    assert 'a.txt:1 &lt;b&gt;</td><td><code>&lt;A <mark class="wrong">&amp;8</mark></code>' in html
    assert "http" not in html.replace("http-equiv", "")
    assert "<script" not in html
    encoded = html.partition("base64,")[2].partition('"')[0]
    shown = image.decode(np.frombuffer(base64.b64decode(encoded), np.uint8), "page")
    assert shown.shape == crop.shape
    with pytest.raises(LinetuneError, match="cannot write the page"):
        write_page(tmp_path / "no" / "page.html", "T", "", [])
