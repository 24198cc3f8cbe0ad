"""The plan of a run: what each stage will take, and how the stages share a time limit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch

from linetune.config.schema import Config, Stage, Synth
from linetune.core import processes
from linetune.core.device import MEMORY, piece_size
from linetune.core.errors import LinetuneError
from linetune.core.progress import duration
from linetune.data.dataset import Dataset
from linetune.synth.generate import is_current, stream
from linetune.training.batches import ImageBatches
from linetune.training.context import Context
from linetune.training.estimate import Estimate, estimate
from linetune.training.gather import Inputs
from linetune.training.schedule import EXPECTED, expected_epochs
from linetune.training.unlabelled import NAME as UNLABELLED

FEW = 1000
"""Rendered crops on which estimates are based. The others are rendered later."""
MEASURED = 256
"""Crops that are rendered to measure the time of one."""
REAL_SHARE = 0.5
"""Least share of the time for stages on real crops, where the time is too short for all stages."""
HEAD_SHARE = 0.3
"""Share of the time of a stage on rendered crops that is left for its steps after rendering."""
ENDING = 20.0
"""Seconds for the export and its comparison at the end of a run."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """A stage and what it is expected to take."""

    stage: Stage
    number: int
    """The stage's place in the run, from 0."""
    crops: int
    """Crops to train on, including rendered ones."""
    rendered: int
    """Rendered crops among them."""
    cost: Estimate
    rendering: float
    """Seconds for rendering. 0 if the crops exist, or if the run has no time limit."""

    @property
    def seconds(self) -> float:
        """Seconds of training and rendering."""
        return self.cost.seconds + self.rendering

    def fitted(self, seconds: float) -> StagePlan:
        """Return the same plan with as many rendered crops as fit into a time. The first few always exist."""
        if "synth" not in self.stage.data or self.seconds <= seconds:
            return self
        # Each crop is rendered once, and goes through a frozen backbone once.
        seconds_a_crop = self.rendering / self.rendered + self.cost.first_pass / self.crops
        rendered = max(FEW, int((1 - HEAD_SHARE) * seconds / max(seconds_a_crop, 1e-9)))
        return replace(self, rendered=min(self.rendered, rendered))


