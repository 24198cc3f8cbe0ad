"""What a run starts from: the base model with the run's charset, and all crops."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from linetune.config.schema import Config, Stage, Synth
from linetune.core.charset import Charset, show
from linetune.core.errors import LinetuneError, many_errors
from linetune.core.image import Crop
from linetune.core.labelfile import Line, read_labels
from linetune.core.progress import Reporter, count
from linetune.data.check import CheckResult, check
from linetune.data.check.findings import KINDS
from linetune.data.dataset import Dataset, load_dataset
from linetune.synth.generate import LABELS, generate, is_current, stream
from linetune.weights.official import load_base
from linetune.weights.store import Model
from linetune.weights.transfer import with_charset


@dataclass(frozen=True)
class Given:
    """What a run starts from."""

    base: Model
    start: Model
    """The base model limited to the run's charset."""
    unknown: list[str]
    data: dict[str, Dataset]
    """The real crops to train on, by the names that stages give them."""
    val: Dataset
    test: Dataset | None
    render: Callable[[int], Dataset]
    """The first so many of the rendered crops, rendered where they are not there yet."""

    @property
    def skipped(self) -> int:
        return sum(d.skipped for d in (*self.data.values(), self.val, self.test) if d is not None)


def gather(config: Config, skip_bad: bool, reporter: Reporter) -> Given:
    """Load the base model and all real crops, and settle the charset; nothing is rendered yet."""
    lines = {"train": read_labels(*config.data.train)}
    lines |= {str(path): read_labels(path) for path in label_files(config.stages)}
    held_out = {"val": read_labels(*config.data.val), "test": read_labels(*config.data.test or ())}
    leaks = _leaks(config, skip_bad, reporter)
    for lines_of in (lines, held_out):
        for name, some in lines_of.items():
            lines_of[name] = [line for line in some if line.source not in leaks]
            if some and not lines_of[name]:
                raise LinetuneError(
                    "every crop stands in another split too",
                    f"data.{name}",
                    "linetune split divides one file",
                )
    base = load_base(config.base_model, lambda done, total: reporter.progress("weights", done, total))
    reporter.say(f"base model {base.base_model} from {base.source}")
    real = (line.text for some in lines.values() for line in some)
    charset = charset_of(config, itertools.chain(real, rendered_texts(config)))
    transfer = with_charset(base, charset)
    known = len(charset) - len(transfer.unknown)
    reporter.say(f"charset of {len(charset)} characters, {known} of them known to the base model")
    if transfer.unknown:
        reporter.say(f"the base model has never seen {show(*transfer.unknown)}; training must teach them")

    def load(
        what: str, lines: list[Line], encode_with: Charset | None, crops: Iterator[Crop] | None = None
    ) -> Dataset:
        told = count(reporter, f"{Path(what).name} crops", len(lines))
        return load_dataset(lines, encode_with, skip_bad, told, crops)

    def render(number: int) -> Dataset:
        assert config.synth is not None
        lines, crops = synthetic(config.synth.model_copy(update={"count": number}), reporter)
        return load("synth", lines, charset, crops)

    used = sorted({str(source) for stage in config.stages for source in stage.data} - {"synth"})
    data = {name: load(name, lines[name], charset) for name in used}
    held = {name: load(name, lines, None) for name, lines in held_out.items() if lines}
    for name, dataset in held.items():
        _tell_unreadable(name, dataset, charset, reporter)
    given = Given(base, transfer.model, transfer.unknown, data, held["val"], held.get("test"), render)
    if given.skipped:
        reporter.say(f"going on without {given.skipped} lines that cannot be used")
    return given


def charset_of(config: Config, texts: Iterable[str]) -> Charset:
    """The run's characters: those of all its texts, or what its charset file holds."""
    charset = Charset.collect(texts) if config.charset == "auto" else Charset.read(config.charset)
    return Charset.from_dictionary(charset.characters) if config.charset_space else charset


def _leaks(config: Config, skip_bad: bool, reporter: Reporter) -> set[str]:
    """``file:line`` of crops that stand in another split too; refused unless they may be left out."""
    train = [*config.data.train, *label_files(config.stages)]
    splits = {"train": train, "val": config.data.val, "test": config.data.test or []}
    checked = check(
        {name: paths for name, paths in splits.items() if paths},
        progress=lambda done, total: reporter.progress("checking", done, total),
    )
    _tell_common(checked, reporter)
    leaks = [finding for finding in checked.findings if finding.kind == "leak"]
    if leaks and not skip_bad:
        raise many_errors(
            [finding.as_error() for finding in leaks],
            f"crop{'s stand' if len(leaks) > 1 else ' stands'} in two of train, val and test",
            hint="linetune check --fix DIR writes clean label files; or leave them out with --skip-bad",
        )
    if leaks:
        reporter.say(f"going on without what stands in another split too: {len(leaks)} crops")
    return {finding.source for finding in leaks}


def _tell_common(checked: CheckResult, reporter: Reporter) -> None:
    """Say what is found about most lines."""
    for kind, number in Counter(finding.kind for finding in checked.findings).items():
        if 2 * number > len(checked.lines):
            reporter.say(f"{KINDS[kind]}: {number} of {len(checked.lines)}; linetune check tells more")


def label_files(stages: Sequence[Stage]) -> list[Path]:
    """The label files that stages name by path, each once."""
    return sorted({source for stage in stages for source in stage.data if isinstance(source, Path)})


def uses_rendered(config: Config) -> bool:
    """Whether a stage trains on rendered crops."""
    return config.synth is not None and any("synth" in stage.data for stage in config.stages)


def rendered_texts(config: Config) -> list[str]:
    """The texts of the crops that a run renders, before they are rendered."""
    if config.synth is None or not uses_rendered(config):
        return []
    if config.synth.output is not None and is_current(config.synth):
        lines = read_labels(config.synth.output / LABELS)[: config.synth.count]
    else:
        lines = stream(config.synth)[0]
    return [line.text for line in lines]


def synthetic(settings: Synth, reporter: Reporter) -> tuple[list[Line], Iterator[Crop] | None]:
    """The rendered lines; their crops too where they lie in no folder.

    A folder is filled now unless an earlier run left the same in it.
    """
    if settings.output is None:
        return stream(settings)
    if is_current(settings):
        reporter.say(f"rendered crops in {settings.output} are up to date")
    else:
        generate(settings, count(reporter, "rendering", settings.count))
    return read_labels(settings.output / LABELS)[: settings.count], None


def _tell_unreadable(what: str, data: Dataset, charset: Charset, reporter: Reporter) -> None:
    """Say which held-out lines can never be read right; they still count."""
    beyond = [line for line in data.lines if charset.missing(line.text)]
    if beyond:
        missing = dict.fromkeys(c for line in beyond for c in charset.missing(line.text))
        reporter.say(
            f"{len(beyond)} of {len(data)} {what} lines hold characters outside the charset "
            f"({show(*missing)}), which count as wrong; the first is {beyond[0].source}"
        )
