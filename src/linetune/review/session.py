"""A review in progress: which crop comes when, what the page shows of it, and what a person decides."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice, pairwise
from typing import Any

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import unwritable
from linetune.core.reading_order import is_same
from linetune.report.page import Marked, marked_difference
from linetune.report.words import Words
from linetune.review.guesses import Guess, Guesser
from linetune.review.items import Item
from linetune.review.journal import Decision, Journal

PAUSE = 60.0
"""Seconds between two decisions after which a person has had a pause, which does not count for the speed."""
_RECENT = 50
"""Decisions that the speed is measured on."""
_AHEAD = 4
"""Crops that the page fetches ahead."""


def in_order(items: Sequence[Item], guesses: Sequence[Guess]) -> list[int]:
    """Return the numbers of the crops in the order in which a person sees them.

    Images that cannot be read come first. Then come labels that the model reads otherwise, the most
    improbable first. Then come all others, the least certain reading first.
    """

    def place(number: int) -> tuple[int, float, float]:
        guess, label = guesses[number], items[number].label
        differs = bool(label) and not is_same(label, guess.text)
        return 0 if guess.error else 1 if differs else 2, -guess.disagreement, guess.confidence

    return sorted(range(len(items)), key=place)


class Session:
    """The crops in the order in which a person sees them, and their decisions. Several threads may use it.

    Args:
        items: the crops, in any order.
        guesses: what the model makes of each.
        journal: where decisions go.
        guesser: reads crops that are turned.
        say: the language of errors that the page shows.
    """

    def __init__(
        self, items: Sequence[Item], guesses: Sequence[Guess], journal: Journal, guesser: Guesser, say: Words
    ) -> None:
        order = in_order(items, guesses)
        self.items = [items[i] for i in order]
        self._guesses = [guesses[i] for i in order]
        self._index = {item.key: index for index, item in enumerate(self.items)}
        self._settled = self._index.keys() & journal.history.decisions.keys()
        self._journal, self._guesser, self._say = journal, guesser, say
        self._lock = threading.Lock()
        self._times: list[float] = []
        self._turned = lru_cache(maxsize=256)(self._guess_turned)

    def progress(self) -> dict[str, Any]:
        """Return how much is settled, how many crops a minute, and the seconds that are left at this speed.

        The speed is None until it is known.
        """
        settled = len(self._settled)
        gaps = [gap for a, b in pairwise(self._times[-_RECENT - 1 :]) if (gap := b - a) <= PAUSE]
        seconds = max(sum(gaps) / len(gaps), 1e-3) if len(gaps) >= 3 else None
        return {
            "settled": settled,
            "total": len(self.items),
            "a_minute": seconds and 60 / seconds,
            "seconds_left": seconds and seconds * (len(self.items) - settled),
        }

    def start(self) -> dict[str, Any]:
        """Return what the page shows first."""
        return {"index": next(self._unsettled(0), 0), "progress": self.progress()}

    def item(self, index: int, turned: bool | None = None) -> dict[str, Any]:
        """Return what the page shows of a crop.

        Args:
            index: its place in the order, from 0.
            turned: whether it is shown turned by 180 degrees. None means as it was settled.

        Raises:
            IndexError: there is no such crop.
        """
        item = self.item_at(index)
        decision = self._journal.history.get(item.key)
        turned = bool(decision and decision.turned) if turned is None else turned
        guess = self._turned(index) if turned else self._guesses[index]
        read = item.label or guess.text
        shown = decision.text if decision and decision.text is not None else read
        choices = [text for text in dict.fromkeys((guess.text, *guess.others)) if text and text != shown]
        compared = bool(item.label) and not guess.error
        alone = Marked(((item.label, ""),)), Marked(((guess.text, ""),))
        label, reading = marked_difference(item.label, guess.text) if compared else alone
        return {
            "index": index,
            "path": item.path,
            "kind": _kind(item, guess),
            "label": item.label,
            "marked": _merged(label),
            "reading": _merged(reading),
            "confidence": guess.confidence,
            "shown": shown,
            "choices": choices[:_AHEAD],
            "decision": decision and {"text": decision.text},
            "turned": turned,
            "photo": item.box is not None,
            "error": guess.error,
            "ahead": list(islice(self._unsettled(index + 1), _AHEAD)),
        }

    def decide(self, index: int, text: str | None, turned: bool) -> dict[str, Any]:
        """Settle a crop. It is in the journal, on the disk, when this returns.

        Args:
            index: its place in the order.
            text: its label. None if it is unusable.
            turned: whether it is upside down.

        Returns:
            The next crop to settle, or None if all are settled; the progress; and the settled crop.

        Raises:
            IndexError: there is no such crop.
            LinetuneError: the label is blank, or has a tab or a line break, or the journal cannot be written.
        """
        say = self._say
        if text is not None and not text.strip():
            raise LinetuneError(say("an empty label; press Delete if the crop is unusable"))
        if text is not None and unwritable(text):
            raise LinetuneError(say("a label is one line of text, without tabs"))
        item, decision = self.item_at(index), Decision(text, turned)
        with self._lock:
            self._journal.decide(item.key, decision)
            self._settled.add(item.key)
            self._times.append(time.monotonic())
            following = next(self._unsettled(index + 1), None)
            return {"next": following, "progress": self.progress(), "item": self.item(index)}

    def undo(self) -> dict[str, Any]:
        """Undo the last decision. Return the place of its crop, None if there is nothing to undo.

        Raises:
            LinetuneError: the journal cannot be written.
        """
        say = self._say
        with self._lock:
            last = self._journal.history.last
            if last is not None and last not in self._index:
                raise LinetuneError(
                    say("the last decision is about a crop that is no longer here: {path}", path=last[0])
                )
            key = self._journal.undo()
            if key is not None and self._journal.history.get(key) is None:
                self._settled.discard(key)
            return {"index": None if key is None else self._index[key], "progress": self.progress()}

    def crop(self, index: int, turned: bool = False) -> Crop:
        """Return the image of a crop.

        Raises:
            IndexError: there is no such crop.
            LinetuneError: the image cannot be read.
        """
        crop = image.read(self.item_at(index).image)
        return image.half_turned(crop) if turned else crop

    def _guess_turned(self, index: int) -> Guess:
        try:
            crop = image.resize(self.crop(index, True))
            return self._guesser.guess([crop], [self.items[index].label])[0]
        except LinetuneError as error:
            return Guess(error=error.what)

    def item_at(self, index: int) -> Item:
        """Return the crop at a place in the order.

        Raises:
            IndexError: there is no such crop.
        """
        if not 0 <= index < len(self.items):
            raise IndexError(index)
        return self.items[index]

    def _unsettled(self, start: int) -> Iterator[int]:
        """Yield the crops that are not settled, from one place on and then from the first one."""
        for index in chain(range(start, len(self.items)), range(min(start, len(self.items)))):
            if self.items[index].key not in self._settled:
                yield index


def _kind(item: Item, guess: Guess) -> str:
    if guess.error:
        return "unreadable"
    if not item.label:
        return "unlabelled"
    return "agrees" if is_same(item.label, guess.text) else "differs"


def _merged(marked: Marked) -> list[list[str]]:
    """Return the pieces of a text with neighbours of one kind joined, so that letters keep their shapes."""
    pieces: list[list[str]] = []
    for text, mark in marked.pieces:
        if pieces and pieces[-1][1] == mark:
            pieces[-1][0] += text
        else:
            pieces.append([text, mark])
    return pieces
