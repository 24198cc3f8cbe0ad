"""What the formats with boxes in photos share: the crop of a box, and the field that has the texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.source import Box, Found, Item, Source

NO_TEXT = {
    "###": "marked as illegible",  # ICDAR's mark
    "*": "marked as illegible",
}
"""Texts that say why a box has no text, and what they mean."""
_TEXTS = ("text", "transcription", "utf8string", "value", "caption", "rectexts", "word", "content")
"""Names of fields that have a text, in small letters and without ``_``."""


def crop(box: Box, text: object, name: str, place: str, index: int) -> Item:
    """Return the crop of a box, or the reason why the box is left out.

    Args:
        box: the place of the crop in a photo.
        text: the value in the source, which may be something else than a text.
        name: the name of the box, for messages.
        place: ``file:line``, for messages.
        index: the number of the box in its photo, from 0.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        hint = "export it as a text, because a number loses its leading zeros"
        return LinetuneError(f"{name} has the number {texts.shown(text)} instead of a text", place, hint)
    if not isinstance(text, str) or not text.strip():
        return LinetuneError(f"{name} has no text", place)
    if text in NO_TEXT:
        return LinetuneError(f"{name} {texts.quoted(text)}: {NO_TEXT[text]}", place)
    # The name that PPOCRLabel gives a crop.
    return Found(box, text, place, f"{box.photo.stem}_crop_{index}")


def whole(photo: Path, text: object, name: str, place: str) -> Item:
    """Return a whole image as a crop, or the reason why it is left out. Arguments as for :func:`crop`."""
    checked = crop(Box(photo, ()), text, name, place, 0)
    return Found(photo, checked.text, place, photo.stem) if isinstance(checked, Found) else checked


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
        if asked not in known:
            hint = f"there are: {', '.join(map(texts.shown, known)) or 'none'}"
            raise LinetuneError(f"no field {texts.quoted(asked)}", place, hint)
        return asked
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
