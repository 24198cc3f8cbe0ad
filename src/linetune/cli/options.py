"""Arguments, options and steps that several commands share."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linetune.core import files, processes
from linetune.core.charset import Charset, show
from linetune.core.errors import Interrupted, LinetuneError

if TYPE_CHECKING:
    from linetune.core.progress import Reporter
    from linetune.data.dataset import Dataset
    from linetune.evaluation.result import Evaluation
    from linetune.recogniser import Recogniser

MODEL = "A run folder, a model file, or an official name such as PP-OCRv6_small_rec."

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="The run file. linetune init writes one.")
]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Settings that replace those of the run file, such as seed=1 or stages.real.epochs=5. Relative "
        "paths start at the current folder; those in the run file start at its folder.",
    ),
]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL)]
OwnModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A run folder, or a .safetensors or .onnx file of linetune.")
]
ModelAArgument = Annotated[str, typer.Argument(metavar="MODEL_A", help=MODEL)]
ModelBArgument = Annotated[str, typer.Argument(metavar="MODEL_B", help=MODEL)]
LabelsArgument = Annotated[
    list[Path], typer.Argument(metavar="LABELS...", help="Label files: one path<TAB>text a line.")
]
LabelsCharsetOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|auto",
        help="Limit the model to the characters of this charset file, or to those of the labels (auto).",
    ),
]
ImagesArgument = Annotated[
    list[Path],
    # typer's own check would refuse all images because of one that cannot be read.
    typer.Argument(metavar="IMAGES...", help=f"Crops, or folders of crops, {files.RULE}.", readable=False),
]
CharsetOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Limit the model to the characters of this charset file."),
]
BothWaysOption = Annotated[
    bool,
    typer.Option(
        "--both-ways",
        help="Read every crop upright and upside down and keep the reading with the higher confidence. "
        "This takes twice the time. If the run of a model needed this, the model does it without the option.",
    ),
]
RuleOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|none",
        help="Read the most probable text that a rule admits: a .yaml file with what linetune rule prints, "
        "or a .txt file of all possible texts, one a line. By default the rule in the model, if it has one; "
        "none reads without it.",
    ),
]
GroupByOption = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Regular expression whose first (...) is the group of a crop, for example its photo. It is "
        "searched in the file names, then in the paths. Crops of one group stay together.",
    ),
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out lines that cannot be used instead of stopping.")
]
WithinOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Finish in this time, such as 20min or 1h30min. If it is short, linetune renders fewer crops "
        "and trains for less time.",
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress and no messages, only errors and results.")
]


def _known_language(language: str | None) -> str | None:
    """Refuse an unknown language before the work, which may take hours."""
    from linetune.report.words import words

    words(language)
    return language


LanguageOption = Annotated[
    str | None,
    typer.Option(
        metavar="en|zh",
        help="Language of the page. The default is that of the system.",
        callback=_known_language,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]


class Stopped(Exception):
    """Ctrl-C or SIGTERM, with what to say of it. typer would lose the text of a KeyboardInterrupt."""


@contextmanager
def stoppable(text: str | None = None) -> Iterator[None]:
    """Say more than that a command was stopped.

    Args:
        text: what to say if the block itself says nothing (:class:`linetune.core.errors.Interrupted`). By
            default, that nothing is written; of several processes, the first one says it.

    Raises:
        Stopped: the block was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        if text is None:
            text = "nothing is written yet; the same command starts again" if processes.is_first() else ""
        raise Stopped(str(error) if isinstance(error, Interrupted) else text) from None


_UNITS = {"h": 3600, "min": 60, "m": 60, "s": 1}
_TIME = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:h|min|m|s)\s*)+")


