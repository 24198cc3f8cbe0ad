"""The learning curve: the same run on a few crops, on more, and on all."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linetune.config.schema import Config
from linetune.core import atomic, labelfile, outputs, untrusted
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.labelfile import Line, read_labels, spread
from linetune.core.progress import Reporter, Silent, count
from linetune.data.dataset import load_dataset
from linetune.data.groups import group
from linetune.evaluation.metrics import Score
from linetune.evaluation.trend import power_law
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.training.gather import charset_of, label_files, rendered_texts
from linetune.training.orientation import SAMPLE, any_upside_down
from linetune.training.result import UNTRAINED
from linetune.training.run import train

RESULTS = "curve.json"
SHARED = "shared"
"""Folder of the run with the stages that use no training crops."""
DEFAULT_PARTS = (8, 4, 2)
"""Default sizes: an eighth, a quarter and half of all crops."""


@dataclass(frozen=True, slots=True)
class Point:
    """The result of a run on some training crops."""

    crops: int
    best: str
    """The name of the best model on validation, in this run or in the shared one."""
    val: Score
    test: Score | None
    seconds: float
    """Seconds of this run, without the shared one."""

    @property
    def held_out(self) -> Score:
        """The score on the test crops. If there are none, the score on the validation crops."""
        return self.test or self.val

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "crops": self.crops,
            "best": self.best,
            "val": self.val.as_dict(),
            "test": self.test.as_dict() if self.test else None,
            "seconds": self.seconds,
        }


@dataclass
class Curve:
    """The results of the same run on several numbers of crops."""

    folder: Path
    points: list[Point] = field(default_factory=list)
    shared_seconds: float = 0
    """Seconds of the stages that all sizes share."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "folder": str(self.folder),
            "shared_seconds": self.shared_seconds,
            "points": [point.as_dict() for point in self.points],
            "sentence": self.sentence(),
        }

    def sentence(self, say: Callable[..., str] = str.format) -> str:
        """Return the gain of the last step, and what more crops give if the error follows a power law.

        Args:
            say: puts values into a sentence. It may translate the sentence.
        """
        if len(self.points) < 2:
            return ""
        before, last = self.points[-2:]
        gain = (last.held_out.exact_match - before.held_out.exact_match) * 100
        step = {"before": f"{before.crops:,}", "last": f"{last.crops:,}", "gain": f"{gain:+.1f}"}
        if last.test:
            changed = say(
                "From {before} to {last} crops, exact match on test changed by {gain} points.", **step
            )
        else:
            changed = say(
                "From {before} to {last} crops, exact match on validation changed by {gain} points.", **step
            )
        law = power_law({point.crops: point.held_out for point in self.points})
        if not law:
            return changed
        hundred, twice = (1 - law.error(crops) for crops in (last.crops + 100, 2 * last.crops))
        forecast = say(
            "So far, the error follows a power law. If it continues, 100 more crops give about {hundred}, "
            "and {crops} crops give about {twice}, or less if labels are wrong or crops illegible.",
            hundred=f"{hundred:.1%}",
            crops=f"{2 * last.crops:,}",
            twice=f"{twice:.1%}",
        )
        return say(" ").join((changed, forecast))


def learning_curve(
    config: Config,
    sizes: Sequence[int] = (),
    group_by: str | None = None,
    overwrite: bool = False,
    skip_bad: bool = False,
    reporter: Reporter | None = None,
) -> Curve:
    """Run a configuration on some of its training crops, on more, and on all.

    The crops have a random order, and each size takes the first ones: it contains the smaller sizes. All
    sizes have the charset of all labels. The first stages are trained once for all sizes if they use no
    training crops. Rendered crops always copy the looks of all crops that the configuration names. A finished
    run is not repeated.

    Args:
        config: the run. Its output folder is that of the curve, and gets a run folder for each size.
        sizes: numbers of crops. By default an eighth, a quarter and half of all. All crops are always the
            last size.
        group_by: names the group of a crop, as in :func:`linetune.data.groups.group`. The random order is
            then one of groups. A size may end within a group.
        overwrite: replace another curve in the same folder.
        skip_bad: leave out lines that cannot be used. They count in the sizes.
        reporter: gets messages and progress.

    Raises:
        LinetuneError: anything in the configuration or the data that cannot be used.
    """
    reporter, output = reporter or Silent(), config.output
    lines = list(dict.fromkeys(read_labels(*config.data.train)))
    sizes = _checked(sizes, len(lines))
    leading = next((i for i, stage in enumerate(config.stages) if "train" in stage.data), None)
    if leading is None:
        hint = "give one stage data: train"
        raise LinetuneError("no stage uses training crops, and their number changes nothing", "stages", hint)
    key = _key(config, group_by)
    _claim(output, key, overwrite)
    order = _order(lines, group_by, config.seed, reporter)
    config = _with_common_settings(config, lines, skip_bad, reporter)
    curve, shared = Curve(output), dict[str, Any](rows=[])
    if leading:
        first_stages = {"output": output / SHARED, "stages": config.stages[:leading]}
        shared = finished_run(config.model_copy(update=first_stages), skip_bad, reporter)
        curve.shared_seconds = shared["seconds"]
        best = str(output / SHARED / "model.safetensors")
        config = config.model_copy(update={"base_model": best, "stages": config.stages[leading:]})
    for size in sizes:
        labels = output / f"{size}.txt"
        chosen = (lines[i] for i in sorted(order[:size]))
        labelfile.write_labels(labels, ((line.image.resolve().as_posix(), line.text) for line in chosen))
        own = {"output": output / str(size), "data": config.data.model_copy(update={"train": [labels]})}
        run = finished_run(config.model_copy(update=own), skip_bad, reporter)
        curve.points.append(point(size, run, shared))
        _write(curve, key)
        reporter.say(f"{size} crops: {curve.points[-1].val.as_text()} exact on validation")
    return curve


