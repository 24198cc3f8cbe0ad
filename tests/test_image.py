from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from linetune import image
from linetune.errors import LinetuneError
from linetune.models.network import Architecture, empty_folded

RED = (0, 0, 255)
"""BGR."""


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (48, 100, 100),
        (40, 100, 120),
        (47, 100, 103),
        (24, 161, 322),
        (96, 1, 1),
        (500, 1, 1),
        (20, 600, 1440),
        (47, 400, 408),
        (47, 300, 307),
    ],
)
def test_a_line_keeps_its_own_width_at_height_48(height: int, width: int, expected: int) -> None:
    # PaddleX and RapidOCR round up as far as 320 px and down beyond.
    exact = 48 * width / height
    assert image.line_width(height, width) == expected == (math.ceil(exact) if exact <= 320 else int(exact))
    crop = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    resized = image.resize(crop)
    assert resized.shape == (48, expected, 3)
    assert np.array_equal(resized, cv2.resize(crop, (expected, 48), interpolation=cv2.INTER_LINEAR))


def test_short_lines_are_padded_to_320_and_long_ones_are_not() -> None:
    assert [image.input_width(w) for w in (1, 319, 320, 321, 1440)] == [320, 320, 320, 321, 1440]


def test_the_network_input_is_what_deployment_computes() -> None:
    crop = np.zeros((48, 100, 3), np.uint8)
    crop[:, :] = (0, 51, 255)
    other = np.full((48, 320, 3), 255, np.uint8)
    batch = image.pack([crop, other], 320)
    assert batch.shape == (2, 3, 48, 320)
    assert batch.dtype == np.float32
    blue, green, red = batch[0, :, :, :100]
    assert np.all(blue == -1)
    assert np.allclose(green, -0.6)
    assert np.all(red == 1)
    assert np.all(batch[0, :, :, 100:] == 0)
    assert np.all(batch[1] == 1)


def test_frames_are_those_of_the_network() -> None:
    network = empty_folded(Architecture(), 3).to("meta")
    for width in (*range(32, 41), 320, 321, 1441):
        # On the meta device only shapes are computed.
        logits = network(torch.empty(1, 3, 48, width, device="meta"))
        assert logits.shape == (1, image.frames(width), 3), width


def test_equal_neighbours_need_a_frame_between_them() -> None:
    assert [image.frames_needed(label) for label in ([], [1], [1, 2, 1], [1, 1], [1, 1, 1, 2])] == [
        0,
        1,
        3,
        3,
        6,
    ]


@pytest.mark.parametrize("name", ["a.png", "with space/a b.png", "größe/電.bmp", "noise.ext.PNG"])
def test_written_images_are_read_back(name: str, tmp_path: Path) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    image.write(path, crop)
    assert np.array_equal(image.read(path), crop)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["sheet", "sheet.docx"])
def test_an_unknown_image_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match="cannot encode an image"):
        image.write(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    whole = cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8))[
        1
    ].tobytes()
    contents = {"text.png": b"no image", "cut.png": whole[: len(whole) // 2], "zeros.jpg": bytes(100)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LinetuneError, match=f"{name}: not an image that can be decoded"):
            image.read(tmp_path / name)
    (tmp_path / "empty.png").touch()
    with pytest.raises(LinetuneError, match=r"empty\.png: image file is empty"):
        image.read(tmp_path / "empty.png")
    with pytest.raises(LinetuneError, match=r"none\.png: image not found"):
        image.read(tmp_path / "none.png")
    with pytest.raises(LinetuneError, match="image cannot be read"):
        image.read(tmp_path)


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, 0), (3, 2), (6, -1), (8, 1)],
    ids=["upright", "upside down", "needs a turn right", "needs a turn left"],
)
def test_photos_are_turned_upright(orientation: int, turned: int, tmp_path: Path) -> None:
    stored = np.full((48, 96, 3), 255, np.uint8)
    stored[:, :48] = RED
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Image.fromarray(stored[..., ::-1].copy()).save(path, exif=exif, quality=95, subsampling=0)
    crop = image.read(path)
    upright = np.rot90(stored, turned)
    assert crop.shape == upright.shape
    assert np.abs(crop.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_every_kind_of_png_becomes_bgr(mode: str, tmp_path: Path) -> None:
    colour = Image.fromarray(np.tile(np.array([[[255, 0, 0], [255, 255, 255]]], np.uint8), (8, 6, 1)))
    path = tmp_path / "crop.png"
    colour.convert(mode, dither=Image.Dither.NONE).save(path)
    crop = image.read(path)
    assert crop.shape == (8, 12, 3)
    assert crop.dtype == np.uint8
    red = {"RGBA": RED, "P": RED, "1": (0, 0, 0)}.get(mode, (76, 76, 76))
    assert crop[0, 0].tolist() == list(red)
    assert crop[0, 1].tolist() == [255, 255, 255]


def test_16_bits_become_8(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    deep = np.array([[0, 32768, 65535]], np.uint16).repeat(4, 0)
    path.write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    assert image.read(path)[0, :, 0].tolist() == [0, 128, 255]
