"""The inputs of a run: the base model with the run's charset, and all crops."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from linetune.config.schema import Config, Stage, Synth
from linetune.core import processes
from linetune.core.charset import Charset, show
from linetune.core.errors import LinetuneError, many_errors, place
from linetune.core.image import Crop
from linetune.core.labelfile import Line, read_labels, unusable_beside
from linetune.core.progress import Reporter, count
from linetune.data.check.checker import CheckResult, inspect
from linetune.data.check.findings import KINDS
from linetune.data.check.labels import read_splits
from linetune.data.dataset import Dataset, Decoded, decode_lines, load_dataset
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.rules.saved import of_config
from linetune.synth.generate import LABELS, generate, is_current, stream
from linetune.training.teacher import Teacher, load_teacher
from linetune.training.unlabelled import NAME as UNLABELLED
from linetune.training.unlabelled import unlabelled_crops


@dataclass(frozen=True)
class Inputs:
    """The inputs of a run."""

    base: Model
    start: Model
    """The base model limited to the run's charset."""
    unknown: list[str]
    """The unknown characters of the charset."""
    data: dict[str, Dataset]
    """The real crops to train on, by the name that stages use: ``train`` or the path of a label file."""
    val: Dataset
    test: Dataset | None
    render: Callable[[int], Dataset]
    """Returns the first rendered crops, as many as the argument says. It renders those that are missing."""
    findings: Mapping[str, int] = field(default_factory=dict)
    """Number of findings of each kind in the real crops and their labels."""
    teacher: Teacher | None = None

    @property
    def held_out(self) -> dict[str, Dataset]:
        """The validation crops, and the test crops if there are any, by the names of their splits."""
        return {"val": self.val} | ({"test": self.test} if self.test else {})

    @property
    def skipped(self) -> int:
        return sum(d.skipped for d in (*self.data.values(), self.val, self.test) if d is not None)


def gather(config: Config, skip_bad: bool, reporter: Reporter) -> Inputs:
    """Load the base model and all real crops, and determine the charset. Nothing is rendered yet.

    Every real crop is decoded once: for the check, and for training.
    """
    sources = {"train": config.data.train} | {str(path): [path] for path in label_files(config.stages)}
    held_out = {"val": config.data.val, "test": config.data.test or []}
    lines = {name: read_labels(*paths) for name, paths in (sources | held_out).items()}
    decoded, checked = _decode(config, skip_bad, reporter)
    leaks = {finding.source for finding in checked.findings if finding.kind == "leak"}
    for name, some in lines.items():
        lines[name] = [line for line in some if line.source not in leaks]
        if some and not lines[name]:
            what, hint = "every crop is in another split too", "linetune split divides one label file"
            raise LinetuneError(what, f"data.{name}", hint)
    base = load_base(config.base_model, lambda done, total: reporter.progress("weights", done, total))
    reporter.say(f"base model {base.base_model} from {base.source}")
    config.aliases.refuse(line for some in lines.values() for line in some)
    real = (line.text for name in sources for line in lines[name])
    wanted = charset_of(config, itertools.chain(real, rendered_texts(config)))
    transfer = with_charset(base, wanted, config.aliases)
    charset = transfer.model.charset
    teacher = load_teacher(config, base, charset)
    _say_charset(charset, transfer.unknown, reporter)

    @cache
    def render(number: int) -> Dataset:
        assert config.synth is not None
        lines, crops = synthetic(config.synth.model_copy(update={"count": number}), reporter)
        return load_dataset(lines, charset, skip_bad, count(reporter, "synth crops", len(lines)), crops)

    used = sorted({str(source) for stage in config.stages for source in stage.data} - {"synth"})
    data = {name: decoded.dataset(lines[name], charset, skip_bad) for name in used if name in lines}
    if UNLABELLED in used and config.data.unlabelled:
        beside = unusable_beside(path.parent for path in config.data.train)
        unusable = [line.image for line in read_labels(*beside, unlabelled=True)] if beside else []
        source = config.data.unlabelled
        data[UNLABELLED] = unlabelled_crops(source, checked.lines, unusable, skip_bad, reporter)
    held = {name: decoded.dataset(lines[name], None, skip_bad) for name in held_out if lines[name]}
    for name, dataset in held.items():
        _say_unreadable(name, dataset, charset, reporter)
    start = replace(transfer.model, rule=of_config(config))
    start.decoder  # noqa: B018 - an error in the rule comes before the training
    kinds = Counter(finding.kind for finding in checked.findings)
    splits = (data, held["val"], held.get("test"))
    inputs = Inputs(base, start, transfer.unknown, *splits, render, findings=kinds, teacher=teacher)
    if inputs.skipped:
        reporter.say(f"leaves out {inputs.skipped} lines that cannot be used")
    return inputs


