"""The training loop: steps, validations, and the best of them kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from linetune.core.errors import LinetuneError
from linetune.models.network import Network
from linetune.training.batches import Step
from linetune.training.schedule import Schedule
from linetune.training.state import StageState, Validation
from linetune.training.tracker import Tracker
from linetune.training.trainer import Trainer

SETBACKS = 2
"""How often training goes back to its last good weights after a loss that is not finite."""


class Keeper:
    """Keeps what a training gives. This one keeps nothing."""

    def better(self, network: Network, validation: Validation) -> None:
        """Take the averaged network after each validation that helps and is the best so far."""

    def rest(self, state: StageState, tracker: Tracker) -> None:
        """Take the state at a place where the training can be resumed."""


def run_steps(
    trainer: Trainer,
    batches: Iterable[tuple[int, Step]],
    schedule: Schedule,
    tracker: Tracker,
    validate: Callable[[Network], Validation] | None = None,
    keeper: Keeper = Keeper(),  # noqa: B008 - it has no state
) -> None:
    """Train until the schedule ends. ``trainer.state`` has the result.

    Args:
        trainer: takes the steps.
        batches: (epoch, batch) without end.
        schedule: the learning rate of each step, the validations and the end.
        tracker: records figures and shows progress.
        validate: reads the validation crops with a network. Without it, no best validation is kept.
        keeper: keeps better networks, and states that can be resumed.

    Raises:
        LinetuneError: the loss became NaN or infinite three times before the first validation.
    """
    state = trainer.state
    for epoch, batch in batches:
        rate = schedule.rate(state.progress) * 0.5**state.progress.setbacks
        loss = trainer.step(batch, epoch, rate)
        due = schedule.validates(state.progress)
        mean = tracker.step(loss, rate, trainer, due, schedule.length(state.progress))
        if mean is None:
            continue
        if not math.isfinite(mean):
            last = due and schedule.ends(state.progress)
            if not _goes_back(state, mean, last, tracker):
                break
        else:
            tracker.progress(state.progress, schedule.length(state.progress), mean, state.best)
            if due and validate:
                began = time.perf_counter()
                found = validate(state.average.network)
                kept = state.keep_if_best(found)
                tracker.validation(found, state.progress, began, kept)
                if kept and found.helps:
                    keeper.better(state.average.network, found)
                if cooling := schedule.cooling(state.progress):
                    state.return_to_best()
                    state.progress = replace(state.progress, cooling=cooling)
        if due and schedule.ends(state.progress):
            break
        keeper.rest(state, tracker)
    tracker.ends()


def _goes_back(state: StageState, loss: float, last: bool, tracker: Tracker) -> bool:
    """Go back to the last good weights with half the learning rate.

    Returns:
        False if this was the last step, or if going back did not help before.

    Raises:
        LinetuneError: the same, and there was no validation yet.
    """
    if state.progress.setbacks < SETBACKS and not last:
        state.return_to_best()
        state.progress = replace(state.progress, setbacks=state.progress.setbacks + 1)
        tracker.setback(loss, state.progress)
        return True
    what, hint = f"the loss became {loss}", "lower its learning_rate"
    if state.best is None:
        raise LinetuneError(f"{what} before the first validation", tracker.where, hint)
    tracker.say(f"{what}; it stops with its best validation; {hint}")
    return False
