"""One stage of a run: what it trains on, at what learning rate, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from linetune.config.schema import Stage
from linetune.core import processes
from linetune.core.device import piece_size
from linetune.core.progress import count
from linetune.data.dataset import Dataset
from linetune.evaluation.metrics import Score
from linetune.models.network import Network, new_guide
from linetune.training.batches import Batches, ImageBatches, endless
from linetune.training.context import Context
from linetune.training.features import FeatureBatches, HeldOutFeatures
from linetune.training.loop import Keeper, run_steps
from linetune.training.rate import STEPS, find_rate, rates_for
from linetune.training.schedule import InEpochs, Progress, schedule_of
from linetune.training.state import StageState, Validation
from linetune.training.tracker import Tracker
from linetune.training.trainer import Rows, Trainer
from linetune.training.validation import Validator


@dataclass(frozen=True)
class StageTask:
    """A stage with its crops and its limits."""

    stage: Stage
    number: int
    """The stage's place in the run, from 0. It is part of the address of every random draw."""
    data: Dataset
    """The crops to train on."""
    piece: int | None = None
    """Crops of a batch that go through the network together. By default as many as the device is quick
    with."""
    budget: float | None = None
    """Seconds that a stage without a number of epochs may take."""
    start: Score | None = None
    """The validation score of the model that the stage starts from. Without it, every validation helps."""
    wins_ties: bool = False
    """Whether a validation with the same exact match and about the same CER helps."""
    saved: Mapping[str, Any] | None = None
    """What :func:`to_resume` returned, to continue from there."""


@dataclass(frozen=True)
class StageResult:
    """The result of a stage."""

    name: str
    best: Validation
    at: Progress
    """The counts at the end, with those at the best validation."""
    learning_rate: float
    """The highest."""
    seconds: float

    @property
    def score(self) -> Score:
        """The score of the best validation."""
        return self.best.score

    def as_text(self, stage: Stage) -> str:
        """Return the best validation, when it was, and the seconds of the stage."""
        at = self.at
        when = f"at step {at.best_step} of {at.step}"
        if stage.epochs:
            when = f"in epoch {at.best_epoch} of {at.epoch}"
        return f"{self.score.as_text()} exact on validation {when}, {self.seconds:.0f} s"


def train_stage(
    network: Network,
    task: StageTask,
    context: Context,
    keeper: Keeper = Keeper(),  # noqa: B008 - it has no state
) -> StageResult:
    """Train ``network`` in place, and leave it with the averaged weights of its best validation.

    Args:
        network: a folded network with the run's charset. It gets an NRTR guide if the stage asks for one.
        task: the stage.
        context: what all stages share.
        keeper: keeps better networks, and states that can be resumed.

    Raises:
        LinetuneError: the loss became NaN or infinite three times before the first validation.
    """
    stage = task.stage
    tracker = Tracker(f"stage {stage.name}", stage.name, context.journal, context.reporter)
    if not task.saved:
        tracker.begins(task.number, len(task.data), task.budget)
    _add_guide(network, stage, context, tracker)
    batches, features = _batches(network, task, context)
    validator = Validator(context, task.start, features, task.wins_ties)
    trainer = _trainer(network, task, context)
    state = trainer.state
    if task.saved:
        state.load_state_dict(task.saved["state"])
        tracker.load_state_dict(task.saved["tracker"])
    elif stage.learning_rate is None:
        rates = rates_for(stage)
        steps = count(context.reporter, f"stage {stage.name}: learning rates", STEPS * len(rates))
        trials = find_rate(trainer, batches, validator, rates, task.budget, steps)
        best = trials[state.peak]
        if state.keep_if_best(best) and best.helps:
            keeper.better(state.average.network, best)
        tracker.rates(trials, state.peak)
        tracker.say(_found(trials, state.peak, len(rates)))
        keeper.rest(state, tracker)
    else:
        state.peak = stage.learning_rate
    readings = len(context.val) * (1 + context.both_ways)
    left = task.budget and processes.from_first(max(1.0, task.budget - tracker.seconds))
    schedule = schedule_of(stage, state.peak, len(task.data), readings, left)
    tracker.starts(state.progress)
    run_steps(trainer, endless(batches, state.progress), schedule, tracker, validator, keeper)
    if isinstance(schedule, InEpochs) and schedule.gave_up(state.progress):
        tracker.say(f"stopped, because the last {stage.patience} epochs brought no better validation")
    assert state.best is not None
    network.load_state_dict(state.best_weights)
    return StageResult(stage.name, state.best, state.progress, state.peak, tracker.seconds)


def to_resume(state: StageState, tracker: Tracker) -> dict[str, Any]:
    """Return what a stage continues from. The tensors are not copied."""
    return {"state": state.state_dict(), "tracker": tracker.state_dict()}


def _add_guide(network: Network, stage: Stage, context: Context, tracker: Tracker) -> None:
    if stage.nrtr_weight and network.nrtr is None:
        torch.manual_seed(context.seed)
        network.nrtr = new_guide(network, len(context.charset)).to(context.device)
        tracker.say("the base model has no NRTR guide; a new one starts untrained")


def _batches(network: Network, task: StageTask, context: Context) -> tuple[Batches, HeldOutFeatures | None]:
    """Return the batches of a stage. With a frozen backbone, they and the validation crops are features."""
    stage, data = task.stage, task.data
    images = ImageBatches(data, stage, context.seed, task.number, context.device, context.teacher)
    if "backbone" not in stage.freeze:
        return images, None
    views = stage.stored_views
    progress = count(context.reporter, f"stage {stage.name}: features", views * len(data))
    features = FeatureBatches(network, images, views, context.dtype, progress)
    if features.reused:
        context.reporter.say(f"stage {stage.name}: trains on the features that an earlier run stored")
    return features, HeldOutFeatures(network, context.val.crops, context.both_ways)


def _trainer(network: Network, task: StageTask, context: Context) -> Trainer:
    piece = task.piece or piece_size(context.device, task.stage.batch_size)
    new_rows = [context.charset.characters.index(character) + 1 for character in context.unknown]
    address = context.seed, task.number
    rows = Rows(new_rows, context.charset.alias_classes)
    return Trainer(network, task.stage, address, context.dtype, piece, rows)


def _found(trials: Mapping[float, Validation], best: float, rates: int) -> str:
    """Return a sentence that says which learning rate is best, and what the others gave."""
    if len(trials) == 1 < rates:
        return f"learning rate {best:g}: there was no time to try a higher one"
    others = ", ".join(f"{trial.label_probability:.1%} at {rate:g}" for rate, trial in trials.items())
    return (
        f"learning rate {best:g}: the lowest that is about the best in trials of {STEPS} steps "
        f"(mean probability of the validation labels: {others})"
    )
