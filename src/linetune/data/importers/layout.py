"""Labels that are the names of files or folders."""

from __future__ import annotations

import re
from pathlib import Path

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.data.importers import texts, unknown
from linetune.data.importers.source import Format, Found, Item, Source, outside

PATTERN = r"(?P<text>.+?)(?:_\d+)?"
"""Label of a file name without its suffix: everything before a last ``_`` with only digits after it."""
_INDEX = re.compile(r".+_(\d+)")
_COUNTED = re.compile(r"(\D*)(\d+)")
_DOUBTS = {
    "holds a random part": (
        r".*?(?=\S*\d)(?=\S*[a-f])([0-9a-f]{20,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    ),
    "holds a date and a time": (
        r".*(19|20)\d\d-?[01]\d-?[0-3]\d[-_ T.]?(at )?[0-2]\d[-_.]?[0-5]\d[-_.]?[0-5]\d"
    ),
    "holds a time": r"1[5-9]\d{8}(\d{3})?$",
    "holds the number of a copy": r".* \(\d+\)|.* - copy|.* copy( \d+)?$",
    "looks like a camera's file name": (
        r"(img|dscn?|dscf|pxl|vid|win|photo|picture|screenshot|whatsapp image|frame)[-_ ]?\d"
    ),
}
"""Names that hold more than a text: a clause for messages, and how such names start."""
_FOLDER_DOUBTS = _DOUBTS | {"holds a date": r"(19|20)\d\d-[01]\d-[0-3]\d$"}
"""The same for folders. A file may be named after a date that is printed on the crop."""
_FEWEST_COUNTED = 3
"""Fewest names that can look like a mere count."""
_NO_LABELS = re.compile(
    r"train(ing)?|val(id|idating|idation)?|test(ing)?|images?|imgs?|crops|crop_img", re.IGNORECASE
)
"""Names of folders that say what kind of files they hold, not what the images show."""


def find_names(path: Path) -> list[Path]:
    """Return the folder itself if it holds images and they would not all get the same label."""
    if not path.is_dir():
        return []
    stems = [file.stem for file in _images(path)]
    labels = {match["text"] for stem in stems if (match := re.fullmatch(PATTERN, stem))}
    # A camera's IMG_0001, IMG_0002, … all give the label IMG.
    return [path] if labels and (len(labels) > 1 or len(stems) == 1) else []


def read_names(source: Source) -> list[Item]:
    """Return one crop for each image. Its label is a part of its file name.

    Raises:
        LinetuneError: the pattern is not a regular expression, or has no group ``text``.
    """
    try:
        pattern = re.compile(source.pattern or PATTERN)
    except re.error as error:
        raise LinetuneError(f"not a regular expression ({error})", "--pattern") from None
    if "text" not in pattern.groupindex:
        raise LinetuneError("no group named text", "--pattern", "write (?P<text>…) around the label")
    items: list[Item] = []
    for path in source.scan():
        match = pattern.fullmatch(texts.composed(path.stem))
        if match and match["text"] is not None:
            items.append(Found(path, match["text"], str(path), path.stem))
        else:
            what = f"the file name does not match {pattern.pattern}"
            items.append(LinetuneError(what, path, "rename the file, or pass another --pattern"))
    indexed = [item.stem for item in items if isinstance(item, Found) and _INDEX.fullmatch(item.stem)]
    if source.pattern is None and indexed:
        source.notes.append(
            f"file names that lose their last _ and digits: {len(indexed)}, such as {indexed[0]}; "
            "pass --pattern '(?P<text>.+)' to keep them"
        )
    _add_notes(source, items)
    return items


def find_folders(path: Path) -> list[Path]:
    """Return the folder itself if all its images are in subfolders whose names may be labels."""
    if not path.is_dir() or _images(path):
        return []
    entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir() and _images(entry)]
    return [path] if folders and not any(_NO_LABELS.fullmatch(folder.name) for folder in folders) else []


def read_folders(source: Source) -> list[Item]:
    """Return one crop for each image. Its label is the name of its folder."""
    items: list[Item] = []
    for path in source.scan():
        if path.parent.parent == source.path:
            items.append(Found(path, texts.composed(path.parent.name), str(path), path.stem))
        else:
            what = "not directly in a folder whose name is the label"
            items.append(LinetuneError(what, path, "move it into such a folder"))
    _add_notes(source, items)
    return items


def doubt(path: Path, form: str) -> str | None:
    """Return the reason, a clause, why names are probably not labels; None if there is no reason.

    Args:
        path: the folder of the images.
        form: ``names`` for the names of the files, ``folders`` for those of the subfolders.
    """
    if form == "names":
        names = [file.stem for file in _images(path)]
        doubts = _DOUBTS
    else:
        names = [entry.name for entry in sorted(path.iterdir()) if entry.is_dir()]
        doubts = _FOLDER_DOUBTS
        if len(names) == 1:
            return f"all images are in one folder, {names[0]!r}"
    for reason, pattern in doubts.items():
        if doubtful := [name for name in names if re.match(pattern, name, re.IGNORECASE)]:
            return f"{doubtful[0]!r} {reason}"
    labels = [match["text"] for name in names if (match := re.fullmatch(PATTERN, name))]
    parted = [label for label in labels if "_" in label]
    if 2 * len(parted) > len(labels):
        return f"{parted[0]!r} has several parts, with _ between them"
    digits = form == "folders" and all(len(label) == 1 for label in labels)
    if not digits and _are_counted(labels):
        return f"{labels[0]!r} and the other names only count up"
    indices = [int(match[1]) for name in names if (match := _INDEX.fullmatch(name))]
    if form == "names" and len(indices) >= _FEWEST_COUNTED and not _is_dense(indices):
        return f"the digits after the _ of {names[0]!r} may be part of the text"
    return None


def _are_counted(labels: list[str]) -> bool:
    """Return whether labels are one prefix and numbers that count."""
    counted = [match for label in labels if (match := _COUNTED.fullmatch(label))]
    if not len(counted) == len(labels) >= _FEWEST_COUNTED or len({match[1] for match in counted}) > 1:
        return False
    return _is_dense([int(match[2]) for match in counted])


def _is_dense(numbers: list[int]) -> bool:
    """Return whether numbers fill at least half of their range, as a count does."""
    return 2 * len(set(numbers)) > max(numbers) - min(numbers) + 1


def mixed(path: Path, skip: Path | None) -> bool:
    """Return whether a folder and its subfolders hold images, without those below ``skip``."""
    images = outside(image.in_folder(path)[0], skip)
    return len({file.parent == path for file in images}) > 1


def _images(folder: Path) -> list[Path]:
    """Return the images directly in a folder, sorted."""
    return texts.files(folder, *image.SUFFIXES)


def _add_notes(source: Source, items: list[Item]) -> None:
    example = next((item for item in items if isinstance(item, Found)), None)
    if example is not None:
        source.notes.append(f"labels are names, such as {example.text!r} of {example.place}")
    if others := unknown.others(source.path, source.skip):
        source.notes.append(f"files that are not read: {len(others)}, such as {others[0]}")


NAMES = Format(find_names, read_names, folder=True, guess=True)
FOLDERS = Format(find_folders, read_folders, folder=True, guess=True)
