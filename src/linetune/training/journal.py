"""The figures of a run: one JSON object a line, and the same figures for TensorBoard."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from tensorboardX import SummaryWriter


class MetricLogger(Protocol):
    """Receives the figures of a run. Another logger is a class with these two methods."""

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        """Take the figures of one event.

        Args:
            event: such as ``real validation``.
            step: the step of the stage, for events that belong to one.
            figures: numbers, and what describes them.
        """

    def close(self) -> None:
        """Write whatever is still in memory."""


class JsonLines:
    """Writes one JSON object for each event.

    Args:
        path: the file. New events are appended.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        row = {"event": event, **figures}
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        # An interrupted run leaves everything up to its end.
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class TensorBoard:
    """Writes the figures of steps as TensorBoard scalars.

    Args:
        folder: the log folder.
    """

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder))

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        for name, value in figures.items() if step is not None else ():
            # The time of an event is TensorBoard's own.
            if isinstance(value, float) and name != "seconds":
                self._writer.add_scalar(f"{event}/{name}", value, step)

    def close(self) -> None:
        self._writer.close()


class Journal:
    """Gives the figures of a run to some loggers, with the seconds since its start."""

    def __init__(self, loggers: Sequence[MetricLogger] = ()) -> None:
        self._loggers, self._start = loggers, time.perf_counter()

    @classmethod
    def in_folder(cls, folder: Path) -> Journal:
        """Return the journal of a run: ``journal.jsonl`` and ``tensorboard/`` in the run folder."""
        return cls((JsonLines(folder / "journal.jsonl"), TensorBoard(folder / "tensorboard")))

    def record(self, event: str, step: int | None = None, **figures: Any) -> None:
        """Record one event.

        Args:
            event: such as ``real validation``.
            step: the step of the stage, for events that belong to one.
            figures: numbers, and what describes them.
        """
        seconds = round(time.perf_counter() - self._start, 3)
        figures = {"seconds": seconds, **({} if step is None else {"step": step}), **figures}
        for logger in self._loggers:
            logger.record(event, step, figures)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for logger in self._loggers:
            logger.close()
