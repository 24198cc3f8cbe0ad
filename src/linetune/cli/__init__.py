"""The command line. Each command has one file, which parses, calls and prints.

The function of a command has one parameter for each option. It may therefore have more than six.
"""

from __future__ import annotations

import inspect
import os
import re
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from linetune.cli.calibrate import calibrate
from linetune.cli.check import check
from linetune.cli.compare import compare
from linetune.cli.distil import distil
from linetune.cli.doctor import doctor
from linetune.cli.drift import drift
from linetune.cli.evaluate import evaluate
from linetune.cli.export import export
from linetune.cli.from_paddle import from_paddle
from linetune.cli.import_ import FORMAT_LIST, import_
from linetune.cli.init import init
from linetune.cli.inspect_ import inspect_
from linetune.cli.learning_curve import learning_curve
from linetune.cli.models import models
from linetune.cli.next_ import next_
from linetune.cli.options import Stopped
from linetune.cli.predict import predict
from linetune.cli.push import push
from linetune.cli.report import report
from linetune.cli.review import review
from linetune.cli.rule import rule
from linetune.cli.split import split
from linetune.cli.suspects import suspects
from linetune.cli.synth import synth
from linetune.cli.threshold import threshold
from linetune.cli.train import train
from linetune.cli.watch import watch
from linetune.core.errors import LinetuneError
from linetune.core.install import needs_train

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C (SIGINT) and SIGTERM: 128 and the number of the signal."""
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
"""The error that typer raises for a wrong command line. It has no public name in any release."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"linetune {version('linetune')}")
        raise typer.Exit


app = typer.Typer(
    help="Fine-tune PP-OCR text-line recognisers on a few hundred labelled crops.\n\n"
    "A crop is the image of one text line. A label file has one path<TAB>text line for each crop.\n\n"
    "Start with: linetune init DIR --from LABELS, then linetune train DIR/linetune.yaml.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Set up": (init, from_paddle, models, doctor),
    "Data": (import_, check, suspects, next_, review, split, rule),
    "Train": (synth, train, distil, watch, learning_curve),
    "Measure and use": (
        report,
        evaluate,
        compare,
        calibrate,
        threshold,
        predict,
        drift,
        export,
        inspect_,
        push,
    ),
}
"""The commands by the heading under which the help lists them."""


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    pass


def _help(command: Callable[..., None]) -> str:
    """Return the docstring of a command with one line for each paragraph, since typer keeps line breaks."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(command) or "")


for panel, commands in COMMANDS.items():
    for command in commands:
        name = command.__name__.strip("_").replace("_", "-")
        epilog = FORMAT_LIST if command is import_ else None
        app.command(name, help=_help(command), epilog=epilog, rich_help_panel=panel)(command)


def _encode(stream: Any) -> None:
    """Write UTF-8 to files and pipes. Give a terminal what it can show, and escapes for the rest."""
    if not hasattr(stream, "reconfigure"):
        return
    if stream.isatty():
        stream.reconfigure(errors="backslashreplace")
    else:
        # A file name that is not UTF-8 is written as its own bytes.
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def main() -> None:
    """Run the command line and exit.

    A mistake of the user gives one line on standard error and exit code 2.
    """
    for stream in (sys.stdout, sys.stderr):
        _encode(stream)
    terminated = False

    def terminate(_signal: int, _frame: object) -> None:
        # Everything cleans up as after Ctrl-C.
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminate)
    # linetune reports images that OpenCV cannot decode. OpenCV reads this variable when it is imported.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        # In standalone mode typer reports a wrong option in a box of five lines.
        with needs_train():
            code = app(prog_name="linetune", standalone_mode=False)
        if code == INTERRUPTED:  # some releases of typer return this instead of raising an error
            raise KeyboardInterrupt
        sys.exit(code)
    except LinetuneError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except USAGE_ERROR as error:
        message = " ".join(error.format_message().rstrip(".").split())
        command = error.ctx.command_path if error.ctx else "linetune"
        if message:  # without a command typer has shown the help, and the message is empty
            mistake = LinetuneError(message[0].lower() + message[1:], command, f"see {command} --help")
            print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort, Stopped) as error:
        word = "terminated" if terminated else "stopped"
        more = str(error) if isinstance(error, Stopped) else ""
        print(f"{word}; {more}" if more else word, file=sys.stderr)
        sys.exit(TERMINATED if terminated else INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output stopped reading, as `head` does.
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        reason = error.strerror or str(error)
        # An error of standard output has no file name.
        what = f"cannot write the output ({reason})" if error.filename is None else reason
        print(f"error: {LinetuneError(what, error.filename)}", file=sys.stderr)
        sys.exit(2)
    finally:
        signal.signal(signal.SIGTERM, before)
