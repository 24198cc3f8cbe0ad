"""The splits of a draft: label files that exist, or one label file that is divided."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from linetune.core.errors import LinetuneError, place
from linetune.core.labelfile import Line, read_labels
from linetune.core.outputs import refuse_existing
from linetune.core.progress import Reporter, count
from linetune.data.check.images import summarise_all
from linetune.data.groups import CROP_OF_PHOTO, group
from linetune.data.split import NAMES, SHARES, divide
from linetune.drafting.decisions import ELSEWHERE, LABELS, Draft


def with_labels(folder: Path, source: Path, reporter: Reporter) -> Draft:
    """Return a draft with its splits.

    Args:
        folder: the folder of the draft.
        source: a label file of all crops, or a folder with train.txt and val.txt.
        reporter: shows the progress of the search for near-duplicates.

    Raises:
        LinetuneError: the labels cannot be read or split.
    """
    if source.is_dir():
        splits = _read_splits(source)
        lines = [line for each in splits.values() for line in each]
        reasons = [f"data: the label files in {source}", *_unreadable(lines, _opened(lines, reporter))]
        return Draft(folder, splits, reasons=reasons)
    _refuse_one_split(source)
    lines = read_labels(source)
    if lines[0].text.startswith('[{"transcription"'):
        raise LinetuneError("labels of whole photos, as PPOCRLabel writes them", source, _cut(source.parent))
    refuse_existing(folder / LABELS, hint=ELSEWHERE)
    unreadable: list[LinetuneError] = []
    # Crops of one photo share its light, pen and camera. In two splits, they would flatter the model.
    by_photo = all(re.search(CROP_OF_PHOTO, line.image.name) for line in lines)
    pattern = CROP_OF_PHOTO if by_photo else None
    groups = group(lines, pattern, count(reporter, "comparing", len(lines)), unreadable)
    try:
        division = divide(lines, groups, SHARES)
    except LinetuneError as error:
        hint = "linetune split LABELS --to DIR has settings; then use --from DIR"
        raise LinetuneError(error.what, source, hint) from None
    sizes = ", ".join(f"{name} {len(some)}" for name, some in division.splits.items())
    reasons = [f"data: {len(lines)} labels are split into {folder / LABELS}: {sizes}"]
    if by_photo:
        reasons.append("data: the crops of one photo (names like NAME_crop_0.png) stay in one split")
    reasons += _unreadable(lines, unreadable)
    reasons += [f"not balanced: {reason}" for reason in division.unbalanced]
    return Draft(folder, division.splits, division, reasons=reasons)


def _opened(lines: Sequence[Line], reporter: Reporter) -> list[LinetuneError]:
    """Return the errors of the images that cannot be read."""
    paths = [line.image for line in lines]
    found = zip(paths, summarise_all(paths, count(reporter, "opening", len(lines))), strict=True)
    return [
        LinetuneError(f"{each.what}: {place(path)}")
        for path, each in found
        if isinstance(each, LinetuneError)
    ]


def _unreadable(lines: Sequence[Line], errors: Sequence[LinetuneError]) -> list[str]:
    """Return one reason that counts the images that cannot be read, and names the first. None without any."""
    if not errors:
        return []
    number = f"{len(errors)} of {len(lines)} images cannot be read"
    return [f"data: {number}, such as this one: {errors[0].what}; linetune check names each"]


def _refuse_one_split(source: Path) -> None:
    """Refuse one of the label files of a folder that has both train.txt and val.txt."""
    folder = source.parent
    is_split = source.name in {f"{name}.txt" for name in NAMES}
    if is_split and all((folder / f"{name}.txt").exists() for name in NAMES[:2]):
        other = "val.txt" if source.name == "train.txt" else "train.txt"
        hint = f"name the folder: --from {folder}"
        raise LinetuneError(f"the folder also has a {other}", source, hint)


def _cut(photos: Path) -> str:
    """Return the hint for photos whose crops have to be cut out first."""
    command = f"linetune import {shlex.quote(str(photos))} --to crops"
    return f"{command} cuts the crops out; then --from crops/labels.txt"


def _read_splits(folder: Path) -> dict[str, list[Line]]:
    paths = {name: folder / f"{name}.txt" for name in NAMES}
    missing = [path.name for name, path in paths.items() if name != "test" and not path.is_file()]
    if missing:
        what = f"the folder has no {' and no '.join(missing)}"
        hint = "name a label file of all crops, and linetune splits it"
        if (folder / "Label.txt").is_file():
            hint = _cut(folder)
        elif (folder / "labels.txt").is_file():
            hint = f"name its label file, and linetune splits it: --from {folder / 'labels.txt'}"
        raise LinetuneError(what, folder, hint)
    return {name: read_labels(path) for name, path in paths.items() if path.is_file()}
