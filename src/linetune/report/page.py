"""One HTML file that shows crops: everything inside it, no script, nothing fetched from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal, TypeAlias

import cv2
import numpy as np

from linetune.core import atomic
from linetune.core.errors import os_errors
from linetune.core.image import Crop

JPEG_QUALITY = 90
"""Of the pictures: at height 48 some 3 kB each."""

Mark = Literal["", "wrong", "missing"]
"""Why a piece of a text stands out."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A text in pieces, some of which stand out; spaces show."""

    pieces: tuple[tuple[str, Mark], ...]


@dataclass(frozen=True, slots=True)
class ToCopy:
    """A text that one click selects as a whole, tabs and all."""

    text: str


Cell: TypeAlias = "str | Marked | ToCopy | Crop"
"""Plain text, a marked text, a text to copy, or a picture (BGR uint8 of shape (height, width, 3))."""


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, a sentence, and a table where there are rows."""

    heading: str
    text: str = ""
    columns: Sequence[str] = ()
    rows: Iterable[Sequence[Cell]] = ()


def write_page(path: Path, title: str, intro: str, parts: Iterable[Part]) -> None:
    """Write the page; it appears whole or not at all, and replaces a file of its name.

    Raises:
        LinetuneError: it cannot be written.
    """
    with os_errors("cannot write the page", path):
        atomic.write_text(path, page(title, intro, parts))


def page(title: str, intro: str, parts: Iterable[Part]) -> str:
    """The page's HTML; every text is escaped."""
    body = "\n".join(map(_part, parts))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_POLICY}\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(intro)}</p>\n{body}\n</body>\n</html>\n"
    )


def _part(part: Part) -> str:
    text = f"<p>{escape(part.text)}</p>\n" if part.text else ""
    head = "".join(f"<th>{escape(name)}</th>" for name in part.columns)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in part.rows
    )
    table = f"<table>\n<tr>{head}</tr>\n{rows}\n</table>\n" if rows else ""
    return f"<h2>{escape(part.heading)}</h2>\n{text}{table}"


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    if isinstance(cell, ToCopy):
        return f'<code class="copy">{escape(cell.text)}</code>'
    if isinstance(cell, Marked):
        pieces = (
            f'<mark class="{mark}">{escape(text)}</mark>' if mark else escape(text)
            for text, mark in cell.pieces
        )
        return f"<code>{''.join(pieces)}</code>"
    _, data = cv2.imencode(".jpg", cell, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    encoded = base64.b64encode(np.asarray(data, np.uint8).tobytes()).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{encoded}">'


_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
)
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 2em auto; max-width: 1200px; padding: 0 1em; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #8886; padding: .35em .8em; text-align: left; vertical-align: middle; }
td { overflow-wrap: anywhere; }
code { font-size: 1.1em; unicode-bidi: isolate; white-space: pre-wrap; }
code.copy { font-size: .9em; user-select: all; white-space: pre; }
img { display: block; max-width: 640px; }
mark { border-radius: 2px; color: inherit; padding: 0 1px; }
mark.wrong { background: #e5484d66; }
mark.missing { background: #f5a52466; }
"""
