"""The figures of a run: one JSON object a line, and the same figures for TensorBoard."""

from __future__ import annotations

import json
import math
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from tensorboardX import SummaryWriter

from linetune.core.errors import os_errors
from linetune.core.progress import Reporter, Silent

JOURNAL = "journal.jsonl"
TENSORBOARD = "tensorboard"
PATIENCE = 30.0
"""Seconds that a run waits at its end for a logger that still writes or sends."""


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


def _is_odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def scalars(event: str, figures: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures that a curve can show, by names such as ``real validation/exact_match``."""
    return {
        f"{event}/{name}": value
        for name, value in figures.items()
        if isinstance(value, float) and name != "seconds" and not _is_odd(value)
    }


class JsonLines:
    """Writes one JSON object for each event.

    Args:
        path: the file. New events are appended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        # JSON has neither NaN nor infinity.
        finite = {key: None if _is_odd(value) else value for key, value in figures.items()}
        with os_errors("cannot write the journal", self._path, "free some space, then resume the run"):
            self._file.write(json.dumps({"event": event, **finite}, ensure_ascii=False) + "\n")
            # An interrupted run leaves everything up to its end.
            self._file.flush()

    def position(self) -> int:
        """Wait until the file is on the disk, and return its size in bytes."""
        with os_errors("cannot write the journal", self._path, "free some space, then resume the run"):
            os.fsync(self._file.fileno())
            return self._file.tell()

    def close(self) -> None:
        self._file.close()


class TensorBoard:
    """Writes the figures of steps as TensorBoard scalars.

    Args:
        folder: the log folder.
        started: when the run started, in seconds since 1970.
    """

    def __init__(self, folder: Path, started: float) -> None:
        self._writer, self._started = SummaryWriter(str(folder)), started

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        for name, value in scalars(event, figures).items() if step is not None else ():
            self._writer.add_scalar(name, value, step, self._started + figures["seconds"])

    def close(self) -> None:
        self._writer.close()


class Aside:
    """Gives figures to a logger in a thread of its own. If the logger fails, a line says so, once.

    Ctrl-C reaches the main thread only. It would leave a queue inside a logger in disorder, and the run would
    wait for it for ever.

    Args:
        name: the name of the logger.
        make: opens the logger.
        reporter: gets the line.
    """

    def __init__(self, name: str, make: Callable[[], MetricLogger], reporter: Reporter) -> None:
        self._name, self._make, self._reporter = name, make, reporter
        self._waiting = queue.SimpleQueue[tuple[str, int | None, Mapping[str, Any]] | None]()
        self._failed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        if not self._failed:
            self._waiting.put((event, step, figures))

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._reporter.say(f"{self._name} still sends after {PATIENCE:.0f} s; the rest is left out")

    def _work(self) -> None:
        try:
            logger = self._make()
            while item := self._waiting.get():
                logger.record(*item)
            logger.close()
        except (Exception, SystemExit) as error:  # whatever another program does, the run goes on
            self._failed = True
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._reporter.say(f"the run goes on without {self._name}, which failed: {reason}")


class ForPeople:
    """Shows the figures of a run to people.

    Args:
        reporter: shows them.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def record(self, event: str, step: int | None, figures: Mapping[str, Any]) -> None:
        self._reporter.figures(event, figures)

    def close(self) -> None:
        pass


class Journal:
    """Gives the figures of a run to some loggers, with the seconds since its start.

    Args:
        loggers: get the figures.
        seconds: seconds that the run has already taken.
    """

    def __init__(self, loggers: Sequence[MetricLogger] = (), seconds: float = 0) -> None:
        self._loggers, self._start = loggers, time.perf_counter() - seconds

    @classmethod
    def in_folder(
        cls,
        folder: Path,
        position: int = 0,
        seconds: float = 0,
        reporter: Reporter | None = None,
        others: Sequence[MetricLogger] = (),
    ) -> Journal:
        """Return the journal of a run: ``journal.jsonl`` and ``tensorboard/`` in the run folder.

        Args:
            folder: the run folder.
            position: bytes of ``journal.jsonl`` that stay. TensorBoard's files are written again from them.
            seconds: seconds that the run has already taken.
            reporter: shows the figures to people, also those of the bytes that stay.
            others: get the new figures as well.
        """
        path, boards = folder / JOURNAL, folder / TENSORBOARD
        with os_errors("cannot write the journal", path):
            with path.open("ab") as file:
                file.truncate(position)
            kept = path.read_bytes()
        shutil.rmtree(boards, ignore_errors=True)
        reporter = reporter or Silent()
        board = partial(TensorBoard, boards, time.time() - seconds)
        again: tuple[MetricLogger, ...] = (Aside(TENSORBOARD, board, reporter), ForPeople(reporter))
        for row in map(json.loads, kept.decode().splitlines()):
            event = row.pop("event")
            for logger in again:
                logger.record(event, row.get("step"), row)
        return cls((JsonLines(path), *again, *others), seconds)

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken so far."""
        return time.perf_counter() - self._start

    def position(self) -> int:
        """Return the size of ``journal.jsonl`` in bytes, once it is on the disk. 0 without this file."""
        return sum(logger.position() for logger in self._loggers if isinstance(logger, JsonLines))

    def record(self, event: str, step: int | None = None, **figures: Any) -> None:
        """Record one event.

        Args:
            event: such as ``real validation``.
            step: the step of the stage, for events that belong to one.
            figures: numbers, and what describes them.
        """
        figures = {"seconds": round(self.seconds, 3), **({} if step is None else {"step": step}), **figures}
        for logger in self._loggers:
            logger.record(event, step, figures)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for logger in self._loggers:
            # A full disk stops this as well. The first error says it.
            with suppress(OSError):
                logger.close()
