"""What more crops would give: a run on a few of them, on more, and on all."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linetune.config.schema import Config
from linetune.core import atomic, labelfile
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
from linetune.training.run import train

RESULTS = "curve.json"
SHARED = "shared"
"""Folder of the run whose stages use no train crops."""
DEFAULT_PARTS = (8, 4, 2)
"""Parts of all crops that are taken where no sizes are named."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a run on so many train crops came to."""

    crops: int
    best: str
    """The row of the run, or of the shared one, whose model is the best on validation."""
    val: Score
    test: Score | None
    seconds: float
    """Of its own run, without the shared one."""

    @property
    def held_out(self) -> Score:
        """On the test set, or on validation where there is none."""
        return self.test or self.val

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "crops": self.crops,
            "best": self.best,
            "val": self.val.as_dict(),
            "test": self.test.as_dict() if self.test else None,
            "seconds": self.seconds,
        }


@dataclass
class Curve:
    """A run at several numbers of crops."""

    folder: Path
    points: list[Point] = field(default_factory=list)
    shared_seconds: float = 0
    """Of the stages that are the same for all."""

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "folder": str(self.folder),
            "shared_seconds": self.shared_seconds,
            "points": [point.as_dict() for point in self.points],
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """What the last step gave, and what as many crops again may give where a power law tells."""
        if len(self.points) < 2:
            return ""
        before, last = self.points[-2:]
        on = "test" if last.test else "validation"
        gained = (last.held_out.exact_match - before.held_out.exact_match) * 100
        step = f"From {before.crops:,} to {last.crops:,} crops"
        said = f"{step}, exact match on {on} changed by {gained:+.1f} points."
        law = power_law({point.crops: point.held_out for point in self.points})
        if law:
            expected = 1 - law.error(2 * last.crops)
            said += (
                f" The error follows a power law so far; if it goes on, {2 * last.crops:,} crops give about "
                f"{expected:.1%}, less where labels are wrong or crops illegible."
            )
        return said


def learning_curve(
    config: Config,
    output: Path,
    sizes: Sequence[int] = (),
    group_by: str | None = None,
    overwrite: bool = False,
    skip_bad: bool = False,
    reporter: Reporter | None = None,
) -> Curve:
    """Train a run on the first of its train crops in a random order, for each of some sizes and on all.

    Every size holds the smaller ones. All have the charset of all labels. The first stages, as far as
    they use no train crops, are trained once for all sizes; rendered crops have the looks of all crops
    that the configuration names for it, and like_labels goes by all labels. A size whose run is finished
    is not run again.

    Args:
        config: the run; its output is not used.
        output: the curve's folder, with a run's folder for every size.
        sizes: numbers of crops; an eighth, a quarter and half of all by default.
        group_by: names the photo that a crop is of, as in :func:`linetune.data.groups.group`; photos are
            then drawn, and a size may cut the last one's crops short.
        overwrite: replace another curve in the same folder.
        skip_bad: go on without lines that cannot be used; they count in the sizes.
        reporter: told what happens; nobody by default.

    Raises:
        LinetuneError: anything in the configuration or the data that cannot be used.
    """
    reporter = reporter or Silent()
    lines = list(dict.fromkeys(read_labels(*config.data.train)))
    sizes = _checked(sizes, len(lines))
    leading = next((i for i, stage in enumerate(config.stages) if "train" in stage.data), None)
    if leading is None:
        raise LinetuneError("no stage trains on train crops, so that their number changes nothing", "stages")
    key = _key(config, group_by)
    _claim(output, key, overwrite)
    order = _order(lines, group_by, config.seed, reporter)
    texts = [line.text for line in read_labels(*label_files(config.stages))]
    texts += [line.text for line in lines] + rendered_texts(config)
    charset = charset_of(config, texts)
    charset.write(output / "charset.txt")
    settings: dict[str, Any] = {"charset": output / "charset.txt", "charset_space": False}
    if config.both_ways == "auto":
        # Once for all sizes, so that a few bad labels in a small one do not decide.
        base = with_charset(load_base(config.base_model), charset)
        sample = load_dataset(spread(lines, SAMPLE), None, skip_bad)
        settings["both_ways"] = any_upside_down(base.model, base.unknown, sample, reporter)
    curve = Curve(output)

    shared: dict[str, Any] = {"rows": []}
    if leading:
        stages = config.stages[:leading]
        own = settings | {"output": output / SHARED, "stages": stages}
        shared = finished_run(config.model_copy(update=own), skip_bad, _Prefixed(reporter, SHARED))
        curve.shared_seconds = shared["seconds"]
        best = output / SHARED / "model.safetensors"
        settings |= {"base_model": str(best), "stages": config.stages[leading:]}
    for size in sizes:
        chosen = sorted(order[:size])
        labels = output / f"{size}.txt"
        labelfile.write_labels(labels, ((lines[i].image.resolve().as_posix(), lines[i].text) for i in chosen))
        own = {"output": output / str(size), "data": config.data.model_copy(update={"train": [labels]})}
        found = finished_run(
            config.model_copy(update=settings | own), skip_bad, _Prefixed(reporter, str(size))
        )
        point = _point(size, found, shared)
        curve.points.append(point)
        _write(curve, key)
        reporter.say(f"{size} crops: {point.val.as_text()} exact on validation")
    return curve


