"""The stages of a run as its journal has them, and where a stage overfits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AVERAGED = 3
"""Validations that count as one, because a single one is partly luck."""
FALL = 0.01
"""Least fall of the label probability that counts as overfitting: one point."""


@dataclass(frozen=True, slots=True)
class Validated:
    """One validation."""

    step: int
    loss: float
    """Mean training loss since the validation before."""
    exact_match: float
    label_probability: float
    kept: bool = False
    """Whether it was the best of its stage until then. False if the journal does not say so."""


@dataclass(frozen=True, slots=True)
class Overfit:
    """Training that fits the training crops better and the validation crops worse."""

    best: Validated
    """The validation with the highest label probability."""
    worst: Validated
    """The later validation with the lowest one."""

    @property
    def fall(self) -> float:
        """Fall of the label probability, 0 to 1."""
        return self.best.label_probability - self.worst.label_probability


@dataclass(frozen=True, slots=True)
class StageHistory:
    """The figures of one stage."""

    name: str
    steps: list[tuple[int, float, float]] = field(default_factory=list)
    """Step, mean training loss of the last steps, learning rate."""
    validations: list[Validated] = field(default_factory=list)

    @property
    def length(self) -> int:
        """The last step."""
        return max((step for step, *_ in self.steps), default=0)

    @property
    def kept(self) -> Validated | None:
        """The validation whose weights the stage keeps. None if the journal does not say so."""
        return next((each for each in reversed(self.validations) if each.kept), None)

    @property
    def overfit(self) -> Overfit | None:
        """Where the stage overfits most. None if it does not.

        A stage overfits if the label probability falls by a point or more after its best validation, while
        the training loss falls too. Both are means of three validations.
        """
        windows = list(zip(*(self.validations[start:] for start in range(AVERAGED)), strict=False))
        means = [_mean(each) for each in windows]
        best, found = None, None
        for now in means:
            if best is None or now.label_probability > best.label_probability:
                best = now
            elif now.loss < best.loss and best.label_probability - now.label_probability >= FALL:
                overfit = Overfit(best, now)
                found = overfit if found is None or overfit.fall > found.fall else found
        return found


def histories(journal: Iterable[Mapping[str, Any]], names: Sequence[str]) -> list[StageHistory]:
    """Return the histories of stages that have any figures, in order.

    Args:
        journal: the entries of a journal.
        names: the names of the stages.
    """
    stages = {name: StageHistory(name) for name in names}
    ending = " validation"
    for row in journal:
        event = str(row.get("event"))
        loss = row.get("loss")
        if loss is None:  # it was NaN or infinite, or the entry is another one
            continue
        if event in stages:
            stages[event].steps.append((row["step"], loss, row["learning_rate"]))
        elif event.endswith(ending) and event.removesuffix(ending) in stages:
            kept = bool(row.get("kept"))
            found = Validated(row["step"], loss, row["exact_match"], row["label_probability"], kept)
            stages[event.removesuffix(ending)].validations.append(found)
    return [stage for stage in stages.values() if stage.steps]


def _mean(window: Sequence[Validated]) -> Validated:
    """Return the mean of neighbouring validations, at the step of the middle one."""
    count = len(window)
    return Validated(
        window[count // 2].step,
        sum(each.loss for each in window) / count,
        sum(each.exact_match for each in window) / count,
        sum(each.label_probability for each in window) / count,
    )
