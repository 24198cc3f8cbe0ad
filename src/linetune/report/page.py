"""One HTML file that shows crops. It holds its pictures, has no script, and fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from linetune.core import atomic, image
from linetune.core.charset import show
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.evaluation.metrics import aligned
from linetune.report import markdown
from linetune.report.words import Words

JPEG_QUALITY = 90
"""Quality of the pictures, which take about 3 kB each at height 48."""

Mark = Literal["", "wrong", "missing"]
"""How a piece of a text is highlighted; empty for not at all."""
SPACE, MISSING = "␣", "∅"
"""What a page shows for a space and for a missing character in an error."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A text in pieces, some of which are highlighted. All its spaces are shown."""

    pieces: tuple[tuple[str, Mark], ...]


@dataclass(frozen=True, slots=True)
class ToCopy:
    """A text that one click selects, with its tabs."""

    to_copy: str


Cell: TypeAlias = "str | Marked | ToCopy | Crop"
"""The content of a table cell: a text, or a picture (BGR uint8 of shape (height, width, 3))."""


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, a sentence, a figure, and a table. A table without rows is not shown."""

    heading: str
    text: str = ""
    columns: Sequence[str] = ()
    rows: Iterable[Sequence[Cell]] = ()
    figure: str = ""
    """An SVG element from :func:`linetune.report.figures.inline`. It is not escaped."""


def write_page(path: Path, title: str, intro: str, parts: Iterable[Part], say: Words) -> None:
    """Write a page. The file appears whole or not at all, and replaces an existing one.

    Raises:
        LinetuneError: the file cannot be written.
    """
    with os_errors("cannot write the page", path):
        atomic.write_text(path, page(title, intro, parts, say))


def page(title: str, intro: str, parts: Iterable[Part], say: Words) -> str:
    """Return the HTML of a page. Texts are escaped. They are in the language of ``say`` already."""
    return rendered("page.html", say, title=title, intro=intro, parts=parts)


def rendered(template: str, say: Words, **values: Any) -> str:
    """Return a text from one of the templates. Pages all extend ``base.html``, and their texts are escaped.

    Args:
        template: the file in ``templates``.
        say: the language.
        values: what the template shows. ``base.html`` needs ``title``.
    """
    environment = Environment(
        loader=PackageLoader("linetune", "report/templates"),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["jpeg_url"] = _jpeg_url
    environment.filters["visible"] = visible
    environment.filters |= markdown.FILTERS
    return environment.get_template(template).render(values, say=say)


def legend(say: Words) -> str:
    """Return a sentence for pages that show errors."""
    return say(
        "In an error, {space} is a space and {missing} is a missing character.", space=SPACE, missing=MISSING
    )


def marked_difference(label: str, read: str) -> tuple[Marked, Marked]:
    """Return a label and its reading, padded to the same length, with their differences highlighted."""
    pairs = aligned(label, read)
    return Marked(tuple(map(_piece, pairs))), Marked(tuple(_piece((b, a)) for a, b in pairs))


def visible(piece: str, mark: Mark) -> str:
    """Return a piece of a text so that its marks are seen without colours too."""
    if mark == "missing":
        return MISSING
    if not mark or (piece.isprintable() and not piece.isspace()):
        return piece
    return "".join(SPACE if each == " " else show(each) if each.isspace() else each for each in piece)


def read_crop(path: Path) -> Crop | None:
    """Return the image of a crop at the network's height. None if it cannot be read."""
    try:
        return image.resize(image.read(path))
    except LinetuneError:
        return None


def _piece(pair: tuple[str, str]) -> tuple[str, Mark]:
    character, other = pair
    if character == other:
        return character, ""
    # A space in place of a missing character keeps the two texts aligned.
    return (character, "wrong") if character else (" ", "missing")


def _jpeg_url(crop: Crop) -> str:
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(np.asarray(data, np.uint8).tobytes()).decode("ascii")
