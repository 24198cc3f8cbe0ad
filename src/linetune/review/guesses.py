"""What the model makes of each crop: its reading, the next-best texts, and how much it doubts the label."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linetune.core import atomic, image, untrusted
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.progress import Reporter, count
from linetune.core.reading_order import is_same
from linetune.decode.evidence import disagreement, log_probability
from linetune.decode.next_best import next_best
from linetune.decode.reading import added_up
from linetune.recogniser import Recogniser
from linetune.review.items import Item

CACHE = "readings.json"
"""The readings in the folder of a review. They can be made again."""
CHOICES = 4
"""Most next-best texts."""
_TOGETHER = 256
"""Crops that are in memory together."""
_LEAST = -100.0
"""Least log P of a label. A label of more characters than frames has none."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What the model makes of one crop."""

    text: str = ""
    confidence: float = 0.0
    others: tuple[str, ...] = ()
    """The next-best texts, the most probable one first."""
    disagreement: float = 0.0
    """How strongly the model disagrees with the label. 0 if it reads the label or does not know its
    characters."""
    error: str = ""
    """Why the image cannot be read."""


@dataclass
class Guesser:
    """Reads crops with a model, which is loaded when it is needed first. Several threads may use it.

    Args:
        load: loads the model.
        fingerprint: the identity of the model. Readings of another one are not used.
    """

    load: Callable[[], Recogniser]
    fingerprint: str

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: Recogniser | None = None

    @property
    def recogniser(self) -> Recogniser:
        """The model."""
        with self._lock:
            self._loaded = self._loaded or self.load()
            return self._loaded

    def guess(
        self,
        crops: Sequence[Crop],
        labels: Sequence[str],
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Guess]:
        """Return what the model makes of crops, in order.

        Args:
            crops: BGR.
            labels: the label of each crop. An empty one means that it has none.
            progress: called with the number of crops read so far.
        """
        model, guesses = self.recogniser, dict[int, Guess]()
        for members, probabilities in model.probabilities(crops):
            readings = model.decoder(probabilities)
            best = next_best(probabilities, model.charset, model.decoder, CHOICES + 3)
            wanted = [labels[i] for i in members]
            read = [reading.text for reading in readings]
            known = added_up(probabilities, model.charset)
            doubts = _disagreements(known, wanted, read, model)
            for i, reading, texts, doubt in zip(members.tolist(), readings, best, doubts, strict=True):
                # Nobody sees a space at the end of a label.
                plain = [text for text in texts if text == text.strip()]
                others = [text for text in plain if not is_same(text, reading.text)][:CHOICES]
                guesses[i] = Guess(reading.text, reading.confidence, tuple(others), doubt)
            progress(len(guesses))
        return [guesses[i] for i in range(len(crops))]


def _disagreements(
    probabilities: NDArray[np.float32], labels: Sequence[str], read: Sequence[str], model: Recogniser
) -> list[float]:
    """Return how strongly the model disagrees with each label (:func:`disagreement`)."""
    charset = model.charset
    judged = [bool(label) and not charset.missing(label) for label in labels]
    texts = [label if known else "" for label, known in zip(labels, judged, strict=True)]
    of_label = log_probability(probabilities, [charset.encode(text) for text in texts])
    of_read = log_probability(probabilities, [charset.encode(text) for text in read])
    return [
        max(0.0, disagreement(max(own, _LEAST), max(other, _LEAST))) if known and not is_same(a, b) else 0.0
        for known, a, b, own, other in zip(
            judged, labels, read, of_label.tolist(), of_read.tolist(), strict=True
        )
    ]


def fingerprint(model: str) -> str:
    """Return the identity of a model: the SHA-256 of its file, or its official name."""
    path = Path(model)
    files = [path / "model.safetensors"] if path.is_dir() else [path]
    if not files[0].is_file():
        return f"{model} {path.stat().st_mtime if path.exists() else ''}"
    with files[0].open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_items(items: Sequence[Item], guesser: Guesser, folder: Path, reporter: Reporter) -> list[Guess]:
    """Return what the model makes of each crop. What an earlier review has read is not read again.

    Args:
        items: the crops.
        guesser: the model.
        folder: the folder of the review, which keeps the readings. They are kept too if the user interrupts.
        reporter: shows the progress.

    Raises:
        LinetuneError: the model cannot be loaded, or the readings cannot be written.
    """
    known, path = _stored(folder / CACHE, guesser.fingerprint), folder / CACHE
    before = len(known)
    guesses: list[Guess] = []
    try:
        reporter.progress("reading", 0, len(items))
        for start in range(0, len(items), _TOGETHER):
            together = items[start : start + _TOGETHER]
            guesses += _read_some(together, guesser, known, start, count(reporter, "reading", len(items)))
    finally:
        if len(known) > before:
            content = {"model": guesser.fingerprint, "readings": known}
            with os_errors("the readings cannot be written", path):
                atomic.write_text(path, json.dumps(content))
    return guesses


def _read_some(
    items: Sequence[Item],
    guesser: Guesser,
    known: dict[str, Any],
    before: int,
    progress: Callable[[int], None],
) -> list[Guess]:
    """Return what the model makes of some crops.

    Args:
        items: the crops.
        guesser: the model.
        known: what the model made of crops earlier, which gets what it makes of these.
        before: number of crops read before.
        progress: called with the number of all crops read so far.
    """
    guesses: dict[int, Guess] = {}
    new: list[tuple[int, str, Crop]] = []
    for number, item in enumerate(items):
        try:
            data = image.content(item.image)
            address = hashlib.sha256(data.tobytes() + item.label.encode()).hexdigest()
            if (guess := _guess(known.get(address))) is not None:
                guesses[number] = guess
            else:
                new.append((number, address, image.resize(image.decode(data, item.image))))
        except LinetuneError as error:
            guesses[number] = Guess(error=error.what)
    if new:
        numbers, addresses, crops = zip(*new, strict=True)
        start = before + len(guesses)
        found = guesser.guess(crops, [items[i].label for i in numbers], lambda done: progress(start + done))
        known |= {address: asdict(guess) for address, guess in zip(addresses, found, strict=True)}
        guesses |= zip(numbers, found, strict=True)
    progress(before + len(items))
    return [guesses[i] for i in range(len(items))]


def _stored(path: Path, model: str) -> dict[str, Any]:
    """Return the readings of this model that an earlier review has kept."""
    try:
        content = untrusted.parse_json(untrusted.read(path), path)
        readings = content["readings"] if content["model"] == model else {}
        return readings if isinstance(readings, dict) else {}
    except (LinetuneError, OSError, LookupError, TypeError):
        return {}  # they can be made again


def _guess(stored: Any) -> Guess | None:
    try:
        return Guess(**stored | {"others": tuple(stored["others"])})
    except (LookupError, TypeError):
        return None
