"""Labels that are the names of files or of folders."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.data.importers import unknown
from linetune.data.importers.source import Format, Found, Item, Source

PATTERN = r"(?P<text>.+?)(?:_\d+)?"
"""The stem, up to a last underscore that only digits follow."""
_INDEX = re.compile(r".+_(\d+)")
_COUNTED = re.compile(r"(\D*)(\d+)")
_DOUBTS = {
    "a random part": r".*?(?=\S*\d)(?=\S*[a-f])([0-9a-f]{20,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    "a date and a time": r".*(19|20)\d\d-?[01]\d-?[0-3]\d[-_ T.]?(at )?[0-2]\d[-_.]?[0-5]\d[-_.]?[0-5]\d",
    "a time": r"1[5-9]\d{8}(\d{3})?$",
    "the number of a copy": r".* \(\d+\)|.* - copy|.* copy( \d+)?$",
    "what a camera calls its pictures": (
        r"(img|dscn?|dscf|pxl|vid|win|photo|picture|screenshot|whatsapp image|frame)[-_ ]?\d"
    ),
}
"""How names begin that hold more than a text, by what they hold."""
_OF_FOLDERS = {"a date": r"(19|20)\d\d-[01]\d-[0-3]\d$"}
"""Those of folders alone: a file may be named for a date that is printed."""
_MANY = 3
"""Names from which on they may count."""
_NO_LABELS = {
    "train",
    "training",
    "val",
    "valid",
    "validating",
    "validation",
    "test",
    "testing",
    "images",
    "image",
    "img",
    "imgs",
    "crops",
    "crop_img",
}
"""Names of folders that say what lies in them, but not what is written there."""


def find_names(path: Path) -> list[Path]:
    """The folder itself, where it holds images of which not all would get the same label."""
    if not path.is_dir():
        return []
    stems = [p.stem for p in path.iterdir() if _is_image(p)]
    labels = {match["text"] for stem in stems if (match := re.fullmatch(PATTERN, stem))}
    # A camera's IMG_0001, IMG_0002, … say nothing.
    return [path] if labels and (len(labels) > 1 or len(stems) == 1) else []


def read_names(source: Source) -> list[Item]:
    """A crop an image; its label is a part of its name.

    Raises:
        LinetuneError: the pattern is no regular expression, or has no group ``text``.
    """
    try:
        pattern = re.compile(source.pattern or PATTERN)
    except re.error as error:
        raise LinetuneError(f"not a regular expression ({error})", "--pattern") from None
    if "text" not in pattern.groupindex:
        raise LinetuneError("no group named text", "--pattern", "write (?P<text>…) around the label")
    found: list[Item] = []
    for path in source.scan():
        match = pattern.fullmatch(_composed(path.stem))
        text = match["text"] if match else None
        if text is None:
            found.append(LinetuneError(f"the name does not fit {pattern.pattern}", path))
        else:
            found.append(Found(path, text, str(path), path.stem))
    if source.pattern is None and (
        cut := [item for item in found if isinstance(item, Found) and _INDEX.fullmatch(item.stem)]
    ):
        source.notes.append(
            f"names that lose their last _ and digits: {len(cut)}, such as {cut[0].stem}; "
            "--pattern '(?P<text>.+)' keeps them"
        )
    _note(source, found)
    return found


def find_folders(path: Path) -> list[Path]:
    """The folder itself, where its images all lie in subfolders that may be named for a label."""
    if not path.is_dir():
        return []
    inside = [p for p in path.iterdir() if not p.name.startswith(".")]
    folders = [p for p in inside if p.is_dir() and any(map(_is_image, p.iterdir()))]
    named = [p for p in folders if p.name.lower() not in _NO_LABELS]
    return [path] if named and len(named) == len(folders) and not any(map(_is_image, inside)) else []


def read_folders(source: Source) -> list[Item]:
    """A crop an image; its label is the name of the folder it lies in."""
    found: list[Item] = []
    for path in source.scan():
        if path.parent.parent != source.path:
            found.append(LinetuneError("not directly in a folder that is named for a label", path))
        else:
            found.append(Found(path, _composed(path.parent.name), str(path), path.stem))
    _note(source, found)
    return found


def doubt(path: Path, form: str) -> str | None:
    """Why names are hardly labels as they stand, a clause; None where nothing says so.

    Args:
        path: the folder of the images.
        form: whether ``names`` of files count, or those of ``folders``.
    """
    files = sorted(path.iterdir())
    names = (
        [p.stem for p in files if _is_image(p)] if form == "names" else [p.name for p in files if p.is_dir()]
    )
    labels = [match["text"] for name in names if (match := re.fullmatch(PATTERN, name))]
    if form == "folders" and len(names) == 1:
        return f"all images lie in one folder, {names[0]!r}"
    doubts = _DOUBTS | (_OF_FOLDERS if form == "folders" else {})
    for what, pattern in doubts.items():
        if held := [name for name in names if re.match(pattern, name, re.IGNORECASE)]:
            return f"{held[0]!r} holds {what}"
    parted = [label for label in labels if "_" in label]
    if 2 * len(parted) > len(labels):
        return f"{parted[0]!r} has several parts"
    counted = [match for label in labels if (match := _COUNTED.fullmatch(label))]
    if len(counted) == len(labels) >= _MANY and len({match[1] for match in counted}) == 1:
        digits = form == "folders" and all(len(label) == 1 for label in labels)
        if not digits and _is_dense([int(match[2]) for match in counted]):
            return f"{labels[0]!r} and the others only count"
    indices = [int(match[1]) for name in names if (match := _INDEX.fullmatch(name))]
    if form == "names" and len(indices) >= _MANY and not _is_dense(indices):
        return f"the digits after the _ of {names[0]!r} may be part of the text"
    return None


def _is_dense(numbers: list[int]) -> bool:
    """Whether numbers count: they fill half of their range."""
    return 2 * len(set(numbers)) > max(numbers) - min(numbers) + 1


def mixed(path: Path, skip: Path | None) -> bool:
    """Whether images lie in a folder and in its subfolders, those below ``skip`` left out."""
    images = [p for p in image.in_folder(path)[0] if skip is None or not p.resolve().is_relative_to(skip)]
    return len({p.parent == path for p in images}) > 1


def _composed(name: str) -> str:
    """A name as texts are written; macOS takes the accents in names apart."""
    return unicodedata.normalize("NFC", name)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in image.SUFFIXES and not path.name.startswith(".") and path.is_file()


def _note(source: Source, found: list[Item]) -> None:
    first = next((item for item in found if isinstance(item, Found)), None)
    if first is not None:
        source.notes.append(f"labels are names, such as {first.text!r} of {first.place}")
    if others := unknown.others(source.path, source.skip):
        source.notes.append(f"files that are not read: {len(others)}, such as {others[0]}")


NAMES = Format(find_names, read_names, folder=True, guess=True)
FOLDERS = Format(find_folders, read_folders, folder=True, guess=True)
