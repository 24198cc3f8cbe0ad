"""The run's record: one JSON object a line, and the same figures for TensorBoard."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tensorboardX import SummaryWriter


class Journal:
    """Writes ``journal.jsonl`` and ``tensorboard/`` in the run's folder."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "journal.jsonl").open("a", encoding="utf-8", newline="\n")
        self._board = SummaryWriter(str(folder / "tensorboard"))
        self._start = time.perf_counter()

    def record(self, event: str, step: int | None = None, **figures: Any) -> None:
        """Append one event; numbers that belong to a step of the run also go to TensorBoard."""
        seconds = round(time.perf_counter() - self._start, 3)
        row = {"event": event, "seconds": seconds, **({} if step is None else {"step": step}), **figures}
        # Flushed at once, so that an interrupted run leaves everything up to its end.
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()
        if step is not None:
            for name, value in figures.items():
                if isinstance(value, float):
                    self._board.add_scalar(f"{event}/{name}", value, step)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()
