"""The size of an image by its header, before a decoder reserves memory for it.

A file of a few bytes may claim any size. Without a size that we can read, no decoder gets the file.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from linetune.core.errors import LinetuneError

PIXELS = 2**26
"""Most pixels of an image: 67 million, as 9,000 x 7,400. Decoded, they take 200 MB."""
TRANSPARENT = 25_000_000
"""Most pixels of an image with transparency. Decoding and compositing take up to 15 bytes each."""
_SAMPLES = 4 * 10**8
"""Most bytes of an image as its file has them. OpenJPEG takes four for each sample, a TIFF may have eight."""
_SEGMENTS, _TAGS, _BOXES = 20_000, 4096, 4096
"""Most segments of a JPEG, tags of a TIFF and boxes of a JPEG 2000 that we look at. Files have far fewer."""
_TILES = 4096
"""Most tiles of a JPEG 2000. OpenJPEG takes ten kilobytes for each."""
_CHUNK = 2**26
"""Most bytes of a chunk of a PNG that the file does not have, because it is cut off."""
_START = 2**16
"""Bytes in which text headers and AVIF's properties end."""
_NUMBER = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*([0-9]{1,9})\s")
_NAMED = re.compile(rb"^(WIDTH|HEIGHT|DEPTH)\s+([0-9]{1,9})\s*$", re.MULTILINE)
_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""Types of integers in TIFF, as codes of ``struct``."""


class Size(NamedTuple):
    """The size that a header claims."""

    width: int
    height: int
    depth: int = 3
    """Bytes of a pixel as the file has it."""
    transparent: bool = False
    """Whether the image may have transparency."""


def checked(data: memoryview, where: object) -> Size | None:
    """Return the size of an image that is small enough to be decoded. None if it has no header that we know.

    Args:
        data: the content of the file.
        where: its name in messages.

    Raises:
        LinetuneError: the image is too large.
    """
    found = size(data)
    if found is None:
        return None
    most = TRANSPARENT if found.transparent else PIXELS
    if found.width * found.height > most or found.width * found.height * found.depth > _SAMPLES:
        shown = f"{found.width} x {found.height} px"
        hint = "make it smaller, or cut the text line out of it"
        raise LinetuneError(f"{shown} are too many: linetune reads {most // 10**6} million px", where, hint)
    return found


def size(data: memoryview) -> Size | None:
    """Return the size that the header of an image claims. None if it has no header that we know."""
    start = bytes(data[:16])
    for signature, parse in _PARSERS:
        if signature.match(start):
            try:
                return parse(data)
            except (struct.error, ValueError, IndexError, KeyError, StopIteration, ArithmeticError):
                return None
    return None


def _png(data: memoryview) -> Size:
    first, width, height, bits, colour = struct.unpack_from(">4x4sIIBB", data, 8)
    if first != b"IHDR":
        raise ValueError
    # Colour types 4 and 6 have alpha. A chunk tRNS before the pixels makes some colours transparent.
    transparent, pixels, at = colour in (4, 6), False, 8
    for _ in range(_SEGMENTS):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + length > len(data) and length > _CHUNK:
            raise ValueError  # OpenCV would reserve memory for it
        pixels = pixels or kind == b"IDAT"
        transparent = transparent or (kind == b"tRNS" and not pixels)
        at += length + 12
    return Size(width, height, max(1, {2: 3, 4: 2, 6: 4}.get(colour, 1) * bits // 8), transparent)


def _jpeg(data: memoryview) -> Size:
    at = 2
    for _ in range(_SEGMENTS):
        while data[at] != 0xFF:
            at += 1
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0xDA:
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, components = struct.unpack_from(">HHB", data, at + 3)
            return Size(width, height, components)
        if marker not in (0x00, 0x01, *range(0xD0, 0xD9)):
            at += max(2, struct.unpack_from(">H", data, at)[0])
    raise ValueError


def _gif(data: memoryview) -> Size:
    width, height = struct.unpack_from("<HH", data, 6)
    return Size(width, height, transparent=True)


def _bmp(data: memoryview) -> Size:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        return Size(*struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    # The fourth channel of a BMP is seldom meant as alpha, and mostly zero.
    return Size(abs(width), abs(height))


def _webp(data: memoryview) -> Size:
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        low = struct.unpack_from("<HBHB", data, 24)
        return Size(low[0] + (low[1] << 16) + 1, low[2] + (low[3] << 16) + 1, transparent=True)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, transparent=True)
    width, height = struct.unpack_from("<HH", data, 26)
    return Size(width & 0x3FFF, height & 0x3FFF)


def _tiff(data: memoryview) -> Size:
    order = "<" if data[0] == 0x49 else ">"
    big = 43 in (data[2], data[3])
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    tags: dict[int, int] = {}
    for number in range(min(count, _TAGS)):
        entry = at + number * (20 if big else 12)
        tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        if kind in _TIFF_TYPES:
            code, place = _TIFF_TYPES[kind], entry + (12 if big else 8)
            if struct.calcsize(code) * values > (8 if big else 4):
                place = struct.unpack_from(order + ("Q" if big else "I"), data, place)[0]
            # Of two equal tags, decoders differ in which one counts.
            tags[tag] = max(tags.get(tag, 0), struct.unpack_from(order + code, data, place)[0])
    # 256 and 257: width and height. 322 and 323: those of a tile. 258 and 277: bits and number of samples.
    # 338: samples that are not colours.
    width, height = max(tags[256], tags.get(322, 0)), max(tags[257], tags.get(323, 0))
    samples = tags.get(277, 1)
    return Size(width, height, max(1, tags.get(258, 1) * samples // 8), samples in (2, 4) or 338 in tags)


def _pnm(data: memoryview) -> Size:
    start = bytes(data[:_START])
    if start[1:2] == b"7":
        # Of two equal names, the larger number counts.
        named = {
            name: int(value) for name, value in sorted(_NAMED.findall(start), key=lambda found: int(found[1]))
        }
        return Size(named[b"WIDTH"], named[b"HEIGHT"], 2 * named[b"DEPTH"])
    first = _NUMBER.match(start, 2)
    second = _NUMBER.match(start, first.end() - 1) if first else None
    if first is None or second is None:
        raise ValueError
    return Size(int(first[1]), int(second[1]))


def _boxes(data: memoryview, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type, the start and the end of the content of each box of an ISO file."""
    for _ in range(_BOXES):
        if at + 8 > end:
            return
        length, head = struct.unpack_from(">I", data, at)[0], 8
        if length == 1:
            length, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        stop = min(end, at + length) if length else end
        yield bytes(data[at + 4 : at + 8]), at + head, stop
        at = max(stop, at + 8)


