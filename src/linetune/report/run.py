"""The result of a run in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from linetune.evaluation.metrics import Score
    from linetune.training.result import RunResult

FEW = 100
"""Validation crops below which the best of many epochs looks points better than it is."""


def run_table(result: RunResult) -> Table:
    """Return a table with a row for each model of a run. A star marks the model that the run keeps."""
    # Narrow enough for 80 columns: no lines between the columns, the base model named once.
    table = Table(caption=_caption(result), box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    base = result.rows[0].name.rpartition(", ")[0]
    table.add_column(base)
    tested = result.rows[0].test is not None
    for name in ("val exact", "CER", *(("test exact", "CER") if tested else ()), "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in result.rows:
        kept = row.name == result.best
        figures = [*_figures(row.val), *(_figures(row.test) if row.test else ())]
        seconds = f"{row.seconds:.0f}" if row.seconds else "-"
        style = "bold" if kept else None
        name = row.name.removeprefix(f"{base}, ") + (" *" if kept else "")
        table.add_row(name, *figures, seconds, style=style)
    return table


def run_lines(result: RunResult) -> Iterator[str]:
    """Return what the figures mean: whether the gain may be chance, and what the model forgot."""
    names = {"val": "validation (which chose the model)", "test": "test"}
    for name, comparison in result.gain.items():
        yield f"{names[name]}: {comparison.sentence('the limited base model', result.best)}"
    untouched = result.rows[0]
    if result.helped and untouched.val.lines < FEW:
        advice = "use the test figure" if untouched.test else "data.test gives a figure that does not"
        yield (
            f"validation: {untouched.val.lines} crops chose the epoch and the stage, so their figure makes "
            f"the kept model look better than it is; {advice}"
        )
    if untouched.val.exact_match > result.kept.val.exact_match:
        yield (
            "validation: the untouched model reads more crops right; it knows characters that the charset of "
            "this run lacks; write them into a file and set charset: FILE"
        )
    general = result.general
    yield f"general reading not measured: {general}" if isinstance(general, str) else general.sentence()


def _figures(score: Score) -> tuple[str, str]:
    return score.as_text(), f"{score.cer:.1%}"


def _caption(result: RunResult) -> str:
    score, test = result.rows[0].val, result.rows[0].test
    sizes = f"{score.lines} validation" + (f" and {test.lines} test crops" if test else " crops")
    return f"{sizes}; (in brackets) 95% interval; * kept, chosen on validation"
