"""``linetune push``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options


def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a complete run.")],
    repository: Annotated[
        str,
        typer.Argument(metavar="REPO", help="USER/NAME, or a name in your own account. It is made if new."),
    ],
    private: Annotated[
        bool,
        typer.Option(
            "--private", help="Make the new repository private. Refuse an existing one that is public."
        ),
    ] = False,
    revision: Annotated[
        str | None,
        typer.Option(metavar="BRANCH", help="The branch of the repository. It is made if needed."),
    ] = None,
    quiet: options.QuietOption = False,
) -> None:
    """Publish the model of a run at Hugging Face.

    Uploads model.safetensors, model.onnx, MODEL_CARD.md as README.md, charset.txt, and linetune.yaml, the run
    file that repeats the run. They name files, but no folders, and have no crops. A rule that is a list has
    all its texts in the model. All files are one commit. Prints the address.

    The login is that of huggingface_hub: hf auth login, or the environment variable HF_TOKEN. This needs the
    extra hub of the installation.

    Example: linetune push mine/runs/first me/lot-codes --private
    """
    from linetune.core.install import require
    from linetune.hub import files_of, publish
    from linetune.report.terminal import terminal

    require("huggingface_hub")
    with terminal(quiet) as reporter:
        files = files_of(run, reporter)
        for file in files:
            reporter.say(f"{file.name}: {len(file.content):,} bytes")
    with options.stoppable("the repository has all these files, or none"):
        address = publish(files, repository, private, revision, quiet or not sys.stderr.isatty())
    print(address)
