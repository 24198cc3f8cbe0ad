"""Suspects for a person to decide on: a page with pictures, a text file and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from linetune.analysis.suspects import Reading, Suspects
from linetune.core import atomic, image
from linetune.core.errors import os_errors, place
from linetune.core.labelfile import path_in_file
from linetune.report.page import Cell, Part, ToCopy, legend, marked_difference, page
from linetune.report.words import Words

PAGE, LIST = "suspects.html", "suspects.txt"


def write_suspects(folder: Path, found: Suspects, top: int, say: Words) -> list[Path]:
    """Write the page and the list of the ``top`` suspects with the highest scores, both or none.

    The page is in the language of ``say``.

    Returns:
        the paths of the page and of the list.

    Raises:
        LinetuneError: the files cannot be written.
    """
    shown = found.disputed[:top]
    how = say(
        "Where a label is wrong, replace its line in the label file. If the reading is right, click on the "
        "corrected line to select it, and copy it there. linetune has changed no file."
    )
    columns = say("crop"), say("label"), say("read"), say("score"), say("where"), say("corrected line")
    part = Part(say("Highest score first"), say(" ").join((how, legend(say))), columns, _rows(shown))
    with os_errors("cannot write", folder), atomic.files_written(folder) as partial:
        atomic.write_text(partial / PAGE, page(say("Suspects"), summary(found, top, say), [part], say))
        atomic.write_text(partial / LIST, "".join(map(_listed, shown)))
    return [folder / PAGE, folder / LIST]


def suspects_table(found: Suspects, shown: int) -> Table:
    """Return a table of the suspects with the highest scores."""
    table = Table()
    for name in ("where", "label", "read"):
        table.add_column(name, overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    for suspect in found.disputed[:shown]:
        table.add_row(
            place(suspect.line.source), repr(suspect.line.text), repr(suspect.read), f"{suspect.score:.1f}"
        )
    return table


def suspects_dict(found: Suspects) -> dict[str, Any]:
    """Return plain values for JSON."""
    return {
        "lines": found.lines,
        "agreed": found.agreed,
        "unjudged": found.unjudged,
        "cannot_tell": found.doubt(),
        "skipped": found.skipped,
        "disputed": [
            {
                "source": suspect.line.source,
                "image": str(suspect.line.image),
                "text": suspect.line.text,
                "read": suspect.read,
                "score": suspect.score,
            }
            for suspect in found.disputed
        ],
    }


def summary(found: Suspects, shown: int, say: Words) -> str:
    """Return a sentence with the number of suspects, or the reason why the model finds none."""
    if doubt := found.doubt(say):
        return doubt
    more = say(", the first {shown} shown", shown=shown) if len(found.disputed) > shown else ""
    unjudged = say("; {labels} are not judged", labels=found.unjudged) if found.unjudged else ""
    suspects = say(
        "{suspects} of {labels} labels are suspects", suspects=len(found.disputed), labels=found.lines
    )
    return f"{suspects}{more}{unjudged}"


def _rows(suspects: Sequence[Reading]) -> Iterator[list[Cell]]:
    for suspect in suspects:
        line = suspect.line
        label, read = marked_difference(line.text, suspect.read)
        corrected = ToCopy(f"{path_in_file(line)}\t{suspect.read}")
        crop = image.resize(image.read(line.image))
        yield [crop, label, read, f"{suspect.score:.1f}", line.source, corrected]


def _listed(suspect: Reading) -> str:
    line = suspect.line
    return (
        "\t".join((path_in_file(line), line.text, suspect.read, f"{suspect.score:.2f}", line.source)) + "\n"
    )
