"""``linetune split``"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError
from linetune.data.split import SHARES


def split(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="The label file: one path<TAB>text a line.")
    ],
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder for train.txt, val.txt and test.txt.")],
    val: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the validation crops, 0 to 1.")
    ] = SHARES["val"],
    test: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the test crops, 0 to 1; 0 for none.")
    ] = SHARES["test"],
    group_by: options.GroupByOption = None,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Seed of the choice between equal splits.")] = 0,
    overwrite: options.OverwriteOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Split a label file into training, validation and test crops.

    Near-duplicates stay in one split, as do crops of one group (--group-by).

    Example: linetune split all.txt --group-by '^(.+)_crop' --to mine/crops
    """
    from linetune.core.labelfile import read_labels
    from linetune.core.progress import count
    from linetune.data.groups import CROP_OF_PHOTO, group
    from linetune.data.split import divide, write
    from linetune.report.terminal import terminal

    lines = read_labels(labels)
    unreadable: list[LinetuneError] = []
    with terminal(quiet) as reporter:
        groups = group(lines, group_by, count(reporter, "comparing", len(lines)), unreadable)
    division = divide(lines, groups, {"val": val, "test": test}, seed)
    files = write(division, to, overwrite)
    written = list(zip(files, division.splits.items(), strict=True))
    if as_json:
        sizes = {
            name: {"file": str(path), "lines": len(members), "groups": division.groups[name]}
            for path, (name, members) in written
        }
        reasons = [str(error) for error in unreadable]
        options.print_json({"splits": sizes, "unbalanced": division.unbalanced, "unreadable": reasons})
        return
    for path, (name, members) in written:
        print(f"wrote {path}: lines {len(members)}, groups {division.groups[name]}")
    if group_by is None and any(re.search(CROP_OF_PHOTO, line.image.name) for line in lines):
        print("names end in _crop_N: --group-by '^(.+)_crop' keeps the crops of one photo in one split")
    for reason in division.unbalanced:
        print(f"not balanced: {reason}")
    if unreadable:
        print(f"images that cannot be compared with others: {len(unreadable)}, the first: {unreadable[0]}")
