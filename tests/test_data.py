from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import Line, read_labels
from linetune.data.batching import bucket, plan_epoch
from linetune.data.dataset import load_dataset

DIGITS = Charset(tuple("0123456789"))
MakeCrops = Callable[[Path, Sequence[str]], Path]


@pytest.fixture
def lines(tmp_path: Path, make_crops: MakeCrops) -> list[Line]:
    return read_labels(make_crops(tmp_path, [f"{i}{i + 1}" for i in range(12)]))


def test_crops_and_labels_keep_the_order_of_the_file(lines: list[Line]) -> None:
    seen: list[int] = []
    dataset = load_dataset(lines, DIGITS, progress=seen.append)
    assert dataset.texts == [line.text for line in lines]
    assert [DIGITS.decode(label) for label in dataset.labels] == dataset.texts
    for line, crop in zip(lines, dataset.crops, strict=True):
        assert np.array_equal(crop, image.resize(image.read(line.image)))
    assert (len(dataset), dataset.skipped, seen) == (12, 0, list(range(1, 13)))


def test_every_reason_names_the_line_and_the_cause(lines: list[Line], tmp_path: Path) -> None:
    (tmp_path / "no image.png").write_text("text", encoding="utf-8")
    image.write(tmp_path / "long.png", np.zeros((10, 700, 3), np.uint8))
    bad = [
        replace(lines[0], image=tmp_path / "gone.png"),
        replace(lines[1], image=tmp_path / "no image.png"),
        replace(lines[2], image=tmp_path / "long.png"),
        replace(lines[3], text="1A 2"),
        replace(lines[4], text="12" * 21),
    ]
    with pytest.raises(LinetuneError) as caught:
        load_dataset([*bad, *lines[5:]], DIGITS)
    file = tmp_path / "labels.txt"
    assert str(caught.value).splitlines() == [
        f"{file}:1: image not found: {tmp_path / 'gone.png'}",
        f"{file}:2: not an image that can be decoded: {tmp_path / 'no image.png'}",
        f"{file}:3: 700 x 10 px is too long: over 3200 px at height 48: {tmp_path / 'long.png'}",
        f"{file}:4: 'A', U+0020 not in the charset: '1A 2'",
        f"{file}:5: '{'12' * 21}' needs 42 frames, the crop has 40",
        "5 of 12 lines cannot be used; correct them, or leave them out with --skip-bad",
    ]


def test_of_many_only_the_first_ten_are_listed(lines: list[Line]) -> None:
    bad = [replace(line, text="x") for line in lines[:11]]
    with pytest.raises(LinetuneError) as caught:
        load_dataset([lines[11], *bad], DIGITS)
    message = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in message[:10]] == [line.source for line in bad[:10]]
    assert message[10].startswith("11 of 12 lines cannot be used, the first 10 above; ")
    assert len(message) == 11


def test_skipped_lines_are_left_out_and_counted(lines: list[Line]) -> None:
    lines[3] = replace(lines[3], text="x")
    lines[7] = replace(lines[7], image=lines[7].image.with_name("gone.png"))
    dataset = load_dataset(lines, DIGITS, skip_bad=True)
    good = [line for line in lines if line not in (lines[3], lines[7])]
    assert dataset.lines == good
    assert len(dataset.crops) == len(dataset.labels) == len(dataset) == 10
    assert dataset.skipped == 2
    both = dataset + load_dataset(lines[:2], DIGITS)
    assert (both.texts, both.skipped) == ([line.text for line in good + lines[:2]], 2)


@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize("charset", [None, DIGITS])
def test_a_set_without_one_good_line_is_refused(
    skip_bad: bool, charset: Charset | None, lines: list[Line]
) -> None:
    bad = [replace(line, image=line.image.with_name("gone.png")) for line in lines]
    with pytest.raises(LinetuneError, match="12 of 12 lines cannot be used") as caught:
        load_dataset(bad, charset, skip_bad)
    assert ("--skip-bad" in str(caught.value)) is not skip_bad


def test_what_is_only_scored_may_hold_unknown_characters(lines: list[Line]) -> None:
    lines[0] = replace(lines[0], text="電 x")
    lines[1] = replace(lines[1], text="1" * 99)
    dataset = load_dataset(lines, None)
    assert dataset.texts == [line.text for line in lines]
    assert dataset.labels == [[]] * 12
    with pytest.raises(LinetuneError, match="image not found"):
        load_dataset([replace(lines[0], image=Path("gone.png")), *lines], None)


def test_equal_neighbours_need_more_frames(lines: list[Line]) -> None:
    # A crop as narrow as this one is run at 320 px: 40 frames.
    fits = [replace(lines[0], text="1" * 20), replace(lines[0], text="12" * 20)]
    assert len(load_dataset(fits, DIGITS)) == 2
    with pytest.raises(LinetuneError, match="needs 41 frames, the crop has 40"):
        load_dataset([replace(lines[0], text="1" * 21)], DIGITS)


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize(("count", "batch_size"), [(1, 32), (31, 4), (600, 4), (1000, 32), (5, 1)])
def test_an_epoch_holds_every_sample_once_in_batches_that_fit(
    count: int, batch_size: int, mixed: bool
) -> None:
    widths = bucket(np.random.default_rng(0).integers(1, 3201, count))
    plan = plan_epoch(widths, batch_size, np.random.default_rng(1), mixed)
    assert sorted(np.concatenate([batch.indices for batch in plan]).tolist()) == list(range(count))
    area = batch_size * image.MIN_WIDTH
    if mixed:  # only one batch is smaller than it might be
        room = [len(batch.indices) / max(1, area // max(image.MIN_WIDTH, batch.width)) for batch in plan]
        assert sum(filled < 1 for filled in room) <= 1
    for batch in plan:
        assert len(batch.indices) <= batch_size
        assert len(batch.indices) * batch.width <= area or len(batch.indices) == 1
        assert batch.width >= max(widths[i] for i in batch.indices)
        assert mixed or batch.width == min(widths[i] for i in batch.indices)


def test_short_lines_do_not_pay_for_long_ones() -> None:
    widths = bucket(np.array([60] * 325 + [1200] * 320))
    plan = plan_epoch(widths, 16, np.random.default_rng(0))
    assert sum(batch.width * len(batch.indices) for batch in plan) < 1.05 * sum(widths)


def test_a_batch_of_long_lines_is_no_larger_than_one_of_short_lines() -> None:
    frames = [40] * 64 + [160] * 64
    plan = plan_epoch(frames, 16, np.random.default_rng(0), mixed=False, unit=8)
    assert {(len(batch.indices), batch.width) for batch in plan} == {(16, 40), (4, 160)}


def test_the_plan_depends_on_its_generator_alone() -> None:
    def plan(seed: int) -> list[tuple[list[int], int]]:
        rng = np.random.default_rng(seed)
        return [(b.indices.tolist(), b.width) for b in plan_epoch(list(range(1, 200)), 8, rng)]

    first = plan(0)
    np.random.seed(5)
    assert plan(0) == first
    assert plan(1) != first
    assert [members for members, _ in first] != sorted(members for members, _ in first)


@pytest.mark.parametrize(
    ("width", "padded"), [(1, 64), (64, 64), (65, 96), (320, 320), (321, 384), (3200, 3200)]
)
def test_padded_widths(width: int, padded: int) -> None:
    assert bucket(width) == padded