def charset_of(config: Config, texts: Iterable[str]) -> Charset:
    """Return the charset of a run: the characters of all its texts, or those of its charset file.

    Raises:
        LinetuneError: the file cannot be read, or the charset has aliases.
    """
    charset = Charset.collect(texts) if config.charset == "auto" else Charset.read(config.charset)
    if objection := config.aliases.objection(charset.characters):
        place = "synth.rule" if config.charset == "auto" else config.charset
        raise LinetuneError(objection, place, "write only the characters to read")
    return Charset.from_dictionary(charset.characters) if config.charset_space else charset


def _decode(config: Config, skip_bad: bool, reporter: Reporter) -> tuple[Decoded, CheckResult]:
    """Decode and check all labelled crops.

    Raises:
        LinetuneError: there are such crops, and they must not be left out.
    """
    files = {
        "train": [*config.data.train, *label_files(config.stages)],
        "val": config.data.val,
        "test": config.data.test or [],
    }
    splits, unreadable = read_splits({name: paths for name, paths in files.items() if paths})
    lines = [line for split in splits for line in split.lines]
    # Unlabelled crops that show nearly what a held-out one shows must not teach.
    compared = config.data.unlabelled is not None
    decoded = decode_lines(lines, count(reporter, "crops", len(lines)), inspected=True, compared=compared)
    checked = inspect(splits, unreadable, decoded.summaries)
    _say_common(checked, reporter)
    leaks = [finding for finding in checked.findings if finding.kind == "leak"]
    if leaks and not skip_bad:
        raise many_errors(
            [finding.as_error() for finding in leaks],
            f"crop{'s are' if len(leaks) > 1 else ' is'} in two of train, val and test",
            hint="linetune check --fix DIR writes clean label files, and --skip-bad leaves the crops out",
        )
    if leaks:
        reporter.say(f"leaves out {len(leaks)} crops that are in another split too")
    return decoded, checked


def _say_charset(charset: Charset, unknown: Sequence[str], reporter: Reporter) -> None:
    characters = len(charset.distinct)
    known = characters - len(unknown)
    reporter.say(f"the charset has {characters} characters; the base model knows {known} of them")
    if charset.alias_classes:
        reporter.say(f"the rows of {len(charset.alias_classes)} other characters are read as one of them")
    if unknown:
        reporter.say(f"the base model has never seen {show(*unknown)}; training must teach them")


def _say_common(checked: CheckResult, reporter: Reporter) -> None:
    """Report findings that concern most lines."""
    for kind, number in Counter(finding.kind for finding in checked.findings).items():
        if 2 * number > len(checked.lines):
            reporter.say(f"{KINDS[kind]}: {number} of {len(checked.lines)}; linetune check shows them")


def label_files(stages: Sequence[Stage]) -> list[Path]:
    """Return the label files that stages name by path, without repetition."""
    return sorted({source for stage in stages for source in stage.data if isinstance(source, Path)})


def uses_rendered(config: Config) -> bool:
    """Return whether a stage trains on rendered crops."""
    return config.synth is not None and any("synth" in stage.data for stage in config.stages)


def rendered_texts(config: Config) -> list[str]:
    """Return the texts of all rendered crops of a run. The crops need not exist."""
    if config.synth is None or not uses_rendered(config):
        return []
    if config.synth.output is not None and is_current(config.synth):
        lines = read_labels(config.synth.output / LABELS)[: config.synth.count]
    else:
        lines = stream(config.synth)[0]
    return [line.text for line in lines]


def synthetic(settings: Synth, reporter: Reporter) -> tuple[list[Line], Iterator[Crop] | None]:
    """Return the rendered lines, and their crops if the settings name no folder for them.

    If they name one, the crops are rendered into it now, unless it already has them.
    """
    if settings.output is None:
        return stream(settings)
    if processes.from_first(is_current(settings)):
        reporter.say(f"rendered crops in {settings.output} are up to date")
    else:
        generate(settings, count(reporter, "rendering", settings.count))
    return read_labels(settings.output / LABELS)[: settings.count], None


def _say_unreadable(what: str, data: Dataset, charset: Charset, reporter: Reporter) -> None:
    """Report the held-out lines that can never be read right. They still count."""
    beyond = [line for line in data.lines if charset.missing(line.text)]
    if beyond:
        missing = dict.fromkeys(c for line in beyond for c in charset.missing(line.text))
        reporter.say(
            f"{len(beyond)} of {len(data)} {what} lines have characters outside the charset "
            f"({show(*missing)}) and count as wrong; the first is {place(beyond[0].source)}"
        )
