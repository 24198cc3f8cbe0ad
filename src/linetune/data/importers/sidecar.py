"""A text file beside each image: ``.txt``, or ``.gt.txt`` as in tesstrain, kraken, Calamari and OCRopus."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from linetune.core import files, image
from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.source import Format, Found, Item, Source

GT, TXT = ".gt.txt", ".txt"
_VARIANTS = ("", ".raw", ".nrm", ".bin")
"""What the name of an image may have between the stem of its text file and its suffix. linetune imports the
first of these variants that exists."""
_VARIANT = re.compile(r"\.(raw|nrm|bin)$")
_BOX = re.compile(rf"[\[({{]*(?:[^\s,]+[\s,]+[\[({{]*){{0,2}}{texts.NUMBERS}")
"""A line that may be a box: a word or two at most, then numbers."""
_CERTAIN_BOX = re.compile(
    r"\d+(\s+(0?\.\d+|[01](\.0*)?)){4,}\s*$"  # YOLO: a class, and fractions of the photo's size
    r"|(-?\d+\s*,\s*){4}"  # ICDAR: corners in px, and a text
    r'|(-?\d+\s+){4}"'
)
"""A line that is a box even if the user says that it is a text."""
_SNIFFED_CHARACTERS = 500
_SNIFFED_FILES = 20


def is_box(line: str, surely: bool = False) -> bool:
    """Return whether a line looks like a box of YOLO, ICDAR or DOTA; with ``surely``, whether it is one."""
    return (_CERTAIN_BOX if surely else _BOX).match(line.strip("\ufeff ")[:_SNIFFED_CHARACTERS]) is not None


def find(path: Path) -> list[Path]:
    """Return the folder itself if there is a ``.gt.txt`` below it."""
    return [path] if path.is_dir() and _text_files(path, GT) else []


def find_txt(path: Path) -> list[Path]:
    """Return the folder itself if most of its ``.txt`` files are beside an image and do not hold boxes."""
    if not path.is_dir():
        return []
    images, _ = image.in_folder(path)
    stems = {_stem(file, file.suffix) for file in images}
    labels = _text_files(path, TXT)
    paired = [label for stem, label in labels.items() if stem in stems]
    return [path] if paired and len(paired) * 2 > len(labels) and not _are_boxes(paired) else []


def _are_boxes(labels: list[Path], surely: bool = False) -> bool:
    """Return whether all of the first files start with a box."""
    rows = [row for label in labels[:_SNIFFED_FILES] for row in texts.first_rows(label)[:1]]
    return bool(rows) and all(is_box(row, surely) for row in rows)


def _text_files(folder: Path, end: str) -> dict[Path, Path]:
    """Return the files below a folder whose name ends in ``end``, by their path without that end."""
    names = [(path, path.name.lower()) for path in files.below(folder)]
    return {
        _stem(path, end): path
        for path, name in names
        if name.endswith(end) and name != end and (end == GT or not name.endswith(GT))
    }


def _stem(path: Path, end: str) -> Path:
    """Return the path without the end of its name, in the Unicode form of :func:`texts.composed`."""
    return path.with_name(texts.composed(path.name[: -len(end)]))


def read(source: Source, end: str) -> list[Item]:
    """Return one crop for each image: the label is the only line of its text file.

    Args:
        source: the folder.
        end: how the names of the text files end, GT or TXT.

    Raises:
        LinetuneError: the text files hold boxes in photos.
    """
    labels = _text_files(source.path, end)
    if end == TXT and _are_boxes(list(labels.values()), surely=True):
        what = (
            "the text files beside the images hold boxes, as those of YOLO or ICDAR do, and not one text each"
        )
        hint = "pass --format icdar_boxes if each box has a text"
        raise LinetuneError(what, f"{next(iter(labels.values()))}:1", hint)
    source.alike = list(labels.values())
    images: dict[Path, list[Path]] = {}
    for path in source.scan():
        stem = _stem(path, path.suffix)
        if stem not in labels:
            stem = stem.with_name(_VARIANT.sub("", stem.name))
        images.setdefault(stem, []).append(path)
    items: list[Item] = []
    for stem in sorted({*images, *labels}, key=lambda path: path.as_posix()):
        if stem in images and stem in labels:
            items.append(_crop(source, labels[stem], images[stem], stem.name))
        elif stem in images:
            hint = f"write its text into {stem.name}{end}"
            items.append(LinetuneError(f"no {end} beside the image", images[stem][0], hint))
        else:
            hint = "add the image, or delete the text"
            items.append(LinetuneError("no image beside the text", labels[stem], hint))
    return items


def _crop(source: Source, label: Path, images: list[Path], stem: str) -> Item:
    """Return the crop of a text file and the images that share its stem."""
    variants = ([path for path in images if _stem(path, path.suffix).name == stem + v] for v in _VARIANTS)
    fitting = next(filter(None, variants))
    if len(fitting) > 1:
        what = f"several images: {', '.join(path.name for path in fitting)}"
        return LinetuneError(what, label, "keep one of them")
    try:
        rows = list(texts.rows(source.read_text(label), label))
    except LinetuneError as error:
        return error
    if len(rows) > 1:
        return LinetuneError("more than one line of text", f"{label}:{rows[1][0]}", "keep one line")
    line, text = rows[0] if rows else (1, "")
    # Tesseract ends every page with a form feed.
    return Found(fitting[0], text.strip("\f"), f"{label}:{line}", stem)


FORMAT = Format(find, partial(read, end=GT), folder=True)
PLAIN = Format(find_txt, partial(read, end=TXT), folder=True)
