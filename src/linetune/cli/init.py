"""``linetune init``"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import command
from linetune.errors import LinetuneError

FOLDERS = ("crops", "fonts", "backgrounds")


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to set up; made if it is not there.")],
) -> None:
    """Write a commented linetune.yaml and the folders it names."""
    path = folder / "linetune.yaml"
    if path.exists():
        raise LinetuneError("there is a configuration already", path, "choose another folder")
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        text = (resources.files("linetune.config") / "presets" / "default.yaml").read_text("utf-8")
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise LinetuneError(f"cannot write ({error.strerror})", folder) from None
    print(f"wrote {path}")
    print("next: put your crops and label files in crops/, fonts in fonts/, set the rule, then")
    print(f"  {command('train', path)}")