class Plan:
    """The stages of a run, and the time for each.

    Args:
        config: the run.
        inputs: its crops.
        context: what all stages share.
        within: seconds from now in which the run ends. None means no limit.
    """

    def __init__(self, config: Config, inputs: Inputs, context: Context, within: float | None) -> None:
        self._inputs, self._context = inputs, context
        self._rendered = config.synth.count if config.synth else 0
        self._end = None if within is None else time.perf_counter() + within
        seconds_a_crop = _rendering_time(config.synth) if within is not None and config.synth else 0.0
        plans = [self._plan(stage, number, seconds_a_crop) for number, stage in enumerate(config.stages)]
        # All processes of a run must decide alike.
        self.stages = processes.from_first(plans)
        self._say_total(within)

    def rendered(self, count: int) -> Dataset:
        """Return the first ``count`` rendered crops, or all if there are fewer. It renders missing ones,
        once."""
        return self._inputs.render(min(count, self._rendered))

    @property
    def pieces(self) -> list[int]:
        """How many crops of 320 px go through the network together, for each stage."""
        return [stage_plan.cost.piece for stage_plan in self.stages]

    @pieces.setter
    def pieces(self, pieces: Sequence[int]) -> None:
        self.stages = [
            replace(stage_plan, cost=replace(stage_plan.cost, piece=piece))
            for stage_plan, piece in zip(self.stages, pieces, strict=True)
        ]

    @property
    def left(self) -> float | None:
        """Seconds until the run has to end. None means no limit."""
        return None if self._end is None else max(0.0, self._end - time.perf_counter())

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the stages for the journal: their names, crops and expected seconds without validation."""
        return [{"name": s.stage.name, "crops": s.crops, "seconds": s.seconds} for s in self.stages]

    def data(self, stage_plan: StagePlan, unlabelled: Dataset | None = None) -> Dataset:
        """Return all crops of a stage, with ``unlabelled`` in place of those without labels."""
        return self._crops(stage_plan.stage, stage_plan.rendered, unlabelled)

    def time_for(self, stage_plan: StagePlan, scoring: float) -> float | None:
        """Return the seconds that a stage may take from now on, including rendering. None means no limit.

        Args:
            stage_plan: the next stage.
            scoring: seconds that scoring takes after each stage.
        """
        if self._end is None:
            return None
        # All processes of a run must decide alike.
        return processes.from_first(self._share(stage_plan, scoring, self._end))

    def _share(self, stage_plan: StagePlan, scoring: float, end: float) -> float:
        """Return the share of a stage in the time until ``end``."""
        remaining = self.stages[stage_plan.number :]
        # At the end, the kept model reads all held-out crops once more. Calibration and everyday texts take
        # at most as long.
        left = max(1.0, end - time.perf_counter() - ENDING - scoring * (len(remaining) + 2))
        others = sum(other.seconds for other in remaining[1:])
        if stage_plan.seconds + others <= left:
            return left - others
        share = stage_plan.seconds / (stage_plan.seconds + others)
        if "synth" in stage_plan.stage.data and others:
            share = min(share, 1 - REAL_SHARE)
        return left * share

    def _plan(self, stage: Stage, number: int, seconds_a_crop: float) -> StagePlan:
        context = self._context
        data = self._crops(stage, FEW, self._with_any_label)
        rendered = self._rendered if "synth" in stage.data else 0
        crops = len(data) + max(0, rendered - FEW)
        images = ImageBatches(data, stage, context.seed, number, context.device, context.teacher)
        cost = estimate(self._inputs.start.network, stage, images, context.dtype, crops)
        for text in (*_odd_settings(stage, crops), *_costs(stage, crops, cost, context.device)):
            context.reporter.say(f"stage {stage.name}: {text}")
        return StagePlan(stage, number, crops, rendered, cost, seconds_a_crop * rendered)

    def _say_total(self, within: float | None) -> None:
        reporter, total = self._context.reporter, sum(stage_plan.seconds for stage_plan in self.stages)
        reporter.say(f"about {duration(total)} of training in all, without validation")
        if self._context.device.type == "cpu" and self._context.dtype == torch.float32:
            reporter.say("this processor has no bf16, which makes training two to three times as fast")
        if within is not None and total > within - ENDING:
            reporter.say(
                f"not all of that fits into {duration(within)}: fewer crops are rendered, and training ends "
                f"sooner; {duration(total + ENDING)} would be enough"
            )

    @property
    def _with_any_label(self) -> Dataset | None:
        """The unlabelled crops of a run without a teacher, each with a label that stands for a later one."""
        crops = self._inputs.data.get(UNLABELLED)
        return crops if crops is None or self._inputs.teacher else replace(crops, labels=[[1]] * len(crops))

    def _crops(self, stage: Stage, rendered: int, unlabelled: Dataset | None) -> Dataset:
        """Return the crops of a stage, with ``rendered`` rendered ones."""
        data = self._inputs.data if unlabelled is None else {**self._inputs.data, UNLABELLED: unlabelled}
        parts = (self.rendered(rendered) if source == "synth" else data[str(source)] for source in stage.data)
        return reduce(Dataset.__add__, parts)


def refuse_lengths(config: Config) -> None:
    """Refuse stages with a length, where the run has a time limit.

    Raises:
        LinetuneError: a stage has steps or epochs.
    """
    for stage in config.stages:
        if stage.steps or stage.epochs:
            key = "steps" if stage.steps else "epochs"
            raise LinetuneError(
                "says how long the stage trains, which a run with a time limit cannot keep",
                f"stages.{stage.name}.{key}",
                "leave it out, or run without a time limit",
            )


def _rendering_time(settings: Synth) -> float:
    """Return the seconds for one rendered crop on all cores. 0 if the crops exist."""
    if settings.output is not None and is_current(settings):
        return 0.0
    started = time.perf_counter()
    count = min(MEASURED, settings.count)
    for _ in stream(settings.model_copy(update={"count": count, "output": None}), store=False)[1]:
        pass
    return (time.perf_counter() - started) / count


def _odd_settings(stage: Stage, crops: int) -> Iterator[str]:
    """Yield a sentence for each setting that has not the effect that it seems to have."""
    if stage.batch_size > crops:
        yield f"batch_size is {stage.batch_size}, but there are only {crops} crops: an epoch is one step"
    stored = "backbone" in stage.freeze and not stage.augment.is_off
    if stored and stage.epochs and "views" in stage.model_fields_set and stage.views > stage.epochs:
        yield f"views is {stage.views}, but one view an epoch is stored at most ({stage.epochs})"


def _costs(stage: Stage, crops: int, cost: Estimate, device: torch.device) -> Iterator[str]:
    """Yield a sentence about time and memory of a stage, and one for each problem with them."""
    if epochs := expected_epochs(stage):
        length = f"{epochs} x"
    elif stage.steps:
        length = f"{stage.steps} steps on"
    else:
        length = f"until validation is flat, about {EXPECTED} steps, on"
    yield f"{length} {crops} crops, about {duration(cost.seconds)} and {cost.bytes / 1e9:.1f} GB"
    if cost.piece < piece_size(device, stage.batch_size):
        yield (
            f"free memory is short: a batch goes through the network in pieces of {cost.piece}, "
            "with the same gradient"
        )
    if not cost.fits:
        yield f"even that may not fit into memory; {MEMORY}"
