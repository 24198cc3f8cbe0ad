"""What a stage reports while it trains: the figures of the journal and a progress bar."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from linetune.core.progress import Reporter
from linetune.training.journal import Journal
from linetune.training.schedule import Progress
from linetune.training.state import Validation
from linetune.training.trainer import Trainer

EVERY = 10
"""Steps between two entries of the journal."""


class Tracker:
    """Collects the figures of steps and reports them.

    Args:
        where: the name of the training for people, such as ``stage real``.
        event: the name of its events in the journal, such as ``real``.
        journal: gets figures.
        reporter: gets messages and progress.
    """

    def __init__(self, where: str, event: str, journal: Journal, reporter: Reporter) -> None:
        self.where, self._event, self._journal, self._reporter = where, event, journal, reporter
        self._recent = list[Tensor]()
        self._losses = list[float]()
        self._since, self._seen = time.perf_counter(), 0
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the training began. Those of an interrupted run count, those between runs do not."""
        return time.perf_counter() - self._began

    def state_dict(self) -> dict[str, Any]:
        """Return what :meth:`load_state_dict` continues from, right after an entry of the journal."""
        return {"losses": list(self._losses), "seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from an earlier training."""
        self._losses = list(state["losses"])
        self._began = time.perf_counter() - state["seconds"]

    def say(self, text: str) -> None:
        """Say one line about the training."""
        self._reporter.say(f"{self.where}: {text}")

    def begins(self, number: int, crops: int, within: float | None) -> None:
        """Record that the stage begins.

        Args:
            number: its place in the run, from 0.
            crops: crops to train on.
            within: seconds that it may take. None means no limit.
        """
        self._journal.record("stage", name=self._event, number=number + 1, crops=crops, within=within)

    def rates(self, trials: Mapping[float, Validation], chosen: float) -> None:
        """Record what the trials of learning rates gave, and which rate goes on."""
        for rate, validation in trials.items():
            self._journal.record(
                f"{self._event} rate",
                learning_rate=rate,
                label_probability=validation.label_probability,
                exact_match=validation.score.exact_match,
                kept=rate == chosen,
            )

    def starts(self, at: Progress) -> None:
        """Measure speed from here on."""
        self._since, self._seen = time.perf_counter(), at.seen

    def step(self, loss: Tensor, rate: float, trainer: Trainer, now: bool, length: int) -> float | None:
        """Take the loss of a step. Return the mean loss since the last entry, where an entry is due.

        On a GPU, fetching a figure waits for all work before it. Therefore losses are fetched together.

        Args:
            loss: a scalar on the network's device.
            rate: the learning rate of the step.
            trainer: has taken the step.
            now: whether an entry is due in any case.
            length: steps of the stage, as far as it is known.
        """
        self._recent.append(loss)
        if len(self._recent) < EVERY and not now:
            return None
        fetched: list[float] = torch.stack(self._recent).tolist()
        self._recent = []
        self._losses += fetched
        mean = sum(fetched) / len(fetched)
        at, norm = trainer.state.progress, float(trainer.gradient_norm)
        self._journal.record(
            self._event,
            at.step,
            epoch=at.epoch,
            length=length,
            loss=mean,
            gradient_norm=norm,
            learning_rate=rate,
            images_per_second=self._speed(at, time.perf_counter()),
        )
        return mean

    def _speed(self, at: Progress, now: float) -> float:
        """Return the crops a second since the last validation."""
        return (at.seen - self._seen) / max(now - self._since, 1e-9)

    def progress(self, at: Progress, length: int, loss: float, best: Validation | None) -> None:
        """Show how far the stage is. It is over only when :meth:`ends` says so."""
        detail = f"epoch {at.epoch}  loss {loss:.3f}"
        if best:
            detail += f"  best {best.score.exact_match:.1%}"
        self._reporter.progress(self.where, min(at.step, length - 1), length, detail)

    def validation(self, found: Validation, at: Progress, began: float, kept: bool) -> None:
        """Record a validation, with the speed of training since the last one.

        Args:
            found: the validation.
            at: where the stage is.
            began: when the validation began, in seconds of ``time.perf_counter``.
            kept: whether it is the best so far.
        """
        self._journal.record(
            f"{self._event} validation",
            at.step,
            epoch=at.epoch,
            loss=sum(self._losses) / len(self._losses),
            exact_match=found.score.exact_match,
            cer=found.score.cer,
            label_probability=found.label_probability,
            kept=kept,
            images_per_second=self._speed(at, began),
            validation_seconds=time.perf_counter() - began,
        )
        self._losses = []
        self.starts(at)

    def setback(self, loss: float, at: Progress) -> None:
        """Record that training goes back to its last good weights, and halves the learning rate."""
        self._losses = []
        self._journal.record(f"{self._event} setback", at.step, epoch=at.epoch, setbacks=at.setbacks)
        since = f"step {at.best_step}" if at.best_step else "the start"
        self.say(
            f"the loss became {loss} at step {at.step}; goes back to {since} with half the learning rate"
        )

    def ends(self) -> None:
        """Show that the stage is over."""
        self._reporter.progress(self.where, 1, 1)