@dataclass
class _Prefixed:
    """Tells another reporter which size it is about."""

    reporter: Reporter
    name: str

    def say(self, text: str) -> None:
        self.reporter.say(f"{self.name}: {text}")

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        self.reporter.progress(f"{self.name}: {task}", done, total, detail)


def _checked(sizes: Sequence[int], total: int) -> list[int]:
    """All sizes in order, that of all crops last."""
    wanted = sizes or [total // part for part in DEFAULT_PARTS if total // part]
    for size in wanted:
        if not 0 < size <= total:
            raise LinetuneError(f"{size} is no size for {total} train crops", "--sizes")
    return sorted({*wanted, total})


def _key(config: Config, group_by: str | None) -> str:
    """A hash of what all points depend on."""
    digest = hashlib.sha256()
    settings = config.model_dump(mode="json", exclude={"output"})
    digest.update(json.dumps([settings, group_by]).encode())
    files = [*config.data.train, *config.data.val, *(config.data.test or ()), *label_files(config.stages)]
    for path in files:
        # Read as labels, so that what is wrong with them is told.
        digest.update(json.dumps([(str(line.image), line.text) for line in read_labels(path)]).encode())
    return digest.hexdigest()


def _claim(output: Path, key: str, overwrite: bool) -> None:
    """Make the folder, or go on with the curve in it."""
    with os_errors("cannot use the folder", output):
        there = output.is_dir() and any(output.iterdir())
        if there and not (output / RESULTS).is_file():
            raise LinetuneError("the folder holds files but no learning curve", output, "name another one")
        if there and not overwrite and _before(output).get("key") != key:
            what = "the folder holds a learning curve of other settings or labels"
            raise LinetuneError(what, output, "name another one, or pass --overwrite")
        if not there or overwrite:
            output.mkdir(parents=True, exist_ok=True)
            for finished in output.glob("*/results.json"):
                finished.unlink()
            _write(Curve(output), key)


def _before(output: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((output / RESULTS).read_text("utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _write(curve: Curve, key: str) -> None:
    figures = json.dumps({"key": key, **curve.as_dict()}, indent=2, ensure_ascii=False)
    atomic.write_text(curve.folder / RESULTS, figures + "\n")


def _order(lines: Sequence[Line], group_by: str | None, seed: int, reporter: Reporter) -> list[int]:
    """Numbers of the lines in the order in which sizes take them, one photo after the other."""
    groups = (
        group(lines, group_by, count(reporter, "comparing", len(lines)))
        if group_by
        else [[i] for i in range(len(lines))]
    )
    random.Random(seed).shuffle(groups)
    return [number for members in groups for number in members]


def finished_run(config: Config, skip_bad: bool, reporter: Reporter) -> dict[str, Any]:
    """A run's ``results.json``; that of an earlier one in its folder where it came to its end.

    Raises:
        LinetuneError: anything in the configuration or the data that cannot be used.
    """
    results = config.output / "results.json"
    if results.is_file():
        reporter.say("finished before")
    else:
        train(config, overwrite=True, skip_bad=skip_bad, reporter=reporter)
    found: dict[str, Any] = json.loads(results.read_text("utf-8"))
    return found


def _point(crops: int, found: Mapping[str, Any], shared: Mapping[str, Any]) -> Point:
    """The best model on validation, which may be one of before the first train crop."""
    rows = [row for row in (*shared["rows"], *found["rows"]) if not row["name"].endswith(", untouched")]
    best = max(rows, key=lambda row: _score(row["val"]))
    test = _score(best["test"]) if best["test"] else None
    return Point(crops, best["name"], _score(best["val"]), test, found["seconds"])


def _score(figures: Mapping[str, float]) -> Score:
    return Score(figures["exact_match"], -figures["cer"], int(figures["lines"]))
