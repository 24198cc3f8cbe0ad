"""Disputed labels for a person to settle: a page with pictures, a text file, a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from linetune.analysis.suspects import Reading, Suspects
from linetune.core import atomic, image
from linetune.core.errors import os_errors
from linetune.core.labelfile import Line
from linetune.report.errors import side_by_side
from linetune.report.page import Cell, Part, ToCopy, page

PAGE, LIST = "suspects.html", "suspects.txt"
COLUMNS = ("crop", "label", "read", "score", "where", "the line, if the reading is right")
HOW = (
    "Where the label is wrong, put the right line in its place in the label file: one click on the last "
    "column selects the line with the reading. Nothing has been changed yet."
)


def write_suspects(folder: Path, found: Suspects, top: int) -> list[Path]:
    """Write the page and the list of the ``top`` most strongly disputed labels; both or none.

    Raises:
        LinetuneError: the folder cannot be written.
    """
    shown = found.disputed[:top]
    part = Part("The most strongly disputed first", HOW, COLUMNS, list(_rows(shown)))
    with os_errors("cannot write", folder), atomic.files_written(folder) as partial:
        atomic.write_text(partial / PAGE, page("Suspect labels", summary(found, top), [part]))
        atomic.write_text(partial / LIST, "".join(map(_listed, shown)))
    return [folder / PAGE, folder / LIST]


def suspects_table(found: Suspects, shown: int) -> Table:
    """The most strongly disputed labels."""
    table = Table()
    table.add_column("where", overflow="fold")
    for name in ("label", "read"):
        table.add_column(name, overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    for each in found.disputed[:shown]:
        table.add_row(each.line.source, repr(each.line.text), repr(each.read), f"{each.score:.1f}")
    return table


def summary(found: Suspects, shown: int) -> str:
    """One sentence."""
    if found.doubt:
        return found.doubt
    more = f", the first {shown} shown" if len(found.disputed) > shown else ""
    unjudged = f"; {found.unjudged} are not judged" if found.unjudged else ""
    return f"{len(found.disputed)} of {found.lines} labels are disputed{more}{unjudged}"


def path_in_file(line: Line) -> str:
    """A crop's path as it stands in the line's label file."""
    labels = Path(line.source.rpartition(":")[0])
    try:
        return line.image.relative_to(labels.parent).as_posix()
    except ValueError:
        return line.image.as_posix()


def _rows(suspects: Sequence[Reading]) -> Iterator[list[Cell]]:
    for each in suspects:
        line = each.line
        label, read = side_by_side(line.text, each.read)
        ready = ToCopy(f"{path_in_file(line)}\t{each.read}")
        yield [image.resize(image.read(line.image)), label, read, f"{each.score:.1f}", line.source, ready]


def _listed(each: Reading) -> str:
    fields = (path_in_file(each.line), each.line.text, each.read, f"{each.score:.2f}", each.line.source)
    return "\t".join(fields) + "\n"
