"""A text file beside each image: ``.txt``, or ``.gt.txt`` as tesstrain, kraken, Calamari and OCRopus do."""

from __future__ import annotations

import re
import unicodedata
from functools import partial
from pathlib import Path

from linetune.core import files, image
from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.source import Format, Found, Item, Source

GT, TXT = ".gt.txt", ".txt"
_VARIANTS = ("", ".raw", ".nrm", ".bin")
"""What may stand between the common stem and the image's suffix, the first found is taken."""
_BOX = re.compile(rf"[\[({{]*(?:[^\s,]+[\s,]+[\[({{]*){{0,2}}{texts.NUMBERS}")
"""Lines of files that stand beside photos: at most a word or two, and numbers."""
_SURELY_BOX = re.compile(
    r"\d+(\s+(0?\.\d+|[01](\.0*)?)){4,}\s*$"  # YOLO: a class, and parts of the photo's size
    r"|(-?\d+\s*,\s*){4}"  # ICDAR: corners in px, and a text
    r'|(-?\d+\s+){4}"'
)
"""Those that are no texts even where a person says so."""
_BEGINNING = 500
"""Characters by which a line is judged."""
_SNIFFED = 20
"""Files by which a folder is judged."""


def is_box(line: str, surely: bool = False) -> bool:
    """Whether a line looks like a box, such as YOLO's, ICDAR's or DOTA's, or ``surely`` is one."""
    return (_SURELY_BOX if surely else _BOX).match(line.strip("\ufeff ")[:_BEGINNING]) is not None


def find(path: Path) -> list[Path]:
    """The folder itself where a ``.gt.txt`` is in it."""
    return [path] if path.is_dir() and _labels(path, GT) else []


def find_txt(path: Path) -> list[Path]:
    """The folder itself where most of its ``.txt`` have an image beside them, and hold no boxes."""
    if not path.is_dir():
        return []
    images, _ = image.in_folder(path)
    stems = {_key(each.with_name(each.stem)) for each in images}
    labels = _labels(path, TXT)
    paired = [label for stem, label in labels.items() if stem in stems]
    return [path] if paired and len(paired) * 2 > len(labels) and not _are_boxes(paired) else []


def _are_boxes(labels: list[Path], surely: bool = False) -> bool:
    rows = [row for label in labels[:_SNIFFED] for row in texts.first_rows(label)[:1]]
    return bool(rows) and all(is_box(row, surely) for row in rows)


def _labels(folder: Path, end: str) -> dict[Path, Path]:
    """The text files that end so below a folder, by what stands before it."""
    names = [(path, path.name.lower()) for path in files.below(folder)]
    return {
        _key(path.with_name(path.name[: -len(end)])): path
        for path, name in names
        if name.endswith(end) and name != end and (end == GT or not name.endswith(GT))
    }


def _key(stem: Path) -> Path:
    # macOS takes the accents in names apart.
    return stem.with_name(unicodedata.normalize("NFC", stem.name))


def read(source: Source, end: str) -> list[Item]:
    """A crop an image, with the one line of its text file.

    Raises:
        LinetuneError: the text files hold boxes in photos.
    """
    labels = _labels(source.path, end)
    if end == TXT and _are_boxes(list(labels.values()), surely=True):
        first = next(iter(labels.values()))
        what = "the text files beside the images hold boxes, as those of YOLO or ICDAR, and not one text each"
        raise LinetuneError(what, f"{first}:1", "linetune knows other formats with boxes (--format)")
    source.alike = list(labels.values())
    images: dict[Path, list[Path]] = {}
    for path in source.scan():
        whole = _key(path.with_name(path.stem))
        images.setdefault(whole if whole in labels else _stem(whole), []).append(path)
    found: list[Item] = []
    for stem in sorted({*images, *labels}, key=lambda path: path.as_posix()):
        if stem not in labels:
            found.append(LinetuneError(f"no {end} beside the image", images[stem][0]))
        elif stem not in images:
            found.append(LinetuneError("no image beside the text", labels[stem]))
        else:
            found.append(_one(source, labels[stem], images[stem], stem.name))
    return found


def _one(source: Source, label: Path, images: list[Path], stem: str) -> Item:
    variants = ([path for path in images if _key(Path(path.stem)).name == stem + v] for v in _VARIANTS)
    fitting = next(filter(None, variants))
    if len(fitting) > 1:
        return LinetuneError(f"several images: {', '.join(path.name for path in fitting)}", label)
    try:
        rows = list(texts.rows(source.read_text(label)))
    except LinetuneError as error:
        return error
    if len(rows) > 1:
        return LinetuneError("more than one line of text", f"{label}:{rows[1][0]}")
    line, text = rows[0] if rows else (1, "")
    # Tesseract ends every page with a form feed.
    return Found(fitting[0], text.strip("\f"), f"{label}:{line}", stem)


def _stem(whole: Path) -> Path:
    for variant in _VARIANTS[1:]:
        if whole.name.endswith(variant):
            return whole.with_name(whole.name.removesuffix(variant))
    return whole


FORMAT = Format(find, partial(read, end=GT), folder=True)
PLAIN = Format(find_txt, partial(read, end=TXT), folder=True)
