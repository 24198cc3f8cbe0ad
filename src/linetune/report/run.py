"""The result of a run in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from linetune.analysis.learning_curve import Point
    from linetune.training.result import Row, RunResult

FEW = 100
"""Validation crops below which the best of many epochs looks points better than it is."""


def run_table(result: RunResult) -> Table:
    """Return a table with a row for each model of a run. A star marks the model that the run keeps."""
    # Narrow enough for 80 columns: no lines between the columns, the base model named once.
    table = Table(caption=_caption(result), box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    base = result.rows[0].name.rpartition(", ")[0]
    table.add_column(base)
    rows = [*result.rows, *result.beside]
    names = [row.name.removeprefix(f"{base}, ") + (" *" if row is result.kept else "") for row in rows]
    add_scores(table, names, rows)
    return table


def add_scores(table: Table, names: Sequence[str], scored: Sequence[Row | Point]) -> None:
    """Add the columns of scores and seconds to a table with a first column, and a row for each model.

    Args:
        table: the table.
        names: the texts of the first column. A row whose name ends with * is bold.
        scored: the scores of each row.
    """
    tested = any(each.test for each in scored)
    for name in ("val exact", "CER", *(("test exact", "CER") if tested else ()), "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, each in zip(names, scored, strict=True):
        scores = [score for score in (each.val, each.test) if score]
        figures = [figure for score in scores for figure in (score.as_text(), f"{score.cer:.1%}")]
        seconds = f"{each.seconds:.0f}" if each.seconds else "-"
        table.add_row(name, *figures, seconds, style="bold" if name.endswith("*") else None)


def run_lines(result: RunResult) -> Iterator[str]:
    """Return what the figures mean: whether the gain may be chance, and what the model forgot."""
    names = {"val": "validation (which chose the model)", "test": "test"}
    for name, comparison in result.gain.items():
        yield f"{names[name]}: {comparison.sentence('the limited base model', result.best)}"
    for name, comparison in result.after_teacher.items():
        yield f"{names[name]}: {comparison.sentence('the teacher', result.best)}"
    for name, stage in result.self_training.items():
        yield (
            f"{name}: the model labelled {stage.sure} of {stage.crops} unlabelled crops; by its confidence, "
            f"{stage.right:.0f} of these labels are right"
        )
        for split, comparison in result.gave(name).items():
            yield f"{names[split]}: {comparison.sentence(stage.before, name)}"
        if not stage.kept:
            yield f"{name} is not the kept model: the unlabelled crops did not help on validation"
        if stage.unlike:
            yield (
                f"{name}: the model doubted the unlabelled crops more than the validation crops, so the "
                "stage wins a tie on these; label some unlabelled crops to see what they gave"
            )
    if result.speedup is not None:
        faster = f"reads {result.speedup:.1f} times as many crops a second as the teacher"
        yield f"{result.best} {faster} (onnxruntime, one thread)"
    untouched = result.rows[0]
    if result.helped and untouched.val.lines < FEW:
        advice = "look at the test crops" if untouched.test else "add test crops (data.test) to measure this"
        yield (
            f"validation: {untouched.val.lines} crops chose the epoch and the stage. On new crops, the "
            f"kept model probably reads a smaller share right; {advice}"
        )
    if untouched.val.exact_match > result.kept.val.exact_match:
        yield (
            "validation: the untouched model reads more crops right; it knows characters that the charset of "
            "this run lacks; write them into a file and set charset: FILE"
        )
    general = result.general
    yield f"general reading not measured: {general}" if isinstance(general, str) else general.sentence()


def _caption(result: RunResult) -> str:
    score, test = result.rows[0].val, result.rows[0].test
    sizes = f"{score.lines} validation" + (f" and {test.lines} test crops" if test else " crops")
    return f"{sizes}; (in brackets) 95% interval; * kept, chosen on validation"
