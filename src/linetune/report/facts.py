"""What the verdict on a run and its next steps depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from linetune.evaluation.comparison import Comparison
from linetune.evaluation.metrics import Score
from linetune.evaluation.promise import Promise, search
from linetune.evaluation.result import Evaluation

if TYPE_CHECKING:
    from linetune.report.recorded import Recorded

MAX_ERROR = 0.01
"""The error of accepted readings that a deployment is judged by, 0 to 1."""
FORGETTING = 0.02
"""Loss of exact match on everyday texts that the verdict names, 0 to 1."""

Outcome = Literal["better", "same", "worse", "unhelped"]


@dataclass(frozen=True)
class Facts:
    """What the verdict depends on."""

    score: Score
    """The kept model on the test crops, or on the validation crops if there are no test crops."""
    tested: bool
    """Whether the score is that of test crops."""
    gain: Comparison | None
    """The kept model (B) compared with the limited base model (A). None if they are the same."""
    readings: Evaluation | None = None
    """The readings of the kept model on the same crops. None if they are not known."""
    overfits: bool = False
    """Whether the last stage overfits."""
    by_rule: bool = False
    """Whether the model reads by a rule."""
    general: tuple[Score, Score] | None = None
    """Everyday texts before and after the run. None if this was not measured."""
    general_change: Comparison | None = None
    """The same texts compared one by one. None if the run did not record this, as in earlier versions."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Commands of next steps, each with its arguments, by their names."""

    @classmethod
    def of(cls, run: Recorded, overfits: bool = False, commands: Mapping[str, str] | None = None) -> Facts:
        """Return the facts of a run as its folder has them."""
        results, split = run.results, run.split
        general = results.get("general_reading", {})
        return cls(
            Score.of(run.kept_row[split]),
            split == "test",
            _comparison(results["gain"].get(split)),
            run.kept.get(split),
            overfits,
            run.config.reading_rule is not None,
            (Score.of(general["before"]), Score.of(general["after"])) if general.get("before") else None,
            _comparison(general.get("comparison")),
            commands or {},
        )

    @property
    def outcome(self) -> Outcome:
        """Whether the kept model is better than the limited base model."""
        if self.gain is None:
            return "unhelped"
        if not self.gain.beyond_chance:
            return "same"
        return "better" if self.gain.difference > 0 else "worse"

    @property
    def forgets(self) -> bool:
        """Whether the kept model reads everyday texts much worse than the base model, beyond chance."""
        if self.general is None or not self.loses:
            return False
        before, after = self.general
        return before.exact_match - after.exact_match > FORGETTING

    @property
    def loses(self) -> bool:
        """Whether the kept model reads everyday texts worse than the base model, beyond chance.

        If the texts were not compared one by one, the interval of the score before the run decides.
        """
        if self.general is None:
            return False
        if self.general_change is not None:
            return self.general_change.beyond_chance and self.general_change.difference < 0
        before, after = self.general
        return after.exact_match < before.interval[0]


def proved(readings: Evaluation, error: float = MAX_ERROR) -> tuple[Promise | None, Promise | None]:
    """Return the promise that readings prove, and the first threshold that they do not prove.

    Args:
        readings: labelled readings.
        error: the error to promise, 0 to 1.
    """
    confidences = [reading.confidence for reading in readings.readings]
    return search(confidences, readings.score.correct, error)


def _comparison(figures: Mapping[str, Any] | None) -> Comparison | None:
    """Return a comparison from its figures in the results. None if they have none."""
    return Comparison(figures["only_a"], figures["only_b"], figures["lines"]) if figures else None
