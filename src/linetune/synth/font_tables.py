"""Open the tables of fonts of strangers: no table takes far more memory than it has bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from linetune.core import untrusted
from linetune.core.errors import LinetuneError

_SIGNATURES = (b"\0\1\0\0", b"OTTO", b"ttcf", b"true")
"""First bytes of OpenType fonts and collections. Compressed fonts (WOFF) may expand to any size."""
_BYTES = 2**28
"""Most bytes of a font file. The largest collections of Chinese, Japanese and Korean fonts have 130 MB."""
_MAPPED = 2_000_000
"""Most code points that a font may map. Unicode has 1,114,112, and a group of 12 bytes may claim them all."""
_OUTLINE_TABLES = ("glyf", "CFF ", "CFF2")
"""Tables of an OpenType font that hold outlines."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield the tables of a font file, of a font collection those of the first face.

    Raises:
        LinetuneError: the file is not a font, or is damaged.
    """
    try:
        untrusted.check_size(path, _BYTES, "font")
        with path.open("rb") as file:
            if file.read(4) not in _SIGNATURES:
                raise LinetuneError(
                    "cannot be opened as a font (it has other first bytes)", path, "remove it"
                )
            file.seek(0)
            with TTFont(file, fontNumber=0, lazy=True) as tables:
                yield tables
    except LinetuneError:
        raise
    except Exception as error:  # fontTools raises errors of many types for a damaged file
        reason = str(error) or type(error).__name__
        raise LinetuneError(f"cannot be opened as a font ({reason:.200})", path, "remove it") from None


def mapped(path: Path) -> frozenset[int]:
    """Return the code points for which a font has glyphs: none for a font without outlines.

    Raises:
        LinetuneError: the file is not a font, or is damaged.
    """
    with opened(path) as tables:
        # Bitmap fonts, such as coloured emoji, have one size only.
        if not any(table in tables for table in _OUTLINE_TABLES):
            return frozenset()
        if "cmap" in tables.reader.keys():  # noqa: SIM118 - not a mapping
            _check_map(bytes(tables.reader["cmap"]))
        return frozenset(tables.getBestCmap() or ())


def _check_map(table: bytes) -> None:
    """Check how many code points each part of the table ``cmap`` claims.

    Raises:
        ValueError: a part claims too many.
        struct.error: the table is cut off.
    """
    for number in range(struct.unpack_from(">H", table, 2)[0]):
        at = struct.unpack_from(">I", table, 4 + 8 * number + 4)[0]
        kind = struct.unpack_from(">H", table, at)[0]
        if kind in (8, 12, 13):
            groups = struct.unpack_from(">I", table, at + (12 if kind != 8 else 8204))[0]
            first = at + (16 if kind != 8 else 8208)
            pairs: Iterable[tuple[int, int]] = (
                struct.unpack_from(">II", table, first + 12 * group) for group in range(groups)
            )
        elif kind == 4:
            segments = struct.unpack_from(">H", table, at + 6)[0] // 2
            ends = struct.unpack_from(f">{segments}H", table, at + 14)
            starts = struct.unpack_from(f">{segments}H", table, at + 16 + 2 * segments)
            pairs = zip(starts, ends, strict=True)
        else:
            continue
        left = _MAPPED
        for start, end in pairs:
            left -= max(0, end - start + 1)
            if left < 0:
                raise ValueError("it maps too many code points")
