"""One stage: epochs over batches, a validation after each, and the best of them kept."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linetune.augment.draws import generator
from linetune.charset import Charset
from linetune.config.schema import Stage
from linetune.data.dataset import Dataset
from linetune.decode.read import Run, deployed_batches, read_batches, read_crops
from linetune.device import autocast, piece_size
from linetune.errors import LinetuneError
from linetune.evaluation.metrics import Score, score
from linetune.models.both_ways import BothWays
from linetune.models.network import Network, new_guide
from linetune.training.averaging import WeightAverage
from linetune.training.batches import ImageBatches
from linetune.training.features import FeatureBatches, HeldOutFeatures
from linetune.training.freeze import set_trainable
from linetune.training.journal import Journal
from linetune.training.losses import label_losses, stage_loss
from linetune.training.optimiser import CLIP_NORM, make_optimiser, rate_at, set_rate
from linetune.training.reporter import Reporter, count

JOURNAL_STEPS = 10
"""Steps between two entries of the journal."""
VALIDATIONS = 4
"""Parts of a stage, in whole epochs rounded up, after each of which it is validated at the latest."""
DROPOUT = 2**33
"""Address of a step's dropout, beyond every crop's and the epoch's own."""


@dataclass(frozen=True, order=True)
class Validation:
    """What an epoch reads of the validation set; a better one compares greater.

    Of the epochs that read more than the stage started with, the labels' probability decides: exact match
    hangs on the few crops that are about as likely to be read wrong as right, so that it often takes the
    luckier of two epochs (docs/log.md has the comparison).
    """

    helps: bool
    """Whether the score is above that of the model that the stage started from."""
    label_probability: float
    """Mean over all crops of the probability of the label, by CTC, 0 to 1."""
    score: Score


@dataclass(frozen=True)
class StageResult:
    """What a stage came to."""

    name: str
    score: Score
    """On the validation set, of its best epoch."""
    best_epoch: int
    epochs: int
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


