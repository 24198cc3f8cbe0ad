from __future__ import annotations

import numpy as np
import psutil
import pytest
import torch
from numpy.typing import NDArray

from linetune.data.packed import Packed

CPU = torch.device("cpu")


def arrays() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, 256, (length, 4, 3), np.uint8) for length in (5, 1, 8, 3)]


def test_arrays_come_back_as_they_went_in() -> None:
    packed = Packed.write(iter(arrays()), (4, 3), np.uint8)
    assert len(packed) == 4
    assert packed.lengths.tolist() == [5, 1, 8, 3]
    for index, array in enumerate(arrays()):
        assert np.array_equal(packed[index], array)
    assert np.array_equal(packed[-1], arrays()[3])
    with pytest.raises(IndexError):
        packed[4]


def test_a_copy_may_be_changed() -> None:
    packed = Packed.write(arrays(), (4, 3), np.uint8)
    packed[0][:] = 0
    assert np.array_equal(packed[0], arrays()[0])


def test_a_batch_joins_its_parts_and_is_padded_with_zeros() -> None:
    packed = Packed.write(arrays(), (4, 3), np.uint8)
    batch = packed.gather([(2,), (3, 0), (1,)], 10, CPU).numpy()
    given = arrays()
    assert batch.shape == (3, 10, 4, 3)
    assert np.array_equal(batch[0, :8], given[2])
    assert np.array_equal(batch[1, :8], np.concatenate((given[3], given[0])))
    assert np.array_equal(batch[2, :1], given[1])
    assert not batch[:2, 8:].any()
    assert not batch[2, 1:].any()


def test_a_hash_sees_every_number_and_every_length() -> None:
    def fed(arrays: list[NDArray[np.uint8]]) -> bytes:
        pieces: list[bytes] = []
        Packed.write(arrays, (4, 3), np.uint8).feed(lambda piece: pieces.append(bytes(piece)))
        return b"".join(pieces)

    changed = arrays()
    changed[2][7, 3, 2] ^= 1
    merged = [np.concatenate(arrays()[:2]), *arrays()[2:]]
    assert len({fed(arrays()), fed(changed), fed(merged)}) == 3
    assert fed(arrays()) == fed(arrays())


def test_what_was_read_does_not_stay_in_memory() -> None:
    count, row = 256, 2**10
    packed = Packed.write((np.full((2**10, row), i, np.uint8) for i in range(count)), (row,), np.uint8)
    process = psutil.Process()
    before = process.memory_info().rss
    for i in range(count):
        assert packed[i].max() == i
        assert packed.gather([(i,)], 2**10, CPU).max() == i
    assert process.memory_info().rss - before < count * 2**10 * row / 4


def test_selections_and_unions_are_the_arrays_they_name_and_copy_none() -> None:
    given = arrays()
    one, other = (Packed.write(part, (4, 3), np.uint8) for part in (given[:2], given[2:]))
    both = (one + other).select([3, 0, 2, 0])
    assert [array.tolist() for array in map(both.__getitem__, range(4))] == [
        given[i].tolist() for i in (3, 0, 2, 0)
    ]
    del one, other
    batch = both.gather([(0, 1), (2,), (3,)], 9, CPU).numpy()
    assert np.array_equal(batch[0, :8], np.concatenate((given[3], given[0])))
    assert np.array_equal(batch[1, :8], given[2])
    assert np.array_equal(batch[2, :5], given[0])
    assert not batch[2, 5:].any()


def test_the_hash_of_a_union_is_that_of_its_arrays() -> None:
    def fed(packed: Packed) -> bytes:
        pieces: list[bytes] = []
        packed.feed(lambda piece: pieces.append(bytes(piece)))
        return b"".join(pieces)

    whole = Packed.write(arrays(), (4, 3), np.uint8)
    one, other = (Packed.write(part, (4, 3), np.uint8) for part in (arrays()[:2], arrays()[2:]))
    assert fed(one + other) == fed(whole)
    assert fed(other + one) != fed(whole)
    assert fed((other + one).select([2, 3, 0, 1])) == fed(whole)
