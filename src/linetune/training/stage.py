"""One stage: epochs over batches, a validation after each, and the best of them kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linetune.config.schema import Stage
from linetune.core.charset import Charset
from linetune.core.device import piece_size
from linetune.core.errors import LinetuneError
from linetune.core.progress import Reporter, count
from linetune.data.dataset import Dataset
from linetune.decode.read import Run, deployed_batches, read_batches, read_crops
from linetune.evaluation.metrics import Score, score
from linetune.models.both_ways import BothWays
from linetune.models.network import Network, new_guide
from linetune.training.batches import ImageBatches, endless
from linetune.training.best import Best, Validation
from linetune.training.features import FeatureBatches, HeldOutFeatures
from linetune.training.journal import Journal
from linetune.training.losses import label_losses
from linetune.training.rate import STEPS, find_rate, rates_for
from linetune.training.schedule import InEpochs, schedule_of
from linetune.training.trainer import Trainer

JOURNAL_STEPS = 10
"""Steps between two entries of the journal."""


@dataclass(frozen=True)
class StageResult:
    """What a stage came to."""

    name: str
    score: Score
    """On the validation set, of its best validation."""
    label_probability: float
    """Of the same: mean over the validation labels, 0 to 1."""
    best_epoch: int
    """In which that was."""
    epochs: int
    """Begun in all."""
    best_step: int
    steps: int
    learning_rate: float
    """The highest."""
    seconds: float


@dataclass(frozen=True)
class Setting:
    """What all stages of a run share."""

    charset: Charset
    val: Dataset
    seed: int
    device: torch.device
    dtype: torch.dtype
    journal: Journal
    reporter: Reporter
    both_ways: bool = False
    """Whether validation crops are read both ways up, the surer reading counting."""
    unknown: Sequence[str] = ()
    """Characters of the charset that the base model had no knowledge of."""


def train_stage(
    network: Network,
    stage: Stage,
    number: int,
    data: Dataset,
    setting: Setting,
    piece: int | None = None,
    start: Score | None = None,
    on_better: Callable[[Network, Score], None] = lambda network, score: None,
    budget: float | None = None,
) -> StageResult:
    """Train ``network`` in place and leave it with the averaged weights of its best validation.

    Args:
        network: a folded network with the run's charset; the NRTR guide is added where the stage asks.
        stage: the settings.
        number: the stage's place in the run, from 0; part of every random draw's address.
        data: what to train on.
        setting: what the stages share.
        piece: crops of a batch that go through the network together; their gradients add up to the batch's.
            By default as many as the device is quick with.
        start: what ``network`` scores on the validation set; without it every validation counts as better.
        on_better: given the averaged network and its score after every validation that is better than those
            before and than the start.
        budget: seconds that the stage may take, where it finds its end by itself.

    Raises:
        LinetuneError: the loss became NaN or infinite before there was a validation to end with.
    """
    started = time.perf_counter()
    where = f"stage {stage.name}"
    if stage.nrtr_weight and network.nrtr is None:
        torch.manual_seed(setting.seed)
        network.nrtr = new_guide(network, len(setting.charset)).to(setting.device)
        setting.reporter.say(f"{where}: the base model carries no NRTR guide; it starts untrained")
    images = ImageBatches(data, stage, setting.seed, number, setting.device)
    batches: ImageBatches | FeatureBatches = images
    held_out: HeldOutFeatures | None = None
    if "backbone" in stage.freeze:
        views = stage.stored_views
        told = count(setting.reporter, f"{where}: features", views * len(data))
        batches = FeatureBatches(network, images, views, setting.dtype, told)
        if batches.reused:
            setting.reporter.say(f"{where}: trains on the features that an earlier run stored")
        held_out = HeldOutFeatures(network, setting.val.crops, setting.both_ways)
    piece = piece or piece_size(setting.device, stage.batch_size)
    new_rows = [setting.charset.characters.index(character) + 1 for character in setting.unknown]
    trainer = Trainer(network, stage, (setting.seed, number), setting.dtype, piece, new_rows)
    best = Best(on_better)

    def validated() -> Validation:
        found, label_probability = validate(trainer.average.network, setting, held_out)
        return Validation(start is None or found > start, label_probability, found)

    peak, stream = stage.learning_rate, endless(batches)
    if peak is None:
        tried, peak, stream = find_rate(trainer, batches, validated, rates_for(stage), budget)
        best.offered(tried[peak], trainer, 1)
        for each, outcome in tried.items():
            figures = {"learning_rate": each, "label_probability": outcome.label_probability}
            setting.journal.record(f"{stage.name} rate", None, **figures)
        setting.reporter.say(f"{where}: {_found(tried, peak)}")
    readings = len(setting.val) * (1 + setting.both_ways)
    spent = time.perf_counter() - started
    schedule = schedule_of(stage, peak, len(data), readings, budget and max(1.0, budget - spent))
    recent, losses, measured = list[Tensor](), list[float](), (time.perf_counter(), trainer.at.seen)

    for epoch, batch in stream:
        rate = schedule.rate(trainer.at)
        recent.append(trainer.step(batch, epoch, rate))
        due = schedule.due(trainer.at)
        if len(recent) < JOURNAL_STEPS and not due:
            continue
        # Only here are figures fetched: on a GPU each one waits until everything before it is done.
        fetched, recent = torch.stack(recent).tolist(), []
        losses += fetched
        loss = sum(fetched) / len(fetched)
        figures = {"loss": loss, "gradient_norm": float(trainer.norm), "learning_rate": rate}
        setting.journal.record(stage.name, trainer.at.step, epoch=epoch, **figures)
        if not math.isfinite(loss):
            hint = "lower its learning_rate"
            if best.validation is None:
                raise LinetuneError(f"the loss became {loss} before its first validation", where, hint)
            setting.reporter.say(f"{where}: the loss became {loss} in epoch {epoch}, stopped; {hint}")
            break
        length = schedule.length(trainer.at)
        setting.reporter.progress(where, min(trainer.at.step, length - 1), length, best.detail(epoch, loss))
        if not due:
            continue

        ended, (began, seen_before) = time.perf_counter(), measured
        now = validated()
        setting.journal.record(
            f"{stage.name} validation",
            trainer.at.step,
            epoch=epoch,
            loss=sum(losses) / len(losses),
            exact_match=now.score.exact_match,
            cer=now.score.cer,
            label_probability=now.label_probability,
            images_per_second=(trainer.at.seen - seen_before) / (ended - began),
            validation_seconds=time.perf_counter() - ended,
        )
        schedule.judged(trainer.at, best.offered(now, trainer, epoch))
        if schedule.turns_back():
            trainer.restore({**best.state, "at": trainer.at})
        losses, measured = [], (time.perf_counter(), trainer.at.seen)
        if schedule.ended(trainer.at):
            break

    setting.reporter.progress(where, 1, 1)
    if isinstance(schedule, InEpochs) and schedule.gave_up:
        setting.reporter.say(f"{where}: no better validation for {stage.patience} epochs, stopped")
    assert best.validation is not None
    network.load_state_dict(best.weights)
    return StageResult(
        stage.name,
        best.validation.score,
        best.validation.label_probability,
        best.epoch,
        epoch,
        best.step,
        trainer.at.step,
        peak,
        time.perf_counter() - started,
    )


def _found(tried: Mapping[float, Validation], best: float) -> str:
    """Which rate was found, and what the others came to."""
    each = ", ".join(f"{found.label_probability:.1%} at {rate:g}" for rate, found in tried.items())
    return (
        f"learning rate {best:g}, which makes the validation labels the most probable in a trial of {STEPS} "
        f"steps ({each})"
    )


def validate(
    network: Network, setting: Setting, features: HeldOutFeatures | None = None
) -> tuple[Score, float]:
    """Score and mean label probability, with the deployment preprocessing or from stored features."""
    crops, texts, charset = setting.val.crops, setting.val.texts, setting.charset
    likely = np.zeros(len(texts))

    def batches() -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        reader = BothWays(network) if setting.both_ways else network
        read = ((members, reader.run(batch)) for members, batch in deployed_batches(crops))
        for members, probabilities in features.read(network) if features else read:
            losses = label_losses(probabilities, [texts[i] for i in members], charset)
            likely[members] = np.nan_to_num(np.exp(-losses))  # nothing is likely to a ruined network
            yield members, probabilities

    readings = read_batches(batches(), charset, len(texts))
    return score([reading.text for reading in readings], texts), float(likely.mean())


def scored(run: Run, data: Dataset, charset: Charset) -> Score:
    """The score of whatever reads packed images, with the deployment preprocessing."""
    return score([reading.text for reading in read_crops(run, data.crops, charset)], data.texts)
