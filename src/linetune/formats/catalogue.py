"""The official models with their sizes, their speed, and the place of their weights on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from linetune.core import image
from linetune.formats.sources import find
from linetune.models import network
from linetune.models.architecture import Architecture
from linetune.models.families import OFFICIAL
from linetune.models.network import empty_folded

WIDTH = image.MIN_WIDTH
"""Width of a crop in px for the number of frames and the time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An official model. ``characters`` is None if only the downloaded files hold the dictionary."""

    name: str
    parameters_without_characters: int
    parameters_per_character: int
    characters: int | None
    weights: Path | None
    """The file on this machine. None if linetune has to download it."""
    url: str
    milliseconds: float | None = None
    """Time for one crop on the CPU. None without a measurement."""

    @property
    def parameters(self) -> int | None:
        """Number of all parameters. None if the characters are not known."""
        if self.characters is None:
            return None
        return self.parameters_without_characters + self.characters * self.parameters_per_character

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        fields = asdict(self) | {"parameters": self.parameters, "frames": image.frames(WIDTH)}
        fields["weights"] = str(self.weights) if self.weights else None
        if self.milliseconds is None:
            del fields["milliseconds"]
        return fields


def catalogue(speed: bool = False) -> Iterator[Entry]:
    """Return all official models.

    Args:
        speed: measure the time for one crop, with arbitrary weights. Takes seconds for each network.
    """
    times: dict[tuple[Architecture, int], float] = {}
    for official in OFFICIAL.values():
        charset = official.charset
        milliseconds = None
        if speed:
            kind = official.architecture, charset.classes if charset else 1
            if kind not in times:
                times[kind] = network.seconds_a_crop(*kind, WIDTH)
            milliseconds = round(1000 * times[kind], 1)
        # A head of the blank alone: making the rows of thousands of characters takes long.
        body = empty_folded(official.architecture, 1)
        yield Entry(
            official.name,
            sum(p.numel() for p in body.parameters()),
            body.head.fc.in_features + 1,
            len(charset) if charset else None,
            find(official),
            official.url,
            milliseconds,
        )
