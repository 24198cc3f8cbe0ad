"""The command line: one thin file a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from linetune.cli import (
    check,
    compare,
    evaluate,
    export,
    from_paddle,
    import_,
    init,
    learning_curve,
    models,
    predict,
    rule,
    split,
    suspects,
    synth,
    train,
)
from linetune.core.errors import LinetuneError

USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
"""typer's error of a wrong command line, which has a public name in no release."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"linetune {version('linetune')}")
        raise typer.Exit


app = typer.Typer(
    help="Fine-tune PP-OCR text-line recognisers on a few hundred crops.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Set up": {"init": init.init, "from-paddle": from_paddle.from_paddle, "models": models.models},
    "Data": {
        "import": import_.import_,
        "check": check.check,
        "suspects": suspects.suspects,
        "split": split.split,
        "rule": rule.rule,
    },
    "Train": {
        "synth": synth.synth,
        "train": train.train,
        "learning-curve": learning_curve.learning_curve,
    },
    "Measure and use": {
        "evaluate": evaluate.evaluate,
        "compare": compare.compare,
        "predict": predict.predict,
        "export": export.export,
    },
}


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    pass


for panel, commands in COMMANDS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)


def _encode(stream: Any) -> None:
    """Files and pipes are UTF-8; a terminal gets what it can show, and the rest escaped."""
    if not hasattr(stream, "reconfigure"):
        return
    if stream.isatty():
        stream.reconfigure(errors="backslashreplace")
    else:
        # A file name that is not UTF-8 comes out as the bytes that it is.
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        _encode(stream)
    # What is wrong with an image is told in one line of our own. OpenCV reads this once, when it is imported.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        # Standalone, typer tells a wrong option in a box of five lines.
        sys.exit(app(standalone_mode=False))
    except LinetuneError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except USAGE_ERROR as error:
        message = " ".join(error.format_message().rstrip(".").split())
        command = error.ctx.command_path if error.ctx else "linetune"
        if message:  # empty where no command was given and typer has shown the help
            told = LinetuneError(message[0].lower() + message[1:], command, f"see {command} --help")
            print(f"error: {told}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does.
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        # A standard output that cannot be written has no name.
        what = error.strerror or str(error)
        at_fault = f"cannot write the output ({what})" if error.filename is None else what
        print(f"error: {LinetuneError(at_fault, error.filename)}", file=sys.stderr)
        sys.exit(2)
