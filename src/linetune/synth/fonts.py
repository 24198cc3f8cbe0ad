"""Fonts: where they are, which characters each of them draws, and how large it draws them."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont, features

from linetune.core import files, scripts
from linetune.core.charset import SPACE, show
from linetune.core.errors import LinetuneError
from linetune.synth import font_tables
from linetune.synth.measure import depth_inside, stroke_width

_SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
_LARGEST = 20
"""Largest height and width of a letter over the font size. A damaged font may draw a letter of gigabytes."""
_PROBED_AT = 32
"""Font size in px at which a font shows which characters it draws."""
_MEASURED_AT = 64
"""Font size in px at which a font is measured."""


@dataclass(frozen=True, slots=True)
class Font:
    """A font file. Of a font collection (.ttc), the first face."""

    path: Path
    characters: frozenset[str]
    """Characters of the rule that the font draws, alone or as part of a letter."""
    height: float
    """Median height of capitals and digits, as a share of the font size."""
    width: float
    """Median width of a character's ink, as a share of the font size."""
    advance: float
    """Median distance from one character to the next, as a share of the font size."""
    stroke: float
    """Width of the strokes, as a share of ``height``."""
    slant: float
    """Shear to the right, px for each px of height. 0 unless the font is italic."""

    def draws(self, text: str) -> bool:
        """Return whether the font has a glyph for every letter of a text, with its marks."""
        return all(self._draws(cluster) for cluster in scripts.clusters(text))

    def _draws(self, cluster: str) -> bool:
        if len(cluster) == 1 and not scripts.continues(cluster):
            return cluster in self.characters
        # Shaping draws a letter and its marks as one glyph or as several, depending on the font.
        forms = (cluster, *(unicodedata.normalize(form, cluster) for form in ("NFC", "NFD")))
        mapped = _mapped(self.path)
        return any(all(scripts.is_invisible(c) or ord(c) in mapped for c in form) for form in forms)


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return the font files among ``paths`` and in the folders among them.

    Raises:
        LinetuneError: a path does not exist, or a folder contains no font.
    """
    hint = "name font files, or a folder such as /usr/share/fonts, /Library/Fonts or C:/Windows/Fonts"
    return files.find(paths, _SUFFIXES, hint)


def load(paths: Sequence[Path], alphabet: Sequence[str]) -> list[Font]:
    """Load the fonts that draw at least one character of ``alphabet``.

    Args:
        paths: font files, and folders of them.
        alphabet: the characters that the fonts have to draw together.

    Raises:
        LinetuneError: a font cannot be opened, no font draws one of the characters, or Pillow cannot shape
            one of them.
    """
    _refuse_unshapable(alphabet)
    characters = {path: _drawable(path, alphabet) for path in find_files(paths)}
    drawable = frozenset[str]().union(*characters.values())
    if missing := [c for c in alphabet if c not in drawable]:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise LinetuneError(
            f"no font draws {show(*missing[:10])}{more}",
            ", ".join(map(str, paths)),
            "add a font that draws them, or remove them from the rule",
        )
    return [_measure(path, some) for path, some in characters.items() if _with_ink(some)]


def load_complete(paths: Sequence[Path], alphabet: Sequence[str]) -> list[Font]:
    """Load the fonts that draw every character of ``alphabet``. Skip files that cannot be opened.

    Raises:
        LinetuneError: Pillow cannot shape one of the characters.
    """
    _refuse_unshapable(alphabet)
    complete = []
    for path in paths:
        try:
            if len(characters := _drawable(path, alphabet)) == len(alphabet):
                complete.append(_measure(path, characters))
        except (LinetuneError, OSError, ValueError, ZeroDivisionError):
            # Of the hundreds of fonts on a machine, some are always broken.
            continue
    return complete


def installed_files() -> list[Path]:
    """Return the font files in the standard folders of Linux, macOS and Windows."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - unlike Path.home, it never fails
    folders = (
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share", "fonts"),
        home / ".fonts",
        Path("/System/Library/Fonts"),
        Path("/Library/Fonts"),
        home / "Library" / "Fonts",
        Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"),
        Path(os.environ.get("LOCALAPPDATA") or home, "Microsoft", "Windows", "Fonts"),
    )
    # Subfolders that cannot be read are skipped.
    inside = (file for folder in folders if folder.is_dir() for file in files.below(folder, unreadable=[]))
    return list(dict.fromkeys(file for file in inside if file.suffix.lower() in _SUFFIXES))


