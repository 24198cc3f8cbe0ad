"""``linetune init``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import command
from linetune.config.new import preset
from linetune.core import atomic
from linetune.core.errors import LinetuneError, os_errors

FOLDERS = ("crops", "fonts", "backgrounds")


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to set up; made if it is not there.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="LABELS",
            help="Fill the file from labels: a label file of all crops, which is split, or a folder with "
            "train.txt, val.txt and test.txt.",
        ),
    ] = None,
    fonts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="With --from: fonts to choose from, files or folders; those of this machine by default.",
        ),
    ] = None,
    also: Annotated[
        str | None,
        typer.Option(
            metavar="CHARACTERS",
            help="With --from: characters that can come although the labels lack them; '' for none. "
            "Without it, init asks, or takes what is missing of digits, letters and Chinese provinces.",
        ),
    ] = None,
) -> None:
    """Write a commented linetune.yaml: an example and the folders it names, or one that needs no editing."""
    path = folder / "linetune.yaml"
    if path.exists():
        raise LinetuneError("there is a configuration already", path, "choose another folder")
    if source is None:
        if fonts or also is not None:
            raise LinetuneError("--fonts and --also go with --from", "linetune init")
        _write_example(folder, path)
        return
    _write_draft(folder, source, fonts, also)


def _write_example(folder: Path, path: Path) -> None:
    with os_errors("cannot write", folder):
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, preset())
    print(f"wrote {path}")
    print("next: put your crops and label files in crops/, fonts in fonts/, set the rule, then")
    print(f"  {command('train', path)}")


def _write_draft(folder: Path, source: Path, fonts: list[Path] | None, also: str | None) -> None:
    from linetune.drafting.decisions import save
    from linetune.drafting.draft import draft
    from linetune.report.terminal import terminal

    ask = _ask if sys.stdin.isatty() and sys.stdout.isatty() else None
    new = draft(folder, source, fonts, also, ask, terminal)
    path = save(new)
    print("\n".join(new.reasons))
    print(f"wrote {path}")
    print("next:")
    print(f"  {command('train', path)}")


def _ask(question: str, default: bool) -> bool:
    return typer.confirm(question, default)
