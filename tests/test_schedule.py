"""How long a stage trains, how fast, and which rate it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from linetune.config import Stage
from linetune.evaluation.metrics import Score
from linetune.training.batches import endless
from linetune.training.rate import STEPS, find_rate
from linetune.training.schedule import (
    APART,
    COOLING,
    LEAST,
    PATIENCE,
    InSteps,
    Progress,
    Schedule,
    UntilFlat,
    schedule_of,
    steps_apart,
)
from linetune.training.state import Validation


def stage(**changes: object) -> Stage:
    return Stage.model_validate({"name": "real", "data": "train", "batch_size": 16} | changes)


def at(step: int) -> Progress:
    return Progress(step=step, seen=16 * step)


def course(
    schedule: Schedule, quality: Callable[[int], float], limit: int = 20_000
) -> tuple[list[float], list[int], list[int]]:
    """Rates of all steps, steps that were validated, and steps at which it went back to the best."""
    rates, validated, turned, best, progress = list[float](), list[int](), list[int](), float("-inf"), at(0)
    while progress.step < limit:
        rates.append(schedule.rate(progress))
        step = progress.step + 1
        progress = replace(progress, step=step, seen=16 * step)
        if schedule.validates(progress):
            validated.append(step)
            if quality(step) > best:
                best = quality(step)
                progress = replace(progress, best_step=step, best_seen=16 * step)
            if cooling := schedule.cooling(progress):
                turned.append(step)
                progress = replace(progress, cooling=cooling)
        if schedule.ends(progress):
            return rates, validated, turned
    raise AssertionError("it never ends")


@pytest.mark.parametrize("top", [20, 400, 3000])
def test_a_stage_goes_on_while_validation_gets_better_and_then_lets_the_rate_fall(top: int) -> None:
    rates, validated, turned = course(UntilFlat(1e-4, APART), lambda step: -abs(step - top))
    (flat,) = turned
    assert flat == pytest.approx(max(LEAST, top / (1 - PATIENCE)), abs=APART)
    assert set(rates[APART + 10 : flat]) == {1e-4}
    falling = rates[flat:]
    assert falling == sorted(falling, reverse=True)
    assert 0 < falling[-1] < 0.3 * 1e-4
    assert len(falling) == pytest.approx(COOLING * max(top, LEAST), abs=APART)
    assert validated[-1] == len(rates)


def test_a_late_rise_that_comes_before_the_plateau_is_waited_for() -> None:
    rates, _, turned = course(UntilFlat(1e-4, 20), lambda step: 1.0 if step < 400 else 2.0)
    assert turned == [2 * 400]
    assert len(rates) == 800 + 160
    _, _, turned = course(UntilFlat(1e-4, 20), lambda step: 1.0)
    assert turned == [LEAST]  # flat from the first validation on


@pytest.mark.parametrize(("budget", "seconds_a_step"), [(100.0, 0.5), (60.0, 1.0)])
def test_a_stage_ends_with_its_budget_and_its_rate_has_fallen(budget: float, seconds_a_step: float) -> None:
    now = 0.0

    def clock() -> float:
        return now

    schedule = UntilFlat(1e-4, 20, budget, clock)
    rates, progress = list[float](), at(0)
    while not schedule.ends(progress):
        rates.append(schedule.rate(progress))
        progress, now = replace(at(progress.step + 1), best_step=progress.step + 1), now + seconds_a_step
    assert schedule.validates(progress)
    assert now == pytest.approx(budget, abs=seconds_a_step)
    assert max(rates) == 1e-4
    assert rates[-1] < 0.1 * 1e-4


def test_steps_that_are_given_are_taken() -> None:
    rates, validated, turned = course(schedule_of(stage(steps=130), 1e-4, 1000, 50), lambda step: 0)
    assert (len(rates), validated, turned) == (130, [20, 40, 60, 80, 100, 120, 130], [])
    assert max(rates) <= 1e-4
    assert rates[-1] < 1e-6


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_fewest_steps_have_a_rate(steps: int) -> None:
    rates, _, _ = course(InSteps(steps, 1e-4, 20), lambda step: 0)
    assert len(rates) == steps
    assert all(0 < rate <= 1e-4 for rate in rates)


@pytest.mark.parametrize(
    ("readings", "batch_size", "apart"), [(50, 16, APART), (912, 16, 57), (5000, 32, 157)]
)
def test_validation_takes_a_quarter_of_the_time_at_most(readings: int, batch_size: int, apart: int) -> None:
    assert steps_apart(readings, batch_size) == apart


def test_epochs_and_steps_exclude_each_other() -> None:
    changes: Sequence[dict[str, object]] = ({"steps": 5, "epochs": 2}, {"steps": 5, "patience": 2})
    for change in changes:
        with pytest.raises(ValueError, match="epochs"):
            stage(**change)


class Stepping:
    """Stands for a trainer and its state. The label probability after a trial depends on the rate alone."""

    def __init__(self) -> None:
        self.progress, self.rate, self.taken = Progress(), 0.0, 0
        self.state = self.average = self
        self.network, self.peak = None, 0.0

    def snapshot(self) -> tuple[Progress, float]:
        return self.progress, self.rate

    def restore(self, snapshot: tuple[Progress, float]) -> None:
        self.progress, self.rate = snapshot

    def step(self, batch: object, epoch: int, rate: float) -> None:
        in_epoch = self.progress.in_epoch + 1 if epoch == self.progress.epoch else 1
        self.progress = replace(at(self.progress.step + 1), epoch=epoch, in_epoch=in_epoch)
        self.rate = max(self.rate, rate)
        self.taken += 1


class Endless:
    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        yield from range(start, 7)


def test_a_higher_rate_must_be_clearly_better() -> None:
    trainer = Stepping()

    def validate(_: object) -> Validation:
        return Validation(True, 0.8 + 100 * trainer.rate, Score(0.5, -0.1, 10))

    find_rate(cast(Any, trainer), Endless(), validate, (1e-5, 3e-5, 9e-5))
    assert trainer.peak == 1e-5


@pytest.mark.parametrize(("best", "budget", "tried"), [(3e-5, None, 3), (9e-5, 1000.0, 3), (1e-5, 0.0, 1)])
def test_the_rate_that_makes_labels_most_probable_goes_on_from_where_its_trial_led(
    best: float, budget: float | None, tried: int
) -> None:
    trainer = Stepping()

    def validate(_: object) -> Validation:
        return Validation(True, 1 - 1000 * abs(trainer.rate - best), Score(0.5, -0.1, 10))

    found = find_rate(cast(Any, trainer), Endless(), validate, (1e-5, 3e-5, 9e-5), budget)
    assert len(found) == tried
    assert trainer.peak == best
    if budget == 0:
        assert trainer.taken == trainer.progress.step == 1, "a trial longer than the time for it ends"
        return
    assert (trainer.progress.step, trainer.rate) == (STEPS, best)
    assert trainer.taken == tried * STEPS
    following = endless(Endless(), trainer.progress)
    assert cast(Any, next(following)) == (STEPS // 7 + 1, STEPS % 7)  # no crop comes twice