def train_stage(
    network: Network,
    stage: Stage,
    number: int,
    data: Dataset,
    setting: Setting,
    piece: int | None = None,
    start: Score | None = None,
    on_better: Callable[[Network, Score], None] = lambda network, score: None,
) -> StageResult:
    """Train ``network`` in place and leave it with the averaged weights of its best epoch.

    Args:
        network: a folded network with the run's charset; the NRTR guide is added where the stage asks.
        stage: the settings.
        number: the stage's place in the run, from 0; part of every random draw's address.
        data: what to train on.
        setting: what the stages share.
        piece: crops of a batch that go through the network together; their gradients add up to the batch's.
            By default as many as the device is quick with.
        start: what ``network`` scores on the validation set; without it every epoch is taken to be better.
        on_better: given the averaged network and its score after every epoch that is better than those
            before and than the start.

    Raises:
        LinetuneError: the loss became NaN or infinite before there was a best epoch to end with.
    """
    started = time.perf_counter()
    if stage.nrtr_weight and network.nrtr is None:
        torch.manual_seed(setting.seed)
        network.nrtr = new_guide(network, len(setting.charset)).to(setting.device)
        setting.reporter.say(f"stage {stage.name}: the base model carries no NRTR guide; it starts untrained")
    set_trainable(network, stage.freeze)
    optimiser = make_optimiser(network)
    scaler = torch.amp.GradScaler(setting.device.type, enabled=setting.dtype == torch.float16)
    per_epoch = math.ceil(len(data) / stage.batch_size)
    steps, warmup = stage.epochs * per_epoch, stage.warmup_epochs * per_epoch
    piece = piece or piece_size(setting.device, stage.batch_size)
    trained = [p for p in network.parameters() if p.requires_grad]
    average = WeightAverage(network)
    images = ImageBatches(data, stage, setting.seed, number, setting.device)
    batches: ImageBatches | FeatureBatches = images
    held_out: HeldOutFeatures | None = None
    if "backbone" in stage.freeze:
        views = stage.stored_views
        told = count(setting.reporter, f"stage {stage.name}: features", views * len(data))
        batches = FeatureBatches(network, images, views, setting.dtype, told)
        if batches.reused:
            setting.reporter.say(f"stage {stage.name}: trains on the features that an earlier run stored")
        held_out = HeldOutFeatures(network, setting.val.crops, setting.both_ways)
    due = validated_epochs(stage.epochs, len(data), len(setting.val) * (1 + setting.both_ways))
    best: Validation | None = None
    best_epoch, best_state = 0, network.state_dict()
    step = step_before = epoch = seen = 0

    for epoch in range(1, stage.epochs + 1):
        set_trainable(network, stage.freeze)
        epoch_started, loss_sum, recent = time.perf_counter(), 0.0, list[Tensor]()
        for batch in batches.epoch(epoch):
            rate = rate_at(seen / stage.batch_size, steps, warmup, stage.learning_rate)
            set_rate(optimiser, rate)
            torch.manual_seed(int(generator(setting.seed, number, epoch, DROPOUT + step).integers(2**63)))
            optimiser.zero_grad()
            losses = list[Tensor]()
            for part in batch.pieces(piece):
                with autocast(setting.device, setting.dtype):
                    features = part.inputs if held_out else network.backbone(part.inputs)
                    loss = stage_loss(network, features, part.labels, stage.nrtr_weight)
                    loss = loss * (len(part.labels) / len(batch.labels))
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                losses.append(loss.detach())
            scaler.unscale_(optimiser)
            norm = torch.nn.utils.clip_grad_norm_(trained, CLIP_NORM)
            scaler.step(optimiser)
            scaler.update()
            average.update(network)

            step += 1
            seen += len(batch.labels)
            recent.append(torch.stack(losses).sum())
            if len(recent) < JOURNAL_STEPS and seen < epoch * len(data):
                continue
            # Only here are figures fetched: on a GPU each one waits until everything before it is done.
            values = torch.stack(recent).tolist()
            loss_sum, recent = loss_sum + sum(values), []
            setting.journal.record(
                stage.name,
                step,
                epoch=epoch,
                loss=sum(values) / len(values),
                gradient_norm=float(norm),
                learning_rate=rate,
            )
            if not math.isfinite(loss_sum):
                break
            detail = f"epoch {epoch}/{stage.epochs}  loss {sum(values) / len(values):.3f}"
            if best is not None:
                detail += f"  best {best.score.exact_match:.1%}"
            setting.reporter.progress(f"stage {stage.name}", seen // stage.batch_size, steps, detail)
        epoch_steps, step_before = step - step_before, step

        if not math.isfinite(loss_sum):
            where, hint = f"stage {stage.name}", "lower its learning_rate"
            if best is None:
                raise LinetuneError(f"the loss became {loss_sum} before its first validation", where, hint)
            setting.reporter.say(f"{where}: the loss became {loss_sum} in epoch {epoch}, stopped; {hint}")
            break
        if epoch not in due:
            continue
        epoch_ended = time.perf_counter()
        found, label_probability = validate(average.network, setting, held_out)
        now = Validation(start is None or found > start, label_probability, found)
        setting.journal.record(
            f"{stage.name} validation",
            step,
            epoch=epoch,
            loss=loss_sum / epoch_steps,
            exact_match=found.exact_match,
            cer=found.cer,
            label_probability=label_probability,
            images_per_second=len(data) / (epoch_ended - epoch_started),
            validation_seconds=time.perf_counter() - epoch_ended,
        )
        if best is None or now > best:
            best, best_epoch, best_state = now, epoch, copy.deepcopy(average.network.state_dict())
            if now.helps:
                on_better(average.network, now.score)
        elif stage.patience and epoch - best_epoch >= stage.patience:
            setting.reporter.say(
                f"stage {stage.name}: no better validation for {stage.patience} epochs, stopped"
            )
            break

    setting.reporter.progress(f"stage {stage.name}", steps, steps)
    network.load_state_dict(best_state)
    assert best is not None
    return StageResult(stage.name, best.score, best_epoch, epoch, time.perf_counter() - started)


def validated_epochs(epochs: int, crops: int, readings: int) -> set[int]:
    """The epochs that end with a validation: all, where an epoch has as many crops as a validation readings.

    A crop to train on costs about three readings. Where an epoch has fewer crops, several pass between two
    validations, but never more than a quarter of all, rounded up.

    Args:
        epochs: of the stage.
        crops: of an epoch.
        readings: of a validation; two a crop where crops are read both ways up.
    """
    apart = min(math.ceil(readings / crops), math.ceil(epochs / VALIDATIONS))
    return {*range(apart, epochs + 1, apart), epochs}


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
