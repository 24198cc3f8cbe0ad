"""What a review leaves: the new label file, the unusable crops, and copies of crops that were upside down."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from linetune.core import image, labelfile
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.files import relative
from linetune.data.naming import safe
from linetune.review.items import Item
from linetune.review.journal import Decision, Key

LABELS, TURNED = "labels.txt", "turned"
"""Files and a folder in the folder of a review."""


def default_folder(source: Path, shard: str = "") -> Path:
    """Return the folder of a review that the user does not name: beside its source.

    Args:
        source: a label file, or a folder of crops.
        shard: the part of the set, such as ``1/2``. Empty for all.
    """
    stem = source.resolve().name if source.is_dir() else source.stem
    part = f".{shard.replace('/', '-of-')}" if shard else ""
    return source.resolve().parent / f"{stem}{part}.review"


@dataclass(frozen=True)
class Written:
    """The label file of a review, and how many crops are what."""

    labels: Path | None
    """None if no crop has a label yet."""
    settled: int
    total: int
    changed: int
    """Settled crops whose label is new or another one."""
    unusable: int
    turned: int
    errors: Sequence[LinetuneError] = ()
    """Crops that could not be turned, and are left out."""

    def __str__(self) -> str:
        counts = {"new or corrected": self.changed, "unusable": self.unusable, "turned": self.turned}
        listed = (f"{name}: {count}" for name, count in counts.items())
        return ", ".join([f"settled: {self.settled} of {self.total}", *listed])


def write_result(folder: Path, items: Sequence[Item], decisions: Mapping[Key, Decision]) -> Written:
    """Write the new label file into the folder of a review, and the list of unusable crops.

    Crops that are not settled keep their labels. Unusable crops and crops without a label are left out. The
    label file names an upright copy of each crop that is upside down, as PNG, in the folder ``turned``.

    Args:
        folder: of the review.
        items: all crops, in the order of the label file.
        decisions: those that count.

    Raises:
        LinetuneError: a file cannot be written.
    """
    rows: dict[tuple[str, str], None] = {}
    unusable: dict[tuple[str, str], None] = {}
    changed = turned = 0
    errors: list[LinetuneError] = []
    parent_of = cache(lambda parent: relative(parent, folder))  # thousands of crops are in one folder
    for item in items:
        decision = decisions.get(item.key, Decision(item.label))
        path = PurePosixPath(parent_of(item.image.parent), item.image.name).as_posix()
        if decision.text is None:
            unusable[path, item.label] = None
            continue
        if not decision.text:
            continue
        if decision.turned:
            try:
                path = _turned(item, folder)
            except LinetuneError as error:
                errors.append(error)
                continue
            turned += 1
        changed += decision.text != item.label
        rows[path, decision.text] = None
    with os_errors("the labels cannot be written", folder):
        for name, content in ((LABELS, rows), (labelfile.UNUSABLE, unusable)):
            if content:
                labelfile.write_labels(folder / name, content)
            else:
                (folder / name).unlink(missing_ok=True)
    settled = sum(item.key in decisions for item in items)
    labels = folder / LABELS if rows else None
    return Written(labels, settled, len(items), changed, len(unusable), turned, errors)


def _turned(item: Item, folder: Path) -> str:
    """Write the upright copy of a crop. Return its path relative to the folder."""
    digest = hashlib.sha256(item.path.encode()).hexdigest()[:8]
    name = f"{TURNED}/{safe(item.image.stem)}-{digest}.png"
    crop = image.half_turned(image.read(item.image))
    with os_errors("the crop cannot be written", folder / TURNED):
        (folder / TURNED).mkdir(exist_ok=True)
    image.write(folder / name, crop)
    return name