def _jpeg2000(data: memoryview) -> Size:
    at = 0
    if data[0] == 0:
        at = next(start for kind, start, _ in _boxes(data, 0, len(data)) if kind == b"jp2c")
    if bytes(data[at : at + 4]) != b"\xff\x4f\xff\x51":
        raise ValueError
    right, low, left, top = struct.unpack_from(">4I", data, at + 8)
    tile_width, tile_height = struct.unpack_from(">2I", data, at + 24)
    if -(-right // tile_width) * -(-low // tile_height) > _TILES:
        raise ValueError
    components = struct.unpack_from(">H", data, at + 40)[0]
    return Size(right - left, low - top, 4 * components, components in (2, 4))


def _avif(data: memoryview) -> Size:
    def inside(*names: bytes, start: int = 0, end: int = len(data)) -> Iterator[int]:
        for kind, at, stop in _boxes(data, start, end):
            if kind == names[0] and len(names) == 1:
                yield at
            elif kind == names[0]:
                # A meta box starts with a version.
                yield from inside(*names[1:], start=at + 4 * (kind == b"meta"), end=stop)

    sizes = [struct.unpack_from(">II", data, at + 4) for at in inside(b"meta", b"iprp", b"ipco", b"ispe")]
    return Size(max(width for width, _ in sizes), max(height for _, height in sizes), transparent=True)


_PARSERS: tuple[tuple[re.Pattern[bytes], Callable[[memoryview], Size]], ...] = tuple(
    (re.compile(signature, re.DOTALL), parse)
    for signature, parse in (
        (rb"\x89PNG\r\n\x1a\n", _png),
        (rb"\xff\xd8\xff", _jpeg),
        (rb"GIF8[79]a", _gif),
        (rb"BM", _bmp),
        (rb"RIFF....WEBP", _webp),
        (rb"II[*+]\0|MM\0[*+]", _tiff),
        (rb"P[1-7Ff][\s#]", _pnm),
        (rb"\0\0\0\x0cjP|\xff\x4f\xff\x51", _jpeg2000),
        (rb"....ftyp", _avif),
    )
)
"""The first bytes of every kind of image that linetune decodes, and the function that reads its size."""
