"""The fonts that texts are drawn in, and which characters each of them draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from PIL import ImageFont

from linetune import files
from linetune.charset import SPACE, show
from linetune.errors import LinetuneError
from linetune.synth.looks import depths, stroke_width

_SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
_OUTLINES = ("glyf", "CFF ", "CFF2")
_MEASURED_AT = 64
"""Size in px at which a font is measured."""


@dataclass(frozen=True, slots=True)
class Font:
    """A font file; of a collection, its first face."""

    path: Path
    characters: frozenset[str]
    """Those of the rule that it draws."""
    height: float
    """Of its capitals or figures, relative to the font's size, as are the following."""
    width: float
    """Median width of a character's ink."""
    advance: float
    """Median distance from one character to the next."""
    stroke: float
    """Width of the strokes relative to the characters' height."""
    slant: float
    """Shear to the right, px a px: 0 unless it is italic."""

    def draws(self, text: str) -> bool:
        return self.characters.issuperset(text)


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The font files that the configuration names.

    Raises:
        LinetuneError: a path does not exist, or a folder holds no font.
    """
    return files.find(
        paths,
        _SUFFIXES,
        "name font files or a folder of them, such as /usr/share/fonts, /Library/Fonts or C:/Windows/Fonts",
    )


def find(paths: Sequence[Path], alphabet: Sequence[str]) -> list[Font]:
    """The fonts that draw some character of ``alphabet``.

    Raises:
        LinetuneError: a font cannot be opened, or a character is in none of them.
    """
    characters = {path: _drawn(path, alphabet) for path in find_files(paths)}
    drawn = frozenset[str]().union(*characters.values())
    if missing := [c for c in alphabet if c not in drawn]:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise LinetuneError(
            f"no font draws {show(*missing[:10])}{more}",
            ", ".join(map(str, paths)),
            "add a font that does, or take the characters out of the rule",
        )
    return [_measured(path, some) for path, some in characters.items() if some]


@lru_cache(maxsize=256)
def face(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """An opened font at ``size`` px to the em."""
    # The basic layout is in every build of Pillow, so that all machines draw the same.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def _measured(path: Path, characters: frozenset[str]) -> Font:
    """A font with the size of what it draws, from a few of its characters."""
    opened = face(path, _MEASURED_AT)
    some = sorted(characters - {SPACE})
    # Digits and capitals where there are any: a dash has no height to speak of.
    full = [c for c in some if c.isdigit() or c.isupper()] or [c for c in some if c.isalpha()] or some
    heights, widths, strokes = [], [], []
    for character in full[:: max(1, len(full) // 12)]:
        mask = opened.getmask(character)
        ink = np.asarray(mask, np.uint8).reshape(mask.size[::-1]) > 127
        left, top, right, bottom = opened.getbbox(character)
        heights.append(bottom - top)
        widths.append(right - left)
        strokes.append(stroke_width(depths(ink)))
    height = float(np.median(heights))
    return Font(
        path,
        characters,
        height=height / _MEASURED_AT,
        width=float(np.median(widths)) / _MEASURED_AT,
        advance=float(np.median([opened.getlength(c) for c in full[:12]])) / _MEASURED_AT,
        stroke=float(np.median(strokes)) / height,
        slant=_italic(path),
    )


def _italic(path: Path) -> float:
    with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as tables:
        angle = float(tables["post"].italicAngle) if "post" in tables else 0.0
    return math.tan(math.radians(-angle)) if abs(angle) < 45 else 0.0


def _drawn(path: Path, alphabet: Iterable[str]) -> frozenset[str]:
    try:
        with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as tables:
            # Bitmap fonts, such as those of coloured emoji, have digits of one size only.
            outlined = any(table in tables for table in _OUTLINES)
            mapped = (tables.getBestCmap() or {}) if outlined else {}
        opened = face(path, 32) if mapped else None
        # Some fonts map characters to glyphs without an outline.
        return frozenset(
            c
            for c in alphabet
            if opened and ord(c) in mapped and (c == SPACE or opened.getmask(c).getbbox() is not None)
        )
    except Exception as error:  # fontTools meets a broken file with whatever its parser stumbles on
        raise LinetuneError(f"not a font that can be opened ({error})", path) from None
