"""Find near-duplicates: the same picture in another format, size, brightness or orientation.

A difference hash finds candidates. For lines of text, the hash alone is not enough: nine in ten pairs of
photographed wire markers with equal hashes show different codes. Therefore we also compare thumbnails of the
candidates. Thumbnails show whether two crops are two photos of one code, or one photo stored twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core.image import half_turned

BITS = 5
"""Bits of 64 in which two hashes may differ. In 98 of 100 crops, JPEG at quality 70 changes fewer."""
SIMILAR = 0.985
"""Correlation of thumbnails from which they show one picture. Two photos of one code rarely reach 0.98."""
SHAPES = 1.1
"""Largest factor between the aspect ratios of two near-duplicates."""
_SIZE = (32, 16)
_BANDS = [(0, 10), *((10 + 9 * i, 9) for i in range(6))]
"""(first bit, number of bits). Five different bits leave at least two of the seven bands equal."""
_MAX_NEIGHBOURS = 200
"""Neighbours in a bucket to compare a crop with. It bounds the time for many similar hashes."""
_BLOCK = 4096
_POPULATION = np.array([bin(i).count("1") for i in range(2**16)], np.uint8)


class Likeness(NamedTuple):
    """The properties of a crop by which near-duplicates are found."""

    bits: int
    """Difference hash of the crop."""
    turned_bits: int
    """Difference hash of the crop rotated by 180 degrees."""
    thumbnail: NDArray[np.uint8]
    """The crop in 16 x 32 px, as one row of values."""


class Pair(NamedTuple):
    """The numbers of two near-duplicates, the lower number first."""

    first: int
    second: int
    similarity: float
    turned: bool
    """Whether one of the two crops is upside down."""


def likeness(grey: NDArray[np.uint8]) -> Likeness:
    """Return the likeness of a grey picture."""
    small = np.asarray(cv2.resize(grey, _SIZE, interpolation=cv2.INTER_AREA), np.uint8).ravel()
    return Likeness(_difference_hash(grey), _difference_hash(half_turned(grey)), small)


def _difference_hash(grey: NDArray[np.uint8]) -> int:
    """Return 64 bits: for each cell of an 8 x 8 grid, whether it is darker than its right neighbour."""
    cells = np.asarray(cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA))
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes(), "big")


def near_pairs(crops: Sequence[Likeness], shapes: Sequence[float]) -> list[Pair]:
    """Return all pairs of near-duplicates, the most similar first. One of the two may be upside down.

    Args:
        crops: the :class:`Likeness` of each crop, at least one. All crops need contrast.
        shapes: width divided by height of each crop.
    """
    count = len(crops)
    pairs: list[Pair] = []
    # The second half of each array has the crops rotated by 180 degrees.
    hashes = np.array([crop.bits for crop in crops] + [crop.turned_bits for crop in crops], np.uint64)
    thumbnails = np.stack([crop.thumbnail for crop in crops])
    thumbnails = np.concatenate((thumbnails, thumbnails[:, ::-1]))
    ratios = np.array([*shapes, *shapes])
    for first, second in _candidates(hashes):
        alike = np.abs(np.log(ratios[first] / ratios[second])) < np.log(SHAPES)
        first, second = np.minimum(first, second)[alike], np.maximum(first, second)[alike]
        # Two rotated crops are similar if the upright ones are, and a rotated and an upright crop meet twice.
        once = (first < count) & ((second < count) | (first < second - count))
        first, second = first[once], second[once]
        for start in range(0, len(first), _BLOCK):
            one, other = first[start : start + _BLOCK], second[start : start + _BLOCK]
            similarity = (_normal(thumbnails[one]) * _normal(thumbnails[other])).sum(1)
            similar = similarity >= SIMILAR
            pairs += [
                Pair(int(a), int(b) % count, float(s), bool(b >= count))
                for a, b, s in zip(one[similar], other[similar], similarity[similar], strict=True)
            ]
    return sorted(pairs, key=lambda pair: (-round(pair.similarity, 6), pair.first, pair.second, pair.turned))


def _normal(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return rows with mean 0 and norm 1. Their scalar product is the correlation."""
    centred = pictures - pictures.mean(1, keepdims=True, dtype=np.float32)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-6), np.float32)


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the pairs whose hashes differ in at most ``BITS`` bits, each once.

    Two such hashes share a bucket: the hashes with the same values in two of the bands.
    """
    bands = [(hashes >> np.uint64(at)) & np.uint64(2**bits - 1) for at, bits in _BANDS]
    for low, high in combinations(range(len(_BANDS)), 2):
        keys = bands[low] << np.uint64(10) | bands[high]
        order = np.lexsort((hashes, keys))
        keys = keys[order]
        places = np.arange(len(order))
        for reach in range(1, _MAX_NEIGHBOURS + 1):
            places = places[places + reach < len(order)]
            places = places[keys[places] == keys[places + reach]]
            if not len(places):
                break
            first, second = order[places], order[places + reach]
            close = _distance(hashes[first], hashes[second]) <= BITS
            # A pair may share several buckets. We count it only in the bucket of its lowest two equal bands.
            for band in range(high):
                if band != low:
                    close &= bands[band][first] != bands[band][second]
            if close.any():
                yield first[close], second[close]


def _distance(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the number of different bits."""
    return np.asarray(_POPULATION[(a ^ b).view(np.uint16).reshape(-1, 4)].sum(1, dtype=np.int64))