def _with_common_settings(
    config: Config, lines: Sequence[Line], skip_bad: bool, reporter: Reporter
) -> Config:
    """Return the run with what all sizes share: the charset, and whether crops are read both ways up."""
    lines_of_all = [*read_labels(*label_files(config.stages)), *lines]
    config.aliases.refuse(lines_of_all)
    texts = [line.text for line in lines_of_all]
    charset = charset_of(config, texts + rendered_texts(config))
    charset.write(config.output / "charset.txt")
    common: dict[str, Any] = {"charset": config.output / "charset.txt", "charset_space": False}
    if config.both_ways == "auto":
        # Decided once for all sizes: in a small size, a few wrong labels could decide otherwise.
        base = with_charset(load_base(config.base_model), charset, config.aliases)
        sample = load_dataset(spread(lines, SAMPLE), None, skip_bad)
        common["both_ways"] = any_upside_down(base.model, base.unknown, sample, reporter)
    return config.model_copy(update=common)


@dataclass
class _Prefixed:
    """A reporter that writes the name of a run folder before each message and each task."""

    reporter: Reporter
    name: str

    def say(self, text: str) -> None:
        self.reporter.say(f"{self.name}: {text}")

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        self.reporter.progress(f"{self.name}: {task}", done, total, detail)

    def figures(self, event: str, figures: Mapping[str, Any]) -> None:
        self.reporter.figures(event, {**figures, "run": self.name})


def _checked(sizes: Sequence[int], total: int) -> list[int]:
    """Return all sizes in order. The last one is all crops."""
    wanted = sizes or [total // part for part in DEFAULT_PARTS if total // part]
    for size in wanted:
        if not 0 < size <= total:
            what = f"{size} is not a possible size: there are {total} training crops"
            raise LinetuneError(what, "--sizes", f"write numbers from 1 to {total}")
    return sorted({*wanted, total})


def _key(config: Config, group_by: str | None) -> str:
    """Return a hash of everything that all points depend on."""
    digest = hashlib.sha256()
    settings = config.model_dump(mode="json", exclude={"output", "loggers"})
    digest.update(json.dumps([settings, group_by]).encode())
    files = [*config.data.train, *config.data.val, *(config.data.test or ()), *label_files(config.stages)]
    for path in files:
        # Read as labels, because this reports problems in them.
        digest.update(json.dumps([(str(line.image), line.text) for line in read_labels(path)]).encode())
    return digest.hexdigest()


def _claim(output: Path, key: str, overwrite: bool) -> None:
    """Create the folder, or continue the curve in it."""
    with os_errors("cannot use the folder", output):
        exists = outputs.is_filled(output, (RESULTS,), "a learning curve", "choose another --output")
        if exists and not overwrite and _before(output).get("key") != key:
            what = "the folder has a learning curve of other settings or labels"
            raise LinetuneError(what, output, "choose another --output, or pass --overwrite")
        if not exists or overwrite:
            output.mkdir(parents=True, exist_ok=True)
            for finished in output.glob("*/results.json"):
                finished.unlink()
            _write(Curve(output), key)


def _before(output: Path) -> Mapping[str, Any]:
    try:
        found = untrusted.parse_json(untrusted.read(output / RESULTS), output / RESULTS)
    except LinetuneError:
        return {}
    return found if isinstance(found, dict) else {}


def _write(curve: Curve, key: str) -> None:
    figures = json.dumps({"key": key, **curve.as_dict()}, indent=2, ensure_ascii=False)
    atomic.write_text(curve.folder / RESULTS, figures + "\n")


def _order(lines: Sequence[Line], group_by: str | None, seed: int, reporter: Reporter) -> list[int]:
    """Return the numbers of the lines in the order in which sizes take them, group after group."""
    groups = [[number] for number in range(len(lines))]
    if group_by:
        groups = group(lines, group_by, count(reporter, "comparing", len(lines)))
    random.Random(seed).shuffle(groups)
    return [number for members in groups for number in members]


def finished_run(config: Config, skip_bad: bool, reporter: Reporter) -> dict[str, Any]:
    """Run a configuration unless its folder has a finished run, and return its ``results.json``.

    Raises:
        LinetuneError: anything in the configuration or the data that cannot be used.
    """
    results, reporter = config.output / "results.json", _Prefixed(reporter, config.output.name)
    if results.is_file():
        reporter.say("finished before")
    else:
        try:
            train(config, overwrite=True, skip_bad=skip_bad, export=False, reporter=reporter)
        except KeyboardInterrupt:
            # A curve does not resume its runs, and what the run says of it is wrong here.
            raise KeyboardInterrupt from None
    found: dict[str, Any] = untrusted.parse_json(untrusted.read(results), results)
    return found


def point(crops: int, found: Mapping[str, Any], shared: Mapping[str, Any] | None = None) -> Point:
    """Return the result of a run from its ``results.json``. Its best model may be one of the shared run."""
    rows, name = {row["name"]: row for row in found["rows"]}, found["best"]
    if shared and name.endswith(UNTRAINED):  # the model that the run began with
        rows, name = {row["name"]: row for row in shared["rows"]}, shared["best"]
    best = rows[name]
    test = Score.of(best["test"]) if best["test"] else None
    return Point(crops, best["name"], Score.of(best["val"]), test, found["seconds"])
