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
from linetune.evaluation.metrics import Score, score
from linetune.report.page import Cell, Marked, Part, write_page
from linetune.report.terminal import gain_lines, run_table
from linetune.training.run import Row, RunResult


def scored(wrong: int, of: int) -> Score:
    return score([""] * wrong + ["A"] * (of - wrong), ["A"] * of)


ROWS = [
    Row("PP-OCRv5_mobile_rec, untouched", scored(160, 456), scored(144, 440), 0),
    Row("PP-OCRv5_mobile_rec, limited to the charset", scored(157, 456), scored(141, 440), 0),
    Row("stage real", scored(0, 456), scored(0, 440), 12_345),
]


@pytest.mark.parametrize("width", [100, 120])
def test_the_table_of_a_run_is_whole_at_100_columns(width: int) -> None:
    shown = io.StringIO()
    Console(file=shown, width=width).print(run_table(RunResult(Path("run"), ROWS, "stage real")))
    out = shown.getvalue()
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out
    for figure in ("64.9% (60.4–69.2)", "100.0% (99.2–100.0)", "12345", "stage real *", "95% interval"):
        assert figure in out


def test_a_run_says_whether_its_gain_is_beyond_chance() -> None:
    val, test = gain_lines(RunResult(Path("run"), ROWS, "stage real"))
    assert val.startswith(
        "validation (which chose the model): stage real is better: 157 crops only stage real"
    )
    assert test == (
        "test: stage real is better: 141 crops only stage real reads, 0 only the limited base model; "
        "chance alone gives this in under 0.1% of cases"
    )
    few = [Row(row.name, scored(wrong, 20), None, 0) for row, wrong in zip(ROWS, (4, 3, 1), strict=True)]
    (line,) = gain_lines(RunResult(Path("run"), few, "stage real"))
    assert "no difference can be told on 20 crops: 2 crops only stage real reads" in line
    assert not list(gain_lines(RunResult(Path("run"), few, few[1].name)))


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
