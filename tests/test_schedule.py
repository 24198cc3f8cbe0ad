"""How long a stage trains, how fast, and which rate it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from linetune.config import Stage
from linetune.evaluation.metrics import Score
from linetune.training.best import Validation
from linetune.training.rate import STEPS, find_rate
from linetune.training.schedule import (
    APART,
    COOLING,
    LEAST,
    PATIENCE,
    InSteps,
    Position,
    Schedule,
    UntilFlat,
    schedule_of,
    steps_apart,
)


def stage(**changes: object) -> Stage:
    return Stage.model_validate({"name": "real", "data": "train", "batch_size": 16} | changes)


def course(
    schedule: Schedule, quality: Callable[[int], float], limit: int = 20_000
) -> tuple[list[float], list[int], list[int]]:
    """Rates of all steps, steps that were validated, and steps at which it turned back."""
    rates, validated, turned, best, step = list[float](), list[int](), list[int](), float("-inf"), 0
    while step < limit:
        rates.append(schedule.rate(Position(step, 16 * step)))
        step += 1
        at = Position(step, 16 * step)
        if schedule.due(at):
            validated.append(step)
            found = quality(step)
            schedule.judged(at, found > best)
            best = max(best, found)
            if schedule.turns_back():
                turned.append(step)
        if schedule.ended(at):
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

    def quality(step: int) -> float:
        return step

    def clock() -> float:
        return now

    schedule = UntilFlat(1e-4, 20, budget, clock)
    rates, step, due = list[float](), 0, False
    while not schedule.ended(Position(step, step)):
        rates.append(schedule.rate(Position(step, step)))
        step, now = step + 1, now + seconds_a_step
        due = schedule.due(Position(step, step))
        if due:
            schedule.judged(Position(step, step), True)
    assert due
    assert now == pytest.approx(budget, abs=seconds_a_step)
    assert max(rates) == 1e-4
    assert rates[-1] < 0.1 * 1e-4
    assert quality(step) == step


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
    """Stands for a trainer whose label probability after a trial depends on the rate alone."""

    def __init__(self) -> None:
        self.at, self.rate, self.taken = Position(0, 0), 0.0, 0

    def state(self) -> tuple[Position, float]:
        return self.at, self.rate

    def restore(self, state: tuple[Position, float]) -> None:
        self.at, self.rate = state

    def step(self, batch: object, epoch: int, rate: float) -> None:
        self.at, self.rate = Position(self.at.step + 1, self.at.seen + 1), max(self.rate, rate)
        self.taken += 1


class Endless:
    def epoch(self, epoch: int) -> Iterator[Any]:
        yield from range(7)


@pytest.mark.parametrize(("best", "budget", "tried"), [(3e-5, None, 3), (9e-5, 1000.0, 3), (1e-5, 0.0, 1)])
def test_the_rate_that_makes_labels_most_probable_goes_on_from_where_its_trial_led(
    best: float, budget: float | None, tried: int
) -> None:
    trainer = Stepping()

    def validated() -> Validation:
        return Validation(True, 1 - abs(trainer.rate - best), Score(0.5, -0.1, 10))

    found = find_rate(cast(Any, trainer), Endless(), validated, (1e-5, 3e-5, 9e-5), budget)
    assert len(found[0]) == tried
    assert found[1] == best
    assert (trainer.at.step, trainer.rate) == (STEPS, best)
    assert trainer.taken == tried * STEPS
    assert cast(Any, next(found[2])) == (STEPS // 7 + 1, STEPS % 7)  # no crop comes twice
