"""Images that are nearly equal: the same picture stored, scaled, brightened or turned another way.

A difference hash finds candidates. Alone it would not do for lines of text: of photographs of wire markers
whose hashes are equal, nine pairs in ten show different codes. So small pictures of the candidates are
compared as well, and tell two photos of one code from one photo stored twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

BITS = 5
"""Bits of 64 in which the hashes of one picture may differ: JPEG at quality 70 stays below in 98 of 100."""
SIMILAR = 0.985
"""Correlation of small pictures above which they are one: between two photos of one code rarely 0.98."""
SHAPES = 1.1
"""Factor within which the ratios of width to height must lie."""
_SIZE = (32, 16)
_BANDS = [(0, 10), *((10 + 9 * i, 9) for i in range(6))]
"""(first bit, bits): of seven bands, five differing bits leave at least two alike."""
_REACH = 200
"""Neighbours in a bucket that a crop is compared with: a crowd of like hashes must not take all day."""
_BLOCK = 4096
_POPULATION = np.array([bin(i).count("1") for i in range(2**16)], np.uint8)


class Pair(NamedTuple):
    """Two crops that are nearly equal, by number, the first the lower one."""

    first: int
    second: int
    similarity: float
    turned: bool
    """Whether one of them has to be turned by half."""


def difference_hash(grey: NDArray[np.uint8]) -> int:
    """64 bits: whether each cell of a grid of 8 x 8 is darker than its right neighbour."""
    cells = np.asarray(cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA))
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes(), "big")


def thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The small picture that is compared."""
    return np.asarray(cv2.resize(grey, _SIZE, interpolation=cv2.INTER_AREA), np.uint8).ravel()


def near_pairs(
    hashes: NDArray[np.uint64],
    turned: NDArray[np.uint64],
    thumbnails: NDArray[np.uint8],
    shapes: NDArray[np.float64],
) -> list[Pair]:
    """All pairs that are nearly equal, as they are or one of them turned by half, the most alike first.

    Args:
        hashes: of :func:`difference_hash`.
        turned: the same, of the pictures turned by half.
        thumbnails: of :func:`thumbnail`, one a row; none without contrast.
        shapes: ratios of width to height.
    """
    count, found = len(hashes), []
    hashes, shapes = np.concatenate((hashes, turned)), np.concatenate((shapes, shapes))
    thumbnails = np.concatenate((thumbnails, thumbnails[:, ::-1]))
    for first, second in _candidates(hashes):
        alike = np.abs(np.log(shapes[first] / shapes[second])) < np.log(SHAPES)
        first, second = np.minimum(first, second)[alike], np.maximum(first, second)[alike]
        # Two turned ones are alike where the upright ones are, and one turned with one upright meets twice.
        once = (first < count) & ((second < count) | (first < second - count))
        first, second = first[once], second[once]
        for start in range(0, len(first), _BLOCK):
            one, other = first[start : start + _BLOCK], second[start : start + _BLOCK]
            similarity = (_normal(thumbnails[one]) * _normal(thumbnails[other])).sum(1)
            near = similarity >= SIMILAR
            found += [
                Pair(int(a), int(b) % count, float(s), bool(b >= count))
                for a, b, s in zip(one[near], other[near], similarity[near], strict=True)
            ]
    return sorted(found, key=lambda pair: (-round(pair.similarity, 6), pair.first, pair.second, pair.turned))


def _normal(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    centred = pictures - pictures.mean(1, keepdims=True, dtype=np.float32)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-6), np.float32)


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs whose hashes differ in a few bits, each once: those in a bucket of two bands that are alike."""
    bands = [(hashes >> np.uint64(at)) & np.uint64(2**bits - 1) for at, bits in _BANDS]
    for low, high in combinations(range(len(_BANDS)), 2):
        keys = bands[low] << np.uint64(10) | bands[high]
        order = np.lexsort((hashes, keys))
        keys = keys[order]
        places = np.arange(len(order))
        for reach in range(1, _REACH + 1):
            places = places[places + reach < len(order)]
            places = places[keys[places] == keys[places + reach]]
            if not len(places):
                break
            first, second = order[places], order[places + reach]
            close = _distance(hashes[first], hashes[second]) <= BITS
            # A pair meets in every bucket of two bands it shares; only the lowest two count.
            for band in range(high):
                if band != low:
                    close &= bands[band][first] != bands[band][second]
            if close.any():
                yield first[close], second[close]


def _distance(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.asarray(_POPULATION[(a ^ b).view(np.uint16).reshape(-1, 4)].sum(1, dtype=np.int64))
