"""The fonts that texts are drawn in, and which characters each of them draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from PIL import ImageFont

from linetune.charset import SPACE, show
from linetune.errors import LinetuneError
from linetune.synth import files

_SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
_OUTLINES = ("glyf", "CFF ", "CFF2")


@dataclass(frozen=True, slots=True)
class Font:
    """A font file; of a collection, its first face."""

    path: Path
    characters: frozenset[str]
    """Those of the rule that it draws."""

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
    fonts = [Font(path, _drawn(path, alphabet)) for path in find_files(paths)]
    drawn = frozenset[str]().union(*(font.characters for font in fonts))
    if missing := [c for c in alphabet if c not in drawn]:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise LinetuneError(
            f"no font draws {show(*missing[:10])}{more}",
            ", ".join(map(str, paths)),
            "add a font that does, or take the characters out of the rule",
        )
    return [font for font in fonts if font.characters]


@lru_cache(maxsize=256)
def face(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """An opened font at ``size`` px to the em."""
    # The basic layout is in every build of Pillow, so that all machines draw the same.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


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
