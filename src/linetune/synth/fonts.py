"""Font files, and the characters that each of them draws."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from PIL import ImageFont, features

from linetune.core import files, scripts
from linetune.core.charset import SPACE, show
from linetune.core.errors import LinetuneError
from linetune.synth.looks import depths, stroke_width

_SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
_OUTLINES = ("glyf", "CFF ", "CFF2")
_MEASURED_AT = 64
"""Font size for measurements, px."""


@dataclass(frozen=True, slots=True)
class Font:
    """A font file. Of a collection, its first face."""

    path: Path
    characters: frozenset[str]
    """Characters of the rule that it draws, alone or as part of a letter."""
    height: float
    """Height of its capitals or digits, relative to the font size, like the next values."""
    width: float
    """Median width of the ink of a character."""
    advance: float
    """Median distance between two characters."""
    stroke: float
    """Width of the strokes, relative to the height of the characters."""
    slant: float
    """Shear to the right, px per px. 0 for an upright font."""

    def draws(self, text: str) -> bool:
        """Return whether every letter of a text, with its marks, has a glyph."""
        return all(self._draws(cluster) for cluster in scripts.clusters(text))

    def _draws(self, cluster: str) -> bool:
        if len(cluster) == 1 and not scripts.continues(cluster):
            return cluster in self.characters
        # Shaping uses one glyph or several for a letter with marks, as the font has them.
        forms = (cluster, *(unicodedata.normalize(form, cluster) for form in ("NFC", "NFD")))
        mapped = _mapped(self.path)
        return any(all(scripts.is_invisible(c) or ord(c) in mapped for c in form) for form in forms)


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return the font files of a configuration.

    Raises:
        LinetuneError: a path does not exist, or a folder has no font.
    """
    return files.find(
        paths,
        _SUFFIXES,
        "name font files or a folder of them, such as /usr/share/fonts, /Library/Fonts or C:/Windows/Fonts",
    )


def find(paths: Sequence[Path], alphabet: Sequence[str]) -> list[Font]:
    """Return the fonts that draw some characters of ``alphabet``.

    Raises:
        LinetuneError: a font cannot be opened, no font has a character, or this machine cannot shape
            characters that need it.
    """
    _refuse_unshaped(alphabet)
    characters = {path: _drawn(path, alphabet) for path in find_files(paths)}
    drawn = frozenset[str]().union(*characters.values())
    if missing := [c for c in alphabet if c not in drawn]:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise LinetuneError(
            f"no font draws {show(*missing[:10])}{more}",
            ", ".join(map(str, paths)),
            "add a font that draws them, or remove them from the rule",
        )
    return [_measured(path, some) for path, some in characters.items() if _with_ink(some)]


def installed() -> list[Path]:
    """Return the font files of this machine, from the font folders of Linux, macOS and Windows."""
    found: dict[Path, None] = {}
    for folder in filter(Path.is_dir, _standard_folders()):
        # A folder that cannot be read has no usable font.
        inside = files.below(folder, unreadable=[])
        found.update(dict.fromkeys(file for file in inside if file.suffix.lower() in _SUFFIXES))
    return list(found)


def that_draw(paths: Sequence[Path], alphabet: Sequence[str]) -> list[Font]:
    """Return the fonts that draw every character of ``alphabet``. Fonts that cannot be opened are left out.

    Raises:
        LinetuneError: this machine cannot shape characters that need it.
    """
    _refuse_unshaped(alphabet)
    found = []
    for path in paths:
        try:
            if len(drawn := _drawn(path, alphabet)) == len(alphabet):
                found.append(_measured(path, drawn))
        except (LinetuneError, OSError, ValueError, ZeroDivisionError):
            # A machine has hundreds of fonts, and some of them are broken.
            continue
    return found


def family(path: Path) -> str:
    """Return the name that all weights and italics of a font share."""
    with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as tables:
        names = tables.get("name")
        return str((names and (names.getDebugName(16) or names.getDebugName(1))) or path.stem)


def _standard_folders() -> list[Path]:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - unlike Path.home, it never fails
    shared = os.environ.get("XDG_DATA_HOME") or home / ".local" / "share"
    return [
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        Path(shared, "fonts"),
        home / ".fonts",
        Path("/System/Library/Fonts"),
        Path("/Library/Fonts"),
        home / "Library" / "Fonts",
        Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"),
        Path(os.environ.get("LOCALAPPDATA") or home, "Microsoft", "Windows", "Fonts"),
    ]


@lru_cache(maxsize=256)
def face(path: Path, size: int, shaped: bool = False) -> ImageFont.FreeTypeFont:
    """Open a font at ``size`` px per em. It shapes texts, or puts one glyph beside the other."""
    # Every build of Pillow has the basic layout. Where it is enough, all machines draw the same.
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(path, size, layout_engine=engine)


def _refuse_unshaped(alphabet: Sequence[str]) -> None:
    """Refuse a Pillow that cannot shape. It would draw separate letters from left to right, with marks
    beside."""
    needing = [c for c in alphabet if scripts.is_joining(c) or scripts.continues(c)]
    if needing and not features.check("raqm"):
        more = ", ..." if len(needing) > 5 else ""
        what = " and ".join(scripts.names(needing)) or "letters with combining marks"
        raise LinetuneError(
            f"this Pillow cannot shape {what} ({show(*needing[:5])}{more})",
            "synth.rule",
            "install libfribidi (Debian: apt install libfribidi0, macOS: brew install fribidi), or a Pillow "
            "with raqm",
        )


def _measured(path: Path, characters: frozenset[str]) -> Font:
    """Measure a font on a few of its characters."""
    opened = face(path, _MEASURED_AT)
    some = _with_ink(characters)
    # Digits and capitals if possible, because a dash has almost no height.
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


def _with_ink(characters: frozenset[str]) -> list[str]:
    """Return the characters that can stand alone, in order."""
    return sorted(c for c in characters if c != SPACE and not scripts.continues(c))


def _drawn(path: Path, alphabet: Sequence[str]) -> frozenset[str]:
    try:
        mapped = _mapped(path)
        if not mapped:
            return frozenset()
        opened = face(path, 32)

        def is_drawn(c: str) -> bool:
            if scripts.is_invisible(c):
                return True
            if scripts.continues(c):
                # Some fonts have only letters with their mark.
                letters = (unicodedata.normalize("NFC", letter + c) for letter in alphabet)
                return ord(c) in mapped or any(len(one) == 1 and ord(one) in mapped for one in letters)
            # Some fonts map characters to glyphs without an outline.
            return ord(c) in mapped and (c == SPACE or opened.getmask(c).getbbox() is not None)

        return frozenset(filter(is_drawn, alphabet))
    except Exception as error:  # fontTools can raise any error on a broken file
        raise LinetuneError(f"the font cannot be opened ({error})", path) from None


@lru_cache(maxsize=256)
def _mapped(path: Path) -> frozenset[int]:
    """Return the code points for which a font has glyphs. None for a font without outlines."""
    with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as tables:
        # Bitmap fonts, such as coloured emoji, have digits of one size only.
        outlined = any(table in tables for table in _OUTLINES)
        return frozenset(tables.getBestCmap() or ()) if outlined else frozenset()
