"""A whole run: base model, charset, data, the stages in order, and the best of them all."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from linetune.config.load import save
from linetune.config.schema import Config, Stage
from linetune.core import atomic, cache
from linetune.core.device import best_device, best_precision
from linetune.core.errors import LinetuneError
from linetune.core.progress import Reporter, Silent
from linetune.evaluation.comparison import Comparison, compare
from linetune.evaluation.general import General, general_reading
from linetune.evaluation.metrics import Score
from linetune.models.network import Network
from linetune.training.folder import UNTRAINED, claimed, refuse_taken
from linetune.training.gather import Given, gather
from linetune.training.journal import Journal
from linetune.training.orientation import any_upside_down, stood_upright
from linetune.training.plan import Plan, refuse_lengths
from linetune.training.stage import Setting, StageResult, scored, train_stage
from linetune.training.trial import tried
from linetune.weights.store import Model, load_model, save_model

WORTH = 3
"""Times as many crops as a trial's that make it worth its time; a stage on fewer is soon over itself."""


@dataclass(frozen=True)
class Row:
    """One line of the result table."""

    name: str
    val: Score
    test: Score | None
    seconds: float
    """Spent training; 0 for a model that was not trained."""

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "name": self.name,
            "val": self.val.as_dict(),
            "test": self.test.as_dict() if self.test else None,
            "training_seconds": round(self.seconds, 1),
        }


@dataclass
class RunResult:
    """What a run came to."""

    folder: Path
    rows: list[Row] = field(default_factory=list)
    best: str = ""
    """The row whose model the run ends with."""
    unknown_characters: list[str] = field(default_factory=list)
    """Characters of the charset that the base model did not have."""
    skipped: int = 0
    """Lines left out because they could not be used."""
    general: General | str = ""
    """How well everyday texts are read before and after, or why that is left out."""
    seconds: float = 0

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / "model.safetensors"

    @property
    def helped(self) -> bool:
        """Whether training gave a better model on validation than the one it started from."""
        return self.best != self.rows[1].name

    @property
    def kept(self) -> Row:
        """The row whose model the run ends with."""
        return next(row for row in self.rows if row.name == self.best)

    @property
    def gain(self) -> dict[str, Comparison]:
        """The kept model (B) beside the limited one it started from (A), by set; nothing if they are one."""
        limited, kept = self.rows[1], self.kept
        if not self.helped:
            return {}
        gain = {"val": compare(limited.val, kept.val)}
        if limited.test and kept.test:
            gain["test"] = compare(limited.test, kept.test)
        return gain

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "folder": str(self.folder),
            "best": self.best,
            "helped": self.helped,
            "rows": [row.as_dict() for row in self.rows],
            "gain": {name: compared.as_dict() for name, compared in self.gain.items()},
            "general_reading": (
                {"left_out": self.general} if isinstance(self.general, str) else self.general.as_dict()
            ),
            "unknown_characters": self.unknown_characters,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 1),
        }