def family(path: Path) -> str:
    """Return the name that a font shares with its other weights and its italics."""
    with suppress(LinetuneError), font_tables.opened(path) as tables:
        names = tables.get("name")
        return str((names and (names.getDebugName(16) or names.getDebugName(1))) or path.stem)
    return path.stem


@lru_cache(maxsize=256)
def open_face(path: Path, size: int, shaped: bool = False) -> ImageFont.FreeTypeFont:
    """Open a font.

    Args:
        path: the font file.
        size: font size, px.
        shaped: draw with raqm, which shapes a text. Otherwise one glyph follows the other.
    """
    # Every build of Pillow has the basic layout. Where it is enough, all machines draw the same.
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(path, size, layout_engine=engine)


def _refuse_unshapable(alphabet: Sequence[str]) -> None:
    """Raise an error if Pillow cannot shape a character that needs it.

    Pillow would not join the letters, would draw them from left to right, and marks beside their letters.
    """
    shaped = [c for c in alphabet if scripts.is_joining(c) or scripts.continues(c)]
    if shaped and not features.check("raqm"):
        more = ", ..." if len(shaped) > 5 else ""
        what = " and ".join(scripts.names(shaped)) or "letters with combining marks"
        raise LinetuneError(
            f"this Pillow cannot shape {what} ({show(*shaped[:5])}{more})",
            "synth.rule",
            "install libfribidi (Debian: apt install libfribidi0, macOS: brew install fribidi), or a Pillow "
            "that was built with raqm",
        )


def _measure(path: Path, characters: frozenset[str]) -> Font:
    """Measure a font on about twelve of its characters."""
    opened = open_face(path, _MEASURED_AT)
    with font_tables.opened(path) as tables:
        angle = float(tables["post"].italicAngle) if "post" in tables else 0.0
    some = _with_ink(characters)
    # Digits and capitals if there are any, since a dash does not show the height.
    full = [c for c in some if c.isdigit() or c.isupper()] or [c for c in some if c.isalpha()] or some
    heights, widths, strokes = [], [], []
    for character in full[:: max(1, len(full) // 12)]:
        mask = opened.getmask(character)
        ink = np.asarray(mask, np.uint8).reshape(mask.size[::-1]) > 127
        left, top, right, bottom = opened.getbbox(character)
        heights.append(bottom - top)
        widths.append(right - left)
        strokes.append(stroke_width(depth_inside(ink)))
    height = float(np.median(heights))
    if height <= 0:
        raise LinetuneError("cannot be opened as a font (its letters have no height)", path, "remove it")
    return Font(
        path,
        characters,
        height=height / _MEASURED_AT,
        width=float(np.median(widths)) / _MEASURED_AT,
        advance=float(np.median([opened.getlength(c) for c in full[:12]])) / _MEASURED_AT,
        stroke=float(np.median(strokes)) / height,
        slant=math.tan(math.radians(-angle)) if abs(angle) < 45 else 0.0,
    )


def _with_ink(characters: frozenset[str]) -> list[str]:
    """Return the characters that have ink of their own, sorted: no space, marks or joiners."""
    return sorted(c for c in characters if c != SPACE and not scripts.continues(c))


def _drawable(path: Path, alphabet: Sequence[str]) -> frozenset[str]:
    """Return the characters of ``alphabet`` that a font draws.

    Raises:
        LinetuneError: the file is not a font, or is damaged.
    """
    try:
        mapped = _mapped(path)
        if not mapped:
            return frozenset()
        opened = open_face(path, _PROBED_AT)

        def is_drawable(c: str) -> bool:
            if scripts.is_invisible(c):
                return True
            if scripts.continues(c):
                # Some fonts have no glyph for a mark, only glyphs for letters with that mark.
                letters = (unicodedata.normalize("NFC", letter + c) for letter in alphabet)
                return ord(c) in mapped or any(len(one) == 1 and ord(one) in mapped for one in letters)
            if ord(c) not in mapped:
                return False
            if max(map(abs, opened.getbbox(c))) > _LARGEST * _PROBED_AT:
                raise ValueError(f"its {show(c)} is larger than any letter")
            # Some fonts map characters to glyphs without an outline.
            return c == SPACE or opened.getmask(c).getbbox() is not None

        return frozenset(filter(is_drawable, alphabet))
    except LinetuneError:
        raise
    except Exception as error:  # fontTools raises errors of many types for a damaged file
        raise LinetuneError(f"cannot be opened as a font ({error})", path) from None


@lru_cache(maxsize=256)
def _mapped(path: Path) -> frozenset[int]:
    """Return the code points for which a font has glyphs, see :func:`font_tables.mapped`."""
    return font_tables.mapped(path)
