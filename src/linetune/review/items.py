"""The crops of a review: those of a label file, of a folder without labels, or of the boxes in photos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linetune.core import image, textfile
from linetune.core.errors import LinetuneError
from linetune.core.files import relative
from linetune.core.labelfile import path_in_file, read_labels, unwritable
from linetune.core.progress import Reporter
from linetune.data.importers import ppocrlabel
from linetune.data.importers.source import Box, outside
from linetune.review import photos
from linetune.review.journal import Key

CROPS = "crops"
"""The folder of crops that are cut out of photos, in the folder of a review."""


@dataclass(frozen=True, slots=True)
class Item:
    """One crop to settle."""

    path: str
    """Path as the label file has it, with forward slashes. It names the crop in the journal."""
    label: str
    """Empty if the crop has no label."""
    image: Path
    box: Box | None = None
    """Place in a photo, if it is known."""

    @property
    def key(self) -> Key:
        """Name of the crop and its label in the journal."""
        return self.path, self.label


def listed(path: Path, items: Sequence[Item]) -> list[Item]:
    """Return the crops that a list names. Its lines begin with the path of a crop, relative to the list.

    Raises:
        LinetuneError: the list cannot be read, or names none of the crops.
    """
    rows = textfile.read(path, "list of crops", "linetune suspects writes suspects.txt").splitlines()
    named = {(path.parent / row.partition("\t")[0]).resolve() for row in rows if row}
    found = [item for item in items if item.image.resolve() in named]
    if not found:
        hint = "name a list of crops of these labels, such as the suspects.txt of linetune suspects"
        raise LinetuneError("names no crop of these labels", path, hint)
    return found


@dataclass(frozen=True)
class Items:
    """The crops of a source."""

    all: Sequence[Item]
    """In the order of the source, each once."""
    refused: Sequence[LinetuneError] = field(default=())
    """Why something is left out, and where it is."""


def find_source(path: Path, unlabelled: bool) -> Path:
    """Return what a path of the user means: a label file, the Label.txt of a project, or a folder of crops.

    Raises:
        LinetuneError: the path is a folder without Label.txt, or a file where a folder is needed.
    """
    if unlabelled:
        if not path.is_dir():
            raise LinetuneError("not a folder of crops", path, "--unlabelled takes a folder")
        return path
    if not path.is_dir():
        return path
    found = ppocrlabel.find(path)
    if len(found) != 1:
        hint = "name a label file, or pass --unlabelled to label the crops of the folder"
        raise LinetuneError("a folder, not a label file", path, hint)
    return found[0]


def load_items(source: Path, folder: Path, reporter: Reporter) -> Items:
    """Return the crops of a source.

    Args:
        source: see :func:`find_source`.
        folder: that of the review. Crops that are cut out of photos are written to ``crops`` in it.
        reporter: shows the progress.

    Raises:
        LinetuneError: the source cannot be read, or has no crops.
    """
    if source.is_dir():
        found = _unlabelled(source, folder.resolve())
    elif ppocrlabel.find(source):
        cut, refused = photos.cut_boxes(source, folder / CROPS, reporter)
        found = Items([Item(each.name, each.text, each.image, each.box) for each in cut], refused)
    else:
        lines = read_labels(source, unlabelled=True)
        found = Items([Item(path_in_file(line), line.text, line.image) for line in lines])
    if not found.all:
        raise found.refused[0] if found.refused else LinetuneError("no crops", source)
    return Items(list({item.key: item for item in found.all}.values()), found.refused)


def _unlabelled(folder: Path, skip: Path) -> Items:
    paths = outside(image.in_folder(folder)[0], skip)
    if not paths:
        raise image.no_images(folder)
    names = {path: relative(path, folder) for path in paths}
    refused = [
        LinetuneError(why, folder, "rename it") for name in names.values() if (why := unwritable(name))
    ]
    return Items([Item(name, "", path) for path, name in names.items() if not unwritable(name)], refused)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts of a set. A crop's path alone decides in which part it is."""

    number: int
    """1 to ``of``."""
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that a text such as ``1/2`` names.

        Raises:
            LinetuneError: the text names none.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise LinetuneError(
                f"{text!r} is not a part of a set", "--shard", "write 1/2 or 2/2, for example"
            )
        return cls(int(number), int(of))

    def select(self, items: Iterable[Item]) -> list[Item]:
        """Return the crops of this part."""
        return [item for item in items if self._number(item.path) == self.number]

    def _number(self, path: str) -> int:
        return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") % self.of + 1
