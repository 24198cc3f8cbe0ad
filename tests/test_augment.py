from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from linetune.augment import draws, make_batch
from linetune.augment.draws import Draws
from linetune.config.schema import STANDARD, Augment
from linetune.core import image
from linetune.core.image import Crop, half_turned

CPU = torch.device("cpu")
OPERATIONS = ["warp", "crop", "clip", "colours", "blur", "brightness", "noise", "invert", "half_turn"]
"""Operations that change one crop. ``join`` is another: it appends crops before a batch is made."""
EVERYTHING = Augment.model_validate(dict.fromkeys(OPERATIONS, 1))
OWN_WIDTHS = (20, 31, 50, 64)
WIDTH = 64


def crops() -> list[Crop]:
    """Draw crops of noise, brighter to the right and the bottom. No pixel is as grey as padding."""
    rng = np.random.default_rng(0)
    drawn = []
    for width in OWN_WIDTHS:
        slope = np.linspace(150, 200, width) + np.linspace(0, 30, 48)[:, None]
        noise = rng.integers(0, 20, (48, width, 3))
        drawn.append((slope[:, :, None] + noise).astype(np.uint8))
    return drawn


def batch(
    augment: Augment, height: int = 48, seed: int = 0, epoch: int = 0, order: tuple[int, ...] = (0, 1, 2, 3)
) -> torch.Tensor:
    drawn = crops()
    rows = Draws(draws.draw(seed, 1, epoch, order), CPU)
    return make([drawn[i] for i in order], WIDTH, rows, augment, height)


def make(
    crops: Sequence[Crop], width: int, rows: Draws | None, augment: Augment, height: int = 48
) -> torch.Tensor:
    columns = torch.zeros(len(crops), width, 48, 3, dtype=torch.uint8)
    for row, crop in zip(columns, crops, strict=True):
        row[: crop.shape[1]] = torch.from_numpy(crop.transpose(1, 0, 2).copy())
    return make_batch(columns, torch.tensor([crop.shape[1] for crop in crops]), rows, augment, height)


def packed() -> torch.Tensor:
    return torch.from_numpy(image.pack(crops(), WIDTH))


def only(operation: str, probability: float = 1) -> Augment:
    return Augment.model_validate({operation: probability})


def test_draws_depend_on_their_address_alone() -> None:
    rows = draws.draw(1, 2, 3, [5, 9, 4])
    np.random.seed(7)
    torch.manual_seed(7)
    assert np.array_equal(draws.draw(1, 2, 3, [9])[0], rows[1])
    assert np.array_equal(draws.draw(1, 2, 3, [4, 5])[::-1], rows[[0, 2]])
    assert rows.min() >= 0
    assert rows.max() < 1


def test_every_address_draws_something_else() -> None:
    seen = {
        draws.draw(seed, stage, epoch, [index]).tobytes()
        for seed, stage, epoch, index in product((-1, 0, 1, 2**40), (0, 1, 2), (0, 1, 2), (0, 1, 2))
    }
    assert len(seen) == 4 * 3 * 3 * 3


def test_no_crops_no_draws() -> None:
    assert draws.draw(0, 0, 0, []).shape == (0, draws.COUNT)


def test_gates_open_as_often_as_asked() -> None:
    rows = Draws(draws.draw(0, 0, 0, range(2000)), CPU)
    for operation in [*OPERATIONS, "join"]:
        assert not rows.of(operation, 0, 1)[0].any()
        assert rows.of(operation, 1, 1)[0].all()
        assert rows.of(operation, 0.3, 1)[0].float().mean() == pytest.approx(0.3, abs=0.05)


def test_the_same_address_gives_the_same_batch() -> None:
    first = batch(EVERYTHING)
    torch.manual_seed(3)
    np.random.seed(3)
    assert torch.equal(batch(EVERYTHING), first)
    assert not torch.equal(batch(EVERYTHING, seed=1), first)
    assert not torch.equal(batch(EVERYTHING, epoch=1), first)


def test_a_crop_gets_the_same_in_any_company() -> None:
    together = batch(EVERYTHING)
    order = (2, 0)
    assert torch.allclose(batch(EVERYTHING, order=order), together[list(order)], atol=1e-5)


@pytest.mark.parametrize("rows", [None, Draws(draws.draw(0, 0, 0, range(4)), CPU)])
def test_with_nothing_on_the_network_sees_the_deployment_input(rows: Draws | None) -> None:
    images = make(crops(), WIDTH, rows, Augment())
    assert torch.equal(images, packed())
    assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("operation", [*OPERATIONS, "join"])
def test_an_operation_that_is_not_drawn_changes_nothing(operation: str) -> None:
    assert torch.allclose(batch(only(operation, 1e-9)), packed(), atol=1e-4)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_that_is_drawn_changes_every_crop(operation: str) -> None:
    difference = (batch(only(operation)) - packed()).abs()
    assert (difference.amax((1, 2, 3)) > 1e-3).all()


