"""The fonts that texts are drawn in, and which characters each of them draws."""

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
"""Size in px at which a font is measured."""


@dataclass(frozen=True, slots=True)
class Font:
    """A font file; of a collection, its first face."""

    path: Path
    characters: frozenset[str]
    """Those of the rule that it draws, by themselves or as part of a letter."""
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
        """Whether every letter of a text, with its marks, has a glyph."""
        return all(self._draws(cluster) for cluster in scripts.clusters(text))

    def _draws(self, cluster: str) -> bool:
        if len(cluster) == 1 and not scripts.continues(cluster):
            return cluster in self.characters
        # Shaping takes a letter and its marks as one glyph or as several, whichever the font has.
        forms = (cluster, *(unicodedata.normalize(form, cluster) for form in ("NFC", "NFD")))
        mapped = _mapped(self.path)
        return any(all(scripts.is_invisible(c) or ord(c) in mapped for c in form) for form in forms)


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
        LinetuneError: a font cannot be opened, a character is in none of them, or this machine cannot shape
            what has to be shaped.
    """
    _refuse_unshaped(alphabet)
    characters = {path: _drawn(path, alphabet) for path in find_files(paths)}
    drawn = frozenset[str]().union(*characters.values())
    if missing := [c for c in alphabet if c not in drawn]:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise LinetuneError(
            f"no font draws {show(*missing[:10])}{more}",
            ", ".join(map(str, paths)),
            "add a font that does, or take the characters out of the rule",
        )
    return [_measured(path, some) for path, some in characters.items() if _with_ink(some)]


def installed() -> list[Path]:
    """The font files of this machine, in the folders where Linux, macOS and Windows keep them."""
    found: dict[Path, None] = {}
    for folder in filter(Path.is_dir, _standard_folders()):
        # What cannot be read holds no font that could be used.
        inside = files.below(folder, unreadable=[])
        found.update(dict.fromkeys(file for file in inside if file.suffix.lower() in _SUFFIXES))
    return list(found)


def that_draw(paths: Sequence[Path], alphabet: Sequence[str]) -> list[Font]:
    """The fonts that draw every character of ``alphabet``; those that cannot be opened are passed over.

    Raises:
        LinetuneError: this machine cannot shape what has to be shaped.
    """
    _refuse_unshaped(alphabet)
    found = []
    for path in paths:
        try:
            if len(drawn := _drawn(path, alphabet)) == len(alphabet):
                found.append(_measured(path, drawn))
        except (LinetuneError, OSError, ValueError, ZeroDivisionError):
            # A machine has hundreds of fonts, and some are always broken.
            continue
    return found


def family(path: Path) -> str:
    """The name that a font shares with its weights and italics."""
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
    """An opened font at ``size`` px to the em, which shapes what it draws or sets glyph after glyph."""
    # The basic layout is in every build of Pillow, so that all machines draw the same where it suffices.
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(path, size, layout_engine=engine)


def _refuse_unshaped(alphabet: Sequence[str]) -> None:
    """Raise where Pillow cannot shape: it would draw letters apart, from left to right, marks beside them."""
    needing = [c for c in alphabet if scripts.is_joining(c) or scripts.continues(c)]
    if needing and not features.check("raqm"):
        more = ", ..." if len(needing) > 5 else ""
        what = " and ".join(scripts.names(needing)) or "letters with combining marks"
        raise LinetuneError(
            f"Pillow cannot shape {what} here ({show(*needing[:5])}{more})",
            "synth.rule",
            "install libfribidi (Debian: apt install libfribidi0, macOS: brew install fribidi), or a Pillow "
            "that was built with raqm",
        )


def _measured(path: Path, characters: frozenset[str]) -> Font:
    """A font with the size of what it draws, from a few of its characters."""
    opened = face(path, _MEASURED_AT)
    some = _with_ink(characters)
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


def _with_ink(characters: frozenset[str]) -> list[str]:
    """Those that stand by themselves, in order."""
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
                # Some fonts have only letters that carry their mark.
                letters = (unicodedata.normalize("NFC", letter + c) for letter in alphabet)
                return ord(c) in mapped or any(len(one) == 1 and ord(one) in mapped for one in letters)
            # Some fonts map characters to glyphs without an outline.
            return ord(c) in mapped and (c == SPACE or opened.getmask(c).getbbox() is not None)

        return frozenset(filter(is_drawn, alphabet))
    except Exception as error:  # fontTools meets a broken file with whatever its parser stumbles on
        raise LinetuneError(f"not a font that can be opened ({error})", path) from None


@lru_cache(maxsize=256)
def _mapped(path: Path) -> frozenset[int]:
    """The code points that a font has glyphs for; none for a font without outlines."""
    with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as tables:
        # Bitmap fonts, such as those of coloured emoji, have digits of one size only.
        outlined = any(table in tables for table in _OUTLINES)
        return frozenset(tables.getBestCmap() or ()) if outlined else frozenset()
