"""What the formats with boxes in photos share: the crops of boxes, and the field that has the texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.shapes import Point, Points
from linetune.data.importers.source import Box, Found, Item, Source

NO_TEXT = {
    "###": "marked as illegible",  # ICDAR's mark
    "*": "marked as illegible",
}
"""Texts that say why a box has no text, and what they mean."""
_TEXTS = ("text", "transcription", "utf8string", "value", "caption", "rectexts", "word", "content")
"""Names of fields that have a text, in small letters and without ``_``."""


@dataclass
class Drawn:
    """A labelled box or outline in a photo, as a source has it. It may also be the whole photo."""

    name: str
    """Name of the box, for messages."""
    place: str
    """``file:line``, for messages."""
    text: object
    """Value in the source. It may be something else than a text."""
    corners: Points | None
    """Points (x, y) in px, see :class:`Box`. None means the whole photo."""
    outline: bool = False
    baseline: Point | None = None
    size: Point | None = None
    """Width and height of the photo in px as the source says."""
    needs: str = "four corners"
    """What a box without corners lacks in the source, for messages."""
    unlabelled: bool = False
    """Whether the box counts without a text."""
    reason: str | None = None
    """Why the source says that the box has no usable text. Such a box is left out."""


Entries: TypeAlias = Sequence[Drawn | LinetuneError]
"""The boxes of a photo. An error takes the place of a box that is left out."""


def crops(photo: Path, drawn: Entries) -> list[Item]:
    """Return the crop of each box of a photo, or the reason why the box is left out."""
    return [_crop(photo, each, n) if isinstance(each, Drawn) else each for n, each in enumerate(drawn)]


def _crop(photo: Path, drawn: Drawn, index: int) -> Item:
    text, name, place, corners = drawn.text, drawn.name, drawn.place, drawn.corners
    shown = f"{name} {texts.quoted(text)}" if isinstance(text, str) and text.strip() else name
    if drawn.reason:
        return LinetuneError(f"{shown}: {drawn.reason}", place)
    if corners is not None and len(corners) < (3 if drawn.outline else 4):
        return LinetuneError(f"{shown} has no {drawn.needs}", place, "draw it again, or delete this entry")
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        hint = "export it as a text, because a number loses its leading zeros"
        return LinetuneError(f"{name} has the number {texts.shown(text)} instead of a text", place, hint)
    if not isinstance(text, str) or not (text.strip() or drawn.unlabelled):
        return LinetuneError(f"{name} has no text", place, "write the text, or delete this entry")
    if text in NO_TEXT:
        return LinetuneError(f"{shown}: {NO_TEXT[text]}", place)
    if corners is None:
        return Found(photo, text, place, photo.stem)
    box = Box(photo, corners, drawn.outline, drawn.baseline, drawn.size)
    # The name that PPOCRLabel gives a crop.
    return Found(box, text, place, f"{photo.stem}_crop_{index}")


def text_field(source: Source, names: Iterable[str], place: str, sure: bool = False) -> str | None:
    """Return the name of the field that has the text. None if there are no fields.

    Args:
        source: its ``text_column`` is the field that the user names, if any.
        names: the names of all fields.
        place: ``file:line``, for messages.
        sure: whether a single field has the text whatever its name is.

    Raises:
        LinetuneError: several fields may have the text, the name of the only field does not mean text, or
            the field that the user names is missing.
    """
    known = sorted(set(names))
    asked = source.text_column
    if asked is not None:
        return named_field(asked, known, place)
    if not known:
        return None
    likely = [name for name in known if name.lower().replace("_", "") in _TEXTS]
    # A field may have a person's correction of a text in another field.
    chosen = [name for name in known if name in likely or texts.CORRECTED.search(name)] or known
    if len(chosen) > 1:
        what = f"it is not clear which field has the text: {', '.join(map(texts.shown, chosen))}"
        raise LinetuneError(what, place, "pass --text-column NAME")
    if chosen[0] not in likely and not sure:
        what = f"it is not clear whether the field {texts.quoted(chosen[0])} has the text"
        raise LinetuneError(what, place, f"if it does, pass --text-column {texts.shown(chosen[0])}")
    return chosen[0]


def named_field(asked: str, known: Iterable[str], place: str) -> str:
    """Return the field that the user names.

    Raises:
        LinetuneError: it is not one of the known fields.
    """
    if asked not in known:
        hint = f"there are: {', '.join(map(texts.shown, known)) or 'none'}"
        raise LinetuneError(f"no field {texts.quoted(asked)}", place, hint)
    return asked


def refuse_image_column(source: Source, name: str) -> None:
    """Check that the user names no image column, for a format that has a fixed place for image names.

    Args:
        source: its ``image_column`` is the column that the user names, if any.
        name: the format.

    Raises:
        LinetuneError: the user names a column.
    """
    if source.image_column is not None:
        what = f"{name} has a fixed place for the names of images"
        raise LinetuneError(what, "--image-column", "leave it out")
