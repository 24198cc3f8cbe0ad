"""What people see of a run."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import Line
from linetune.decode import Reading
from linetune.evaluation.general import General
from linetune.evaluation.metrics import Score, score
from linetune.evaluation.result import Evaluation
from linetune.report.misread import write_misread
from linetune.report.page import Cell, Marked, Part, write_page
from linetune.report.run import run_lines, run_table
from linetune.report.words import Words
from linetune.training.result import Row, RunResult


def scored(wrong: int, of: int) -> Score:
    return score([""] * wrong + ["A"] * (of - wrong), ["A"] * of)


ROWS = [
    Row("PP-OCRv5_mobile_rec, untouched", scored(160, 456), scored(144, 440), 0),
    Row("PP-OCRv5_mobile_rec, limited to the charset", scored(157, 456), scored(141, 440), 0),
    Row("stage real", scored(0, 456), scored(0, 440), 12_345),
]


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_a_run_is_whole_at_80_columns(width: int) -> None:
    shown = io.StringIO()
    Console(file=shown, width=width).print(run_table(RunResult(Path("run"), ROWS, "stage real")))
    out = shown.getvalue()
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out
    for figure in ("64.9% (60–69)", "100.0% (99–100)", "12345", "stage real *", "95% interval"):
        assert figure in out


def test_a_run_says_whether_its_gain_is_beyond_chance() -> None:
    val, test, _ = run_lines(RunResult(Path("run"), ROWS, "stage real"))
    assert val.startswith(
        "validation (which chose the model): stage real is better: only stage real reads 157 crops"
    )
    assert test == (
        "test: stage real is better: only stage real reads 141 crops, only the limited base model reads 0; "
        "chance alone gives this in under 0.1% of cases"
    )
    few = [Row(row.name, scored(wrong, 20), None, 0) for row, wrong in zip(ROWS, (4, 3, 1), strict=True)]
    line, flattering, _ = run_lines(RunResult(Path("run"), few, "stage real"))
    assert "no difference beyond chance on 20 crops: only stage real reads 2 crops" in line
    assert flattering == (
        "validation: 20 crops chose the epoch and the stage. On new crops, the kept model probably reads a "
        "smaller share right; add test crops (data.test) to measure this"
    )
    assert len(list(run_lines(RunResult(Path("run"), few, few[1].name)))) == 1, "nothing was gained"


def test_a_run_says_when_its_charset_cost_more_than_training_gave() -> None:
    rows = [Row(row.name, scored(wrong, 200), None, 0) for row, wrong in zip(ROWS, (4, 30, 20), strict=True)]
    _, told, _ = run_lines(RunResult(Path("run"), rows, "stage real"))
    assert told.startswith(
        "validation: the untouched model reads more crops right; it knows characters that the charset"
    )


def test_a_run_says_what_was_forgotten_or_why_that_is_not_known() -> None:
    *_, forgotten = run_lines(
        RunResult(Path("run"), ROWS, "stage real", general=General(scored(6, 200), scored(38, 200)))
    )
    assert forgotten == (
        "general reading 97.0% (94–99) before, 81.0% (75–86) after: the model has forgotten some "
        "(200 rendered everyday words and numbers that the charset can spell)"
    )
    *_, same = run_lines(
        RunResult(Path("run"), ROWS, "stage real", general=General(scored(6, 200), scored(5, 200)))
    )
    assert "after: no difference beyond chance" in same
    *_, none = run_lines(RunResult(Path("run"), ROWS, "stage real", general="it is so"))
    assert none == "general reading not measured: it is so"


def test_a_page_stands_alone_and_shows_texts_as_they_are(tmp_path: Path) -> None:
    crop = np.full((48, 90, 3), 200, np.uint8)
    rows: list[list[Cell]] = [["a.txt:1 <b>", Marked((("<A ", ""), ("&8", "wrong"))), crop]]
    parts = [Part("All", "", ("where", "read", ""), rows)]
    write_page(tmp_path / "page.html", "T<1>", "What & why", parts, Words())
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "<h1>T&lt;1&gt;</h1>" in html
    assert 'a.txt:1 &lt;b&gt;</span></td><td><code>&lt;A <mark class="wrong">&amp;8</mark></code>' in html
    assert "http" not in html.replace("http-equiv", "")
    assert "<script" not in html
    encoded = html.partition("base64,")[2].partition('"')[0]
    shown = image.decode(np.frombuffer(base64.b64decode(encoded), np.uint8), "page")
    assert shown.shape == crop.shape
    with pytest.raises(LinetuneError, match="cannot write the page"):
        write_page(tmp_path / "no" / "page.html", "T", "", [], Words())


def test_the_page_of_errors_marks_what_differs_and_begins_with_the_surest(tmp_path: Path) -> None:
    texts, read = ["LOT", "X1", "AB"], [("L0T", 0.7), ("X1", 0.9), ("A", 0.95)]
    lines = [Line(tmp_path / f"{i}.png", text, f"labels.txt:{i}") for i, text in enumerate(texts)]
    crops = [np.full((48, 60, 3), 200, np.uint8)] * 3
    evaluation = Evaluation(lines, [Reading(*reading) for reading in read])
    write_misread(tmp_path / "page.html", "runs/a", evaluation, crops, Words())
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "2 of 3 crops misread" in html
    assert html.count("<img") == 2
    assert html.index("labels.txt:2") < html.index("labels.txt:0")
    assert "labels.txt:1" not in html
    assert '<code>L<mark class="wrong">O</mark>' in html
    assert '<code>L<mark class="wrong">0</mark>' in html
    assert '<code>A<mark class="missing">∅</mark></code>' in html
    assert "In an error, ␣ is a space and ∅ is a missing character." in html
    assert "&#39;O&#39;</span></td><td><span>&#39;0&#39;</span></td><td><span>1</span>" in html
    assert "&#39;B&#39;</span></td><td><span>nothing</span></td><td><span>1</span>" in html
