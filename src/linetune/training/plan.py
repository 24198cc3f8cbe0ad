"""What the stages of a run will take, told before they start, and how they share the time there is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce

import torch

from linetune.config.schema import Config, Stage, Synth
from linetune.core.device import piece_size
from linetune.core.errors import LinetuneError
from linetune.data.dataset import Dataset
from linetune.synth.generate import is_current, stream
from linetune.training.batches import ImageBatches
from linetune.training.estimate import Estimate, estimate
from linetune.training.gather import Given
from linetune.training.schedule import EXPECTED, expected_epochs
from linetune.training.stage import Setting

FEW = 1000
"""Rendered crops that estimates go by, before the others are rendered."""
MEASURED = 256
"""Crops that are rendered to see how long one takes."""
REAL_SHARE = 0.5
"""Least share of the time that stages on real crops get where there is not enough for all."""
HEAD_SHARE = 0.3
"""Share of a rendered stage's time that is left for its steps, once its crops are rendered."""
ENDING = 20.0
"""Seconds for the export and its comparison at the end of a run."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage and what it is expected to take."""

    stage: Stage
    number: int
    """Its place in the run."""
    crops: int
    """That it trains on, rendered ones included."""
    rendered: int
    """Of those."""
    cost: Estimate
    rendering: float
    """Seconds until its crops are rendered, 0 where they are there or nobody asked."""

    @property
    def seconds(self) -> float:
        """Of training and rendering."""
        return self.cost.seconds + self.rendering

    def fitted(self, seconds: float) -> Planned:
        """The same with as many rendered crops as that time allows; the first few are there anyway."""
        if "synth" not in self.stage.data or self.seconds <= seconds:
            return self
        # What the backbone computes once for every crop, and its rendering.
        each = self.rendering / self.rendered + self.cost.first_pass / self.crops
        rendered = max(FEW, int((1 - HEAD_SHARE) * seconds / max(each, 1e-9)))
        return replace(self, rendered=min(self.rendered, rendered))


class Plan:
    """The stages of a run, and the time for each.

    Args:
        config: the run.
        given: its crops.
        setting: what the stages share.
        within: seconds from now in which the run has to end; None for as long as it takes.
    """

    def __init__(self, config: Config, given: Given, setting: Setting, within: float | None) -> None:
        self._given, self._say = given, setting.reporter.say
        self._rendered = config.synth.count if config.synth else 0
        self._end = None if within is None else time.perf_counter() + within
        render = _seconds_a_crop(config.synth) if within is not None and config.synth else 0.0
        self._loaded = dict[int, Dataset]()
        self.stages = [
            self._planned(stage, number, setting, render) for number, stage in enumerate(config.stages)
        ]
        total = sum(planned.seconds for planned in self.stages)
        self._say(f"about {duration(total)} of training in all, validation not counted")
        if setting.device.type == "cpu" and setting.dtype == torch.float32:
            self._say("this processor has no bf16, which makes training two to three times as fast")
        if within is not None and total > within - ENDING:
            self._say(
                f"not all of that fits into {duration(within)}, so fewer crops are rendered and training "
                f"ends sooner; {duration(total + ENDING)} would do all of it"
            )

    def rendered(self, count: int) -> Dataset:
        """The first so many rendered crops, or all; those that are not there yet are rendered now, once."""
        count = min(count, self._rendered)
        if count not in self._loaded:
            self._loaded[count] = self._given.render(count)
        return self._loaded[count]

    def data(self, planned: Planned) -> Dataset:
        """All crops of a stage."""
        return self._of(planned.stage, planned.rendered)

    def time_for(self, planned: Planned, evaluation: float) -> float | None:
        """Seconds that a stage may take from now on, its rendering included; None for as many as it takes.

        Args:
            planned: the stage.
            evaluation: seconds that scoring takes after each stage.
        """
        if self._end is None:
            return None
        rest = self.stages[planned.number :]
        left = max(1.0, self._end - time.perf_counter() - ENDING - evaluation * len(rest))
        others = sum(other.seconds for other in rest[1:])
        if planned.seconds + others <= left:
            return left - others
        share = planned.seconds / (planned.seconds + others)
        if "synth" in planned.stage.data and others:
            share = min(share, 1 - REAL_SHARE)
        return left * share

    def _planned(self, stage: Stage, number: int, setting: Setting, render: float) -> Planned:
        data, rendered = self._of(stage, FEW), self._rendered if "synth" in stage.data else 0
        crops = len(data) + max(0, rendered - FEW)
        for said in _notable(stage, crops):
            self._say(f"stage {stage.name}: {said}")
        images = ImageBatches(data, stage, setting.seed, number, setting.device)
        cost = estimate(self._given.start.network, stage, images, setting.dtype, crops)
        self._say(
            f"stage {stage.name}: {_length(stage)} {crops} crops, "
            f"about {duration(cost.seconds)} and {cost.bytes / 1e9:.1f} GB"
        )
        if cost.piece < piece_size(setting.device, stage.batch_size):
            self._say(
                f"stage {stage.name}: free memory is short, so a batch goes through the network in pieces "
                f"of {cost.piece}, to the same gradient"
            )
        if not cost.fits:
            self._say(
                f"stage {stage.name}: even that may not fit; close other programs, or use a smaller charset"
            )
        return Planned(stage, number, crops, rendered, cost, render * rendered)

    def _of(self, stage: Stage, rendered: int) -> Dataset:
        """The crops of a stage, with so many rendered ones."""
        parts = (
            self.rendered(rendered) if source == "synth" else self._given.data[str(source)]
            for source in stage.data
        )
        return reduce(Dataset.__add__, parts)


def refuse_lengths(config: Config) -> None:
    """Refuse stages that say how long they train, where the run has a time to keep."""
    for stage in config.stages:
        if stage.steps or stage.epochs:
            key = "steps" if stage.steps else "epochs"
            raise LinetuneError(
                "says how long the stage trains, which a time for the whole run cannot keep",
                f"stages.{stage.name}.{key}",
                "leave it out, or run without a time",
            )


def _seconds_a_crop(settings: Synth) -> float:
    """Of rendering, by all cores; 0 where the crops are there."""
    if settings.output is not None and is_current(settings):
        return 0.0
    started = time.perf_counter()
    count = min(MEASURED, settings.count)
    for _ in stream(settings.model_copy(update={"count": count, "output": None}))[1]:
        pass
    return (time.perf_counter() - started) / count


def _notable(stage: Stage, crops: int) -> Iterator[str]:
    """Settings that do not do what they say."""
    if stage.batch_size > crops:
        yield f"batch_size is {stage.batch_size}, more than there are crops ({crops}): an epoch is one step"
    stored = "backbone" in stage.freeze and not stage.augment.is_off
    if stored and stage.epochs and "views" in stage.model_fields_set and stage.views > stage.epochs:
        yield f"views is {stage.views}, but no more than one an epoch is stored ({stage.epochs})"


def _length(stage: Stage) -> str:
    if epochs := expected_epochs(stage):
        return f"{epochs} x"
    if stage.steps:
        return f"{stage.steps} steps on"
    return f"until validation is flat, say {EXPECTED} steps, on"


def duration(seconds: float) -> str:
    """A time for people."""
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{math.ceil(seconds)} s"
