"""Options and steps that several commands share."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError

if TYPE_CHECKING:
    from linetune.core.progress import Reporter
    from linetune.recogniser import Recogniser

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A run's folder, a model file, or an official name such as PP-OCRv6_small_rec."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print figures as JSON on standard output.")]
OVERRIDES = "paths in it start at the current folder, those in the file at the file's."
"""What an override's help says of its value."""
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the file to write.")]
BothWaysOption = Annotated[
    bool,
    typer.Option(
        "--both-ways",
        help="Read every crop upside down as well and keep the surer reading, for twice the time; a run "
        "whose crops need it has turned it on by itself.",
    ),
]
SkipBadOption = Annotated[bool, typer.Option("--skip-bad", help="Go on without lines that cannot be used.")]


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Refuse to write a file that is there already, unless it may be replaced.

    Raises:
        LinetuneError: it is there.
    """
    if path.exists() and not overwrite:
        kind = "folder" if path.is_dir() else "file"
        raise LinetuneError(f"there is a {kind} already", path, "--overwrite replaces it")


_UNITS = {"h": 3600, "min": 60, "m": 60, "s": 1}
_TIME = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:h|min|m|s)\s*)+")


def seconds_of(text: str, option: str) -> float:
    """A time such as 20min, 1h30min or 90s in seconds.

    Raises:
        LinetuneError: it is none, or no time at all.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(h|min|m|s)", text.strip().lower())
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not _TIME.fullmatch(text.strip().lower()) or not total:
        raise LinetuneError(f"{text!r} is not a time", option, "write one such as 20min, 1h30min or 90s")
    return total


def command(*words: object) -> str:
    """A command to type, whatever its paths hold."""
    return shlex.join(["linetune", *map(str, words)])


def print_json(content: Any) -> None:
    """JSON on standard output, readable on every console."""
    json.dump(content, sys.stdout, indent=2, ensure_ascii=True)
    print()


def load_recogniser(
    model: str,
    charset: str | None,
    reporter: Reporter,
    texts: Sequence[str] | None = None,
    both_ways: bool = False,
) -> Recogniser:
    """The recogniser of a MODEL argument, limited to ``--charset``.

    Args:
        texts: what ``auto`` collects the characters from; None where a command has no labels.
        both_ways: read every crop both ways up, whatever the model says.
    """
    from linetune.formats.transfer import with_charset
    from linetune.recogniser import Recogniser

    recogniser = Recogniser.load(
        model,
        progress=lambda done, total: reporter.progress("downloading weights", done, total),
        both_ways=both_ways,
    )
    if model.lower().endswith(".onnx"):
        from linetune.formats.onnx_file import fixed_shape

        if shape := fixed_shape(Path(model)):
            told = f"{model} takes {shape} alone; here its weights read every crop at its own width"
            reporter.say(f"{told}, so that a longer line may read otherwise in use")
    if charset is None:
        return recogniser
    if charset == "auto" and texts is None:
        raise LinetuneError(
            "there are no labels to collect characters from", "--charset auto", "give a charset file"
        )
    wanted = Charset.collect(texts or ()) if charset == "auto" else Charset.read(Path(charset))
    limited = with_charset(recogniser.model, wanted)
    if limited.unknown:
        from linetune.core.charset import show

        reporter.say(f"the model has never seen {show(*limited.unknown)}")
    return Recogniser(limited.model)
