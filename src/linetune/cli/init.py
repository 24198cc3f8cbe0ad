"""``linetune init``"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options
from linetune.core import atomic
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.outputs import refuse_existing

FOLDERS = ("crops", "fonts", "backgrounds")


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder to set up. It is created if it does not exist.")
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="LABELS",
            help="Fill in the run file from your labels: a label file of all crops, which init splits, or a "
            "folder with train.txt, val.txt and, if you have one, test.txt.",
        ),
    ] = None,
    fonts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="With --from: fonts to choose from, as files or folders. The default is the fonts of this "
            "machine.",
        ),
    ] = None,
    also: Annotated[
        str | None,
        typer.Option(
            metavar="CHARACTERS",
            help="With --from: characters that may occur although the labels lack them; '' for none. By "
            "default, init asks you, or adds the missing digits, letters and Chinese provinces.",
        ),
    ] = None,
    quiet: options.QuietOption = False,
) -> None:
    """Set up a folder with a run file, linetune.yaml.

    Without --from, the run file is a commented example for you to edit. With --from, init fills it in:
    splits, rule, charset and fonts. It prints each decision.

    Example: linetune init mine --from labels.txt
    """
    path = folder / "linetune.yaml"
    refuse_existing(path, hint="choose another folder", what="run file")
    if source is not None:
        _write_draft(folder, source, fonts, also, quiet)
    elif fonts or also is not None:
        raise LinetuneError("--fonts and --also need --from", "linetune init", "add --from LABELS")
    else:
        _write_example(folder, path)
    print(f"wrote {path}")
    steps = "put your crops and label files into crops/ and fonts into fonts/, set synth.rule, and run"
    print("next:" if source else f"next: {steps}")
    print(f"  {options.shell_command('check', path)}")
    print(f"  {options.shell_command('train', path)}")


def _write_example(folder: Path, path: Path) -> None:
    from linetune.config.new import preset

    with os_errors("cannot write", folder):
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, preset())


def _write_draft(folder: Path, source: Path, fonts: list[Path] | None, also: str | None, quiet: bool) -> None:
    from linetune.drafting.decisions import save
    from linetune.drafting.draft import draft
    from linetune.report.terminal import terminal

    ask = typer.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
    new = draft(folder, source, fonts, also, ask, partial(terminal, quiet))
    save(new)
    print("\n".join(new.reasons))
