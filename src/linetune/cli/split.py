"""``linetune split``"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import JsonOption, print_json
from linetune.core.errors import LinetuneError
from linetune.data.split import SHARES

CUT = re.compile(r"_crop_\d+$")
"""How the names of crops end that were cut out of one photo."""


def split(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="The label file: path<TAB>text.")],
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder for train.txt, val.txt and test.txt.")],
    val: Annotated[float, typer.Option(help="Share of the lines to choose the best model on.")] = SHARES[
        "val"
    ],
    test: Annotated[float, typer.Option(help="Share of the lines to report on; 0 for none.")] = SHARES[
        "test"
    ],
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Regular expression; what its first group finds in a file's name, or else in its path, "
            "names the photo.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides between equals.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier split in the same folder.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Divide labels into train, val and test; crops of one photo and near-duplicates stay together."""
    from linetune.core.labelfile import read_labels
    from linetune.core.progress import count
    from linetune.data.groups import group
    from linetune.data.split import divide, write
    from linetune.report.terminal import terminal

    lines = read_labels(labels)
    unreadable: list[LinetuneError] = []
    with terminal() as reporter:
        groups = group(lines, group_by, count(reporter, "comparing", len(lines)), unreadable)
    division = divide(lines, groups, {"val": val, "test": test}, seed)
    files = write(division, to, overwrite)
    if as_json:
        sizes = {
            name: {"file": str(path), "lines": len(split), "groups": division.groups[name]}
            for path, (name, split) in zip(files, division.splits.items(), strict=True)
        }
        told = [str(error) for error in unreadable]
        print_json({"splits": sizes, "unbalanced": division.unbalanced, "unreadable": told})
        return
    for path, (name, split) in zip(files, division.splits.items(), strict=True):
        print(f"wrote {path}: lines {len(split)}, groups {division.groups[name]}")
    if group_by is None and any(CUT.search(line.image.stem) for line in lines):
        print("names end in _crop_N: --group-by '^(.+)_crop' keeps the crops of one photo in one split")
    for reason in division.unbalanced:
        print(f"not balanced: {reason}")
    if unreadable:
        print(f"images that cannot be compared with others: {len(unreadable)}, the first: {unreadable[0]}")