def seconds_of(text: str, option: str) -> float:
    """Return the seconds of a duration such as 20min, 1h30min or 90s.

    Raises:
        LinetuneError: the text is not a duration, or its duration is 0. The error names the option.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(h|min|m|s)", text.strip().lower())
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not _TIME.fullmatch(text.strip().lower()) or not total:
        raise LinetuneError(f"{text!r} is not a time", option, "write one such as 20min, 1h30min or 90s")
    return total


def shell_command(*words: object) -> str:
    """Return a linetune command that a shell understands, with quotes around paths that need them."""
    return shlex.join(["linetune", *map(str, words)])


def print_json(content: Any) -> None:
    """Print JSON in ASCII, which every console can show."""
    json.dump(content, sys.stdout, indent=2, ensure_ascii=True)
    print()


def load_recogniser(
    model: str,
    charset: str | None,
    reporter: Reporter,
    texts: Sequence[str] | None = None,
    both_ways: bool = False,
    rule: str | None = None,
) -> Recogniser:
    """Load the recogniser of a MODEL argument and limit it to ``--charset``.

    Args:
        model: a run folder, a model file or an official name.
        charset: a charset file, ``auto`` for the characters of ``texts``, or None for those of the model.
        reporter: shows the download and what the user should know of the model.
        texts: the labels; None where a command has none.
        both_ways: read every crop both ways up, even if the model does not ask for it.
        rule: the file of a rule, ``none``, or None for the rule of the model.

    Raises:
        LinetuneError: the model, the rule or the charset cannot be loaded, or ``auto`` has no labels.
    """
    from linetune.recogniser import Recogniser

    recogniser = Recogniser.load(
        model, progress=partial(reporter.progress, "downloading weights"), both_ways=both_ways, rule=rule
    )
    if recogniser.lost:
        reporter.say(
            f"without the {' and '.join(recogniser.lost)} of the model, which other options make void; "
            "linetune calibrate and linetune threshold make new ones"
        )
    if model.lower().endswith(".onnx") and not recogniser.in_onnxruntime:
        from linetune.formats.onnx_file import fixed_shape

        if shape := fixed_shape(Path(model)):
            reporter.say(
                f"{model} accepts only the shape {shape}; linetune reads every crop at its own width, "
                "so longer lines may read differently in other programs"
            )
    if charset is None:
        return recogniser
    if charset == "auto" and texts is None:
        raise LinetuneError("no labels to collect characters from", "--charset auto", "name a charset file")
    from linetune.formats.transfer import with_charset

    wanted = Charset.collect(texts or ()) if charset == "auto" else Charset.read(Path(charset))
    limited = with_charset(recogniser.model, wanted)
    if limited.unknown:
        reporter.say(f"the model has never seen {show(*limited.unknown)}")
    return Recogniser(limited.model)


def evaluate_models(
    models: Mapping[str, str],
    labels: Sequence[Path],
    charset: str | None,
    skip_bad: bool,
    both_ways: bool = False,
    rule: str | None = None,
    quiet: bool = False,
) -> tuple[Dataset, list[Evaluation]]:
    """Read the crops of label files with models. Return the crops, and the result of each model.

    Args:
        models: MODEL arguments. Their keys name the progress of the reading.
        labels: the label files.
        charset: see :func:`load_recogniser`.
        skip_bad: leave out lines that cannot be used.
        both_ways: see :func:`load_recogniser`.
        rule: see :func:`load_recogniser`.
        quiet: show no progress and no messages.

    Raises:
        LinetuneError: a model, the rule, the charset, the labels or a crop cannot be read.
    """
    from linetune.core.labelfile import read_labels
    from linetune.core.progress import count
    from linetune.data.dataset import load_dataset
    from linetune.evaluation.result import Evaluation
    from linetune.report.terminal import terminal

    lines, evaluations = read_labels(*labels), []
    texts = [line.text for line in lines]
    with terminal(quiet) as reporter:
        recognisers = [
            load_recogniser(name, charset, reporter, texts, both_ways, rule) for name in models.values()
        ]
        data = load_dataset(lines, None, skip_bad, count(reporter, "decoding", len(lines)))
        for task, recogniser in zip(models, recognisers, strict=True):
            started = time.perf_counter()
            readings = recogniser.read(data.crops, progress=count(reporter, task, len(data)))
            seconds = time.perf_counter() - started
            evaluations.append(Evaluation(data.lines, readings, data.skipped, seconds))
    return data, evaluations