def train(
    config: Config,
    *,
    overwrite: bool = False,
    skip_bad: bool = False,
    within: float | None = None,
    reporter: Reporter | None = None,
) -> RunResult:
    """Run all stages of a configuration.

    Each stage starts from the best model so far on validation, exact match before character error rate:
    the limited base model, or what a stage ended with, which is the epoch of the most probable labels of
    those that are better than its start. The run ends with the best of all, and leaves
    ``model.safetensors``, ``results.json``, the resolved configuration and its journal in its folder. The
    test set is scored, never chosen on.

    Args:
        config: the run.
        overwrite: replace an earlier run in the same folder, once a stage has given a better model than
            the base model or the run has ended.
        skip_bad: go on without lines that cannot be used.
        within: seconds in which the run has to end: fewer crops are rendered, and stages that find their end
            by themselves end sooner.
        reporter: told what happens; nobody by default.

    Raises:
        LinetuneError: anything in the configuration or the data that cannot be used.
    """
    reporter = reporter or Silent()
    started = time.perf_counter()
    refuse_taken(config.output, overwrite)
    if within is not None:
        refuse_lengths(config)
    device = chosen_device(config)
    dtype = chosen_precision(config, device)
    if any("backbone" in stage.freeze for stage in config.stages):
        cache.check_writable()
    given = gather(config, skip_bad, reporter)
    given.start.network.to(device)
    config, given = with_both_ways(config, given, reporter)
    result = RunResult(config.output, unknown_characters=given.unknown, skipped=given.skipped)

    untrained = f"{given.base.base_model}, {UNTRAINED}"
    with (
        cache.locked(config.output),
        claimed(config.output, overwrite, untrained, reporter) as folder,
        Journal(folder) as journal,
    ):
        save(config, folder / "config.yaml")
        model = given.start
        model.charset.write(folder / "charset.txt")
        setting = Setting(
            model.charset,
            given.val,
            config.seed,
            device,
            dtype,
            journal,
            reporter,
            model.both_ways,
            given.unknown,
        )

        def row(name: str, model: Model, val: Score | None = None, seconds: float = 0) -> Row:
            model.network.to(device)
            val = val or scored(model.reader.run, given.val, model.charset)
            test = scored(model.reader.run, given.test, model.charset) if given.test else None
            result.rows.append(Row(name, val, test, seconds))
            journal.record("result", **result.rows[-1].as_dict())
            return result.rows[-1]

        plan = Plan(config, given, setting, within and within - (time.perf_counter() - started))
        reporter.progress("base model", 0, 2)
        row(f"{given.base.base_model}, untouched", given.base)
        reporter.progress("base model", 1, 2)
        scoring = time.perf_counter()
        best = row(untrained, model)
        scoring = time.perf_counter() - scoring
        before = _general_reading(model)
        reporter.progress("base model", 2, 2)
        _keep(model, best, folder / "model.safetensors")
        for planned in plan.stages:
            stage, name = planned.stage, f"stage {planned.stage.name}"
            if stage.trial and planned.rendered >= WORTH * stage.trial:
                trial = tried(model.network, stage, planned.number, plan.rendered(stage.trial), setting)
                reporter.say(f"{name}: {trial.sentence()}")
                journal.record(f"{stage.name} trial", **asdict(trial))
                if not trial.helps:
                    continue
            budget, begun = plan.time_for(planned, scoring), time.perf_counter()
            fitted = planned if budget is None else planned.fitted(budget)
            if fitted.rendered < planned.rendered:
                few = f"{fitted.rendered} of {planned.rendered}"
                reporter.say(f"{name}: on {few} rendered crops, for want of time")
            data = plan.data(fitted)
            left = None if budget is None else budget - (time.perf_counter() - begun)
            keep = partial(_keep_epoch, model, name, folder / "model.safetensors")
            trained = replace(model, network=copy.deepcopy(model.network))
            outcome = train_stage(
                trained.network,
                stage,
                planned.number,
                data,
                setting,
                planned.cost.piece,
                best.val,
                keep,
                left,
            )
            stage_row = row(name, trained, outcome.score, outcome.seconds)
            reporter.say(
                f"{name}: {outcome.score.as_text()} exact on validation {_when(stage, outcome)}, "
                f"{outcome.seconds:.0f} s"
            )
            _keep(trained, stage_row, folder / "stages" / f"{planned.number + 1}-{stage.name}.safetensors")
            if stage_row.val > best.val:
                best, model = stage_row, trained
                _keep(model, stage_row, folder / "model.safetensors")
            elif planned is not plan.stages[-1]:
                reporter.say(f"{name} is no better, so the next one starts from {best.name}")
        result.best = best.name
        result.general = _general(before, load_model(result.model), device)
        result.seconds = time.perf_counter() - started
        journal.record("end", best=result.best, total_seconds=result.seconds)
    figures = json.dumps(result.as_dict(), indent=2, ensure_ascii=False)
    atomic.write_text(folder / "results.json", figures + "\n")
    return result


def with_both_ways(config: Config, given: Given, reporter: Reporter) -> tuple[Config, Given]:
    """``both_ways: auto`` settled; where it is true, the real crops to train on are turned upright."""
    real = given.data
    wanted = config.both_ways
    if wanted == "auto":
        judged = partial(any_upside_down, given.start, given.unknown)
        wanted = judged(given.data.get("train", given.val), reporter)
        if not wanted and "train" in given.data and judged(given.val, Silent()):
            reporter.say("of the validation crops more stand upside down than of those to train on")
            wanted = True
    if wanted:
        reporter.say("every crop is read both ways up, for twice the time; both_ways: false reads it once")
        upright = partial(stood_upright, given.start, given.unknown, reporter=reporter)
        real = {name: upright(data) for name, data in real.items()}
    settled = config.model_copy(update={"both_ways": wanted})
    return settled, replace(given, start=replace(given.start, both_ways=wanted), data=real)


def _general_reading(model: Model) -> Score | str:
    """How well a model reads everyday texts, or why that is left out."""
    try:
        return general_reading(model.reader.run, model.charset)
    except LinetuneError as error:
        return error.what


def _general(before: Score | str, kept: Model, device: torch.device) -> General | str:
    if isinstance(before, str):
        return before
    kept.network.to(device)
    return General(before, general_reading(kept.reader.run, kept.charset))


def _when(stage: Stage, outcome: StageResult) -> str:
    """Where a stage's best validation lay."""
    if stage.epochs:
        return f"in epoch {outcome.best_epoch} of {outcome.epochs}"
    return f"at step {outcome.best_step} of {outcome.steps}"


def chosen_device(config: Config) -> torch.device:
    """What a configuration computes on.

    Raises:
        LinetuneError: it asks for a GPU, and there is none.
    """
    best = best_device()
    if config.device == "cuda" and best.type == "cpu":
        raise LinetuneError("torch finds no GPU on this machine", "device", "use device: auto")
    return best if config.device == "auto" else torch.device(config.device)


def chosen_precision(config: Config, device: torch.device) -> torch.dtype:
    """What a configuration computes in on that device."""
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    return named[config.precision] if config.precision != "auto" else best_precision(device)


def _keep(model: Model, row: Row, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    save_model(replace(model, history=row.as_dict()), path)


def _keep_epoch(model: Model, name: str, path: Path, network: Network, val: Score) -> None:
    """Keep an epoch at once, so that a run cut short loses nothing."""
    _keep(replace(model, network=network), Row(name, val, None, 0), path)