@pytest.mark.parametrize("height", [32, 48, 64])
@pytest.mark.parametrize("operation", [*OPERATIONS, "join", "everything", "standard"])
def test_padding_stays_zero_and_values_stay_in_range(operation: str, height: int) -> None:
    named = {"everything": EVERYTHING, "standard": STANDARD}
    augment = named.get(operation) or only(operation)
    images = batch(augment.model_copy(update={"heights": [height]}), height)
    assert images.shape == (4, 3, height, round(WIDTH * height / 48))
    assert images.isfinite().all()
    assert -1 <= images.min() <= images.max() <= 1
    for crop, own in zip(images, OWN_WIDTHS, strict=True):
        end = math.ceil(own * height / 48)
        assert (crop[:, :, end:] == 0).all()
        assert (crop[:, :, :end] != 0).float().mean() > 0.9


@pytest.mark.parametrize("height", [32, 64])
def test_other_heights_show_the_same_line(height: int) -> None:
    images = batch(Augment.model_validate({"heights": [height]}), height)
    for changed, crop in zip(images, crops(), strict=True):
        own = math.ceil(crop.shape[1] * height / 48)
        small = torch.nn.functional.interpolate(
            torch.from_numpy(image.pack([crop], crop.shape[1])), (height, own), mode="bilinear"
        )[0]
        width = min(own, changed.shape[2])
        assert (changed[:, :, :width] - small[:, :, :width]).abs().mean() < 0.02


def test_a_half_turn_turns_each_crop_within_its_own_width() -> None:
    turned = [half_turned(crop) for crop in crops()]
    expected = torch.from_numpy(image.pack(turned, WIDTH))
    assert torch.allclose(batch(only("half_turn")), expected, atol=1e-3)


def test_padding_never_enters_a_crop() -> None:
    white = [np.full((48, width, 3), 255, np.uint8) for width in OWN_WIDTHS * 4]
    rows = Draws(draws.draw(0, 0, 0, range(len(white))), CPU)
    images = make(white, WIDTH, rows, Augment(warp=1, crop=1, clip=1, blur=1, half_turn=1))
    assert torch.allclose(images, torch.from_numpy(image.pack(white, WIDTH)), atol=1e-5)


def test_the_negative_is_exact_and_spares_the_padding() -> None:
    assert torch.allclose(batch(only("invert")), -packed(), atol=1e-4)


def test_blur_smooths_and_noise_roughens() -> None:
    def roughness(images: torch.Tensor) -> Any:
        return images[..., :20].diff(dim=3).abs().mean((1, 2, 3))

    assert (roughness(batch(only("blur"))) < roughness(packed())).all()
    assert (roughness(batch(only("noise"))) > roughness(packed())).all()


def test_a_crop_takes_at_most_8_px_off_one_side() -> None:
    ramp = np.tile(np.arange(48, dtype=np.uint8)[:, None, None] * 5, (1, 64, 3))
    rows = Draws(draws.draw(0, 0, 0, range(64)), CPU)
    images = make([ramp] * 64, 64, rows, only("crop"))
    seen = (images[:, 0, :, 0] + 1) * 127.5 / 5
    top, bottom = seen[:, 0], 47 - seen[:, -1]
    assert ((top < 0.1) | (bottom < 0.1)).all()
    assert (torch.maximum(top, bottom) <= 8.1).all()
    assert top.max() > 6
    assert bottom.max() > 6


def test_a_clip_takes_at_most_6_px_off_one_end_and_never_a_quarter_of_a_narrow_crop() -> None:
    rows = Draws(draws.draw(0, 0, 0, range(64)), CPU)
    for width, most in ((120, 6.1), (16, 4.1)):
        ramp = np.tile(np.arange(width, dtype=np.uint8)[None, :, None] * 2, (48, 1, 3))
        images = make([ramp] * 64, width, rows, only("clip"))
        seen = (images[:, 0, 24, :] + 1) * 127.5 / 2
        left, right = seen[:, 0], width - 1 - seen[:, -1]
        assert ((left < 0.1) | (right < 0.1)).all()
        assert (torch.maximum(left, right) <= most).all()
        assert left.max() > 0.7 * most
        assert right.max() > 0.7 * most


def test_warped_text_stays_in_the_crop() -> None:
    marked = np.full((48, 200, 3), 255, np.uint8)
    marked[16:32, 80:120] = 0
    rows = Draws(draws.draw(0, 0, 0, range(64)), CPU)
    images = make([marked] * 64, 256, rows, only("warp"))
    ink = (images[:, 0, :, :200] < 0).sum((1, 2))
    assert (ink > 0.5 * 16 * 40).all()
    assert (ink < 2 * 16 * 40).all()
