"""The journal of a review: every decision, one JSON object a line, on the disk before the page goes on.

A decision belongs to a crop's path and to the label that it was made on. The last decision counts. An undo is
an entry of its own, and brings back the decision before.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from linetune.core import atomic, untrusted
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.labelfile import unwritable

NAME = "journal.jsonl"
"""The journal in the folder of a review."""
UNDO, REOPENED = "undo", "reopened"
_HINT = "restore it from a copy, or delete the damaged line"

Key = tuple[str, str]
"""Path and label of a crop, as the label file has them."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a crop."""

    text: str | None
    """The label. None if the crop is unusable."""
    turned: bool = False
    """Whether the crop is upside down, and is turned by 180 degrees."""

    def __post_init__(self) -> None:
        if self.text is not None and (problem := unwritable(self.text)):
            raise LinetuneError(problem, hint="a label is one line of text")


@dataclass
class History:
    """All decisions of a journal, in order."""

    _made: dict[Key, list[Decision | None]] = field(default_factory=dict)
    """For each crop, its decisions that are not undone. None for a crop that merging has reopened."""
    _order: list[Key] = field(default_factory=list)
    """The crops in the order of their decisions that are not undone."""

    @property
    def decisions(self) -> Mapping[Key, Decision]:
        """The decision that counts, for each settled crop."""
        return {key: made[-1] for key, made in self._made.items() if made and made[-1] is not None}

    def get(self, key: Key) -> Decision | None:
        """Return the decision that counts. None if the crop is not settled."""
        made = self._made.get(key)
        return made[-1] if made else None

    def was_reopened(self, key: Key) -> bool:
        """Return whether merging has reopened the crop. A person may have settled it since."""
        return None in self._made.get(key, ())

    @property
    def last(self) -> Key | None:
        """The crop of the last decision that is not undone."""
        return self._order[-1] if self._order else None

    def take(self, key: Key, decision: Decision | None) -> None:
        """Take a decision, or None to reopen the crop."""
        self._made.setdefault(key, []).append(decision)
        if decision is not None:
            self._order.append(key)
        else:
            self._order = [other for other in self._order if other != key]

    def undo(self, key: Key) -> None:
        """Take back the last decision about a crop.

        Raises:
            KeyError: there is none.
        """
        if self.get(key) is None:
            raise KeyError(key)
        self._made[key].pop()
        del self._order[len(self._order) - 1 - self._order[::-1].index(key)]


class Journal:
    """A journal that is open for writing. Each entry is on the disk when its method returns.

    Args:
        path: the file. It is made if it does not exist. An unfinished last line is removed: the program was
            killed before it acknowledged this entry.

    Raises:
        LinetuneError: the file cannot be read or written, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.history = read_journal(path) if path.exists() else History()
        with os_errors("the journal cannot be written", path, "choose another folder with --output"):
            self._file = path.open("ab", buffering=0)
            self._size = _whole(path)
            self._file.truncate(self._size)
            if os.name == "posix":  # Windows cannot open folders
                atomic.sync(path.parent)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def decide(self, key: Key, decision: Decision) -> None:
        """Note a decision.

        Raises:
            LinetuneError: the journal cannot be written. The decision does not count then.
        """
        said = {"unusable": True} if decision.text is None else {"text": decision.text}
        self._append(key, said | ({"turned": True} if decision.turned else {}))
        self.history.take(key, decision)

    def undo(self) -> Key | None:
        """Undo the last decision. Return its crop, or None if there is no decision.

        Raises:
            LinetuneError: the journal cannot be written.
        """
        key = self.history.last
        if key is not None:
            self._append(key, {UNDO: True})
            self.history.undo(key)
        return key

    def reopen(self, key: Key) -> None:
        """Note that a crop is not settled, because two journals disagree.

        Raises:
            LinetuneError: the journal cannot be written.
        """
        self._append(key, {REOPENED: True})
        self.history.take(key, None)

    def _append(self, key: Key, content: Mapping[str, Any]) -> None:
        entry = {"path": key[0], "label": key[1], **content, "at": round(time.time(), 3)}
        line = json.dumps(entry).encode() + b"\n"
        with os_errors("the journal cannot be written", self.path, "free some space"):
            try:
                if self._file.write(line) != len(line):
                    raise OSError("the disk is full")
                os.fsync(self._file.fileno())
            except OSError:
                with suppress(OSError):  # half a line would damage the next one
                    self._file.truncate(self._size)
                raise
        self._size += len(line)


def read_journal(path: Path) -> History:
    """Read a journal. An unfinished last line does not count.

    Raises:
        LinetuneError: the file cannot be read, or is damaged.
    """
    history = History()
    for number, entry in _entries(path):
        where = f"{path}:{number}"
        key = entry.get("path"), entry.get("label")
        if not isinstance(key[0], str) or not isinstance(key[1], str):
            raise LinetuneError("not an entry of a review's journal", where, _HINT)
        try:
            if entry.get(UNDO) is True:
                history.undo((key[0], key[1]))
            else:
                history.take((key[0], key[1]), _decision(entry))
        except (KeyError, TypeError):
            raise LinetuneError("not an entry of a review's journal", where, _HINT) from None
        except LinetuneError as error:
            raise error.at(where) from None
    return history


def _decision(entry: Mapping[str, Any]) -> Decision | None:
    """Return the decision of an entry. None if the entry reopens its crop.

    Raises:
        TypeError: it has neither a text nor another decision.
    """
    if entry.get(REOPENED) is True:
        return None
    text = None if entry.get("unusable") is True else entry.get("text", 0)
    if text is not None and not (isinstance(text, str) and text):
        raise TypeError
    return Decision(text, entry.get("turned") is True)


def _entries(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with os_errors("the journal cannot be read", path):
        data = untrusted.read(path, kind="journal")
    *lines, _unfinished = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        entry = untrusted.parse_json(line, path, number, _HINT)
        if not isinstance(entry, dict):
            raise LinetuneError("not an entry of a review's journal", f"{path}:{number}", _HINT)
        yield number, entry


def _whole(path: Path) -> int:
    """Return the size of the whole lines of a journal in bytes."""
    return untrusted.read(path, kind="journal").rfind(b"\n") + 1
