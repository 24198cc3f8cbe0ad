"""The journal of a run in another process: its events as they come, and how the run ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from linetune.core import cache, untrusted
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.progress import Reporter, duration
from linetune.evaluation.metrics import Score
from linetune.training.journal import JOURNAL
from linetune.training.result import Row, RunResult

RESULTS = "results.json"
MOST = 2**24
"""Most bytes of a journal that are read at once."""
State = Literal["waits", "runs", "unknown", "stopped", "complete"]


class JournalReader:
    """The events of a journal that another process writes.

    Args:
        folder: the run folder.
        reporter: gets the events.
    """

    def __init__(self, folder: Path, reporter: Reporter) -> None:
        self._path, self._reporter, self._position = folder / JOURNAL, reporter, 0

    def read(self) -> None:
        """Give all new events to the reporter. The half of a line that is not complete yet waits.

        A run that is resumed cuts its journal. All of it is then read again.

        Raises:
            LinetuneError: the journal cannot be read.
        """
        if not self._path.exists():
            self._position = 0
            return
        with os_errors("cannot read the journal", self._path), self._path.open("rb") as file:
            if file.seek(0, 2) < self._position:
                self._position = 0
            file.seek(self._position)
            new = file.read(MOST)
        whole, newline, _ = new.rpartition(b"\n")
        self._position += len(whole + newline)
        for line in whole.splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return  # what another program has damaged is no reason to stop
        if isinstance(row, dict) and isinstance(row.get("event"), str):
            self._reporter.figures(row.pop("event"), row)


def state_of(folder: Path) -> State:
    """Return what a run does: it waits for its journal, it runs, it stopped too early, or it is complete.

    It is unknown where the cache folder has no lock of the run: it may run on another machine.
    """
    if not (folder / JOURNAL).exists():
        return "waits"
    locked = cache.is_locked(folder)
    if locked:
        return "runs"
    if (folder / RESULTS).exists():
        return "complete"
    return "unknown" if locked is None else "stopped"


def written(folder: Path) -> float:
    """Return when the journal was last written, in seconds since 1970."""
    with os_errors("cannot read the journal", folder / JOURNAL):
        return (folder / JOURNAL).stat().st_mtime


def when(moment: float) -> str:
    """Return a moment in seconds since 1970 for people, with how long it is ago."""
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
    return f"{at} ({duration(max(0.0, time.time() - moment))} ago)"


def follow(folder: Path, reporter: Reporter, every: float = 1.0) -> State:
    """Show a run until it ends or stops, and return which of them.

    Args:
        folder: the run folder.
        reporter: gets the events of the journal.
        every: seconds between two looks at it.

    Raises:
        LinetuneError: there is no such folder, or its journal cannot be read.
    """
    if not folder.is_dir():
        raise LinetuneError("no such run folder", folder, "linetune train makes it (output= in the run file)")
    journal, before = JournalReader(folder, reporter), ""
    while True:
        # First the state, then the journal: the last events are read before the run counts as ended.
        state = state_of(folder)
        journal.read()
        if state in ("complete", "stopped"):
            return state
        if state != before and state == "waits":
            reporter.say(f"{folder} has no journal yet; waits for the run to begin")
        if state != before and state == "unknown":
            reporter.say(f"no process of this machine trains {folder}; last written {when(written(folder))}")
        before = state
        time.sleep(every)


def result_of(folder: Path) -> RunResult:
    """Return the scores in ``results.json`` of a complete run.

    Raises:
        LinetuneError: the file cannot be read.
    """
    path = folder / RESULTS
    found = untrusted.parse_json(untrusted.read(path), path)
    try:
        rows = [_row(row) for row in found["rows"]]
        result = RunResult(folder, rows, str(found["best"]), seconds=float(found["seconds"]))
        _ = result.kept
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration):
        raise LinetuneError("not the results of a run", path) from None
    return result


def _row(found: Mapping[str, Any]) -> Row:
    test = Score.of(found["test"]) if found["test"] else None
    return Row(str(found["name"]), Score.of(found["val"]), test, float(found["training_seconds"]))
