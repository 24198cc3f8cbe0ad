from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.network import empty_folded

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
    network = empty_folded(PPOCRMobile(), 3).to("meta")
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


def lettering(ink: int, alpha: int = 0) -> Image.Image:
    """A bar of ink on a transparent ground."""
    pixels = np.zeros((20, 60, 4), np.uint8)
    pixels[..., 3] = alpha
    pixels[8:12, 10:50] = (ink, ink, ink, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("a.png", lettering(0)),
        ("grey.png", lettering(0).convert("LA")),
        ("palette.png", lettering(0).quantize(16)),
        ("a.webp", lettering(0)),
        ("a.tif", lettering(0)),
        ("grey.tif", lettering(0).convert("LA")),
        ("a.avif", lettering(0)),
    ],
)
def test_black_on_transparent_is_black_on_white(name: str, drawn: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / name
    drawn.save(path, lossless=True)
    crop = image.read(path)
    assert (crop[0, 0] == 255).all()
    assert (crop[10, 30] == 0).all()
    assert np.array_equal(image.to_crop(Image.open(path)), crop)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_white_on_transparent_is_white_on_black(suffix: str, tmp_path: Path) -> None:
    lettering(255).save(tmp_path / f"a{suffix}", lossless=True)
    crop = image.read(tmp_path / f"a{suffix}")
    assert (crop[0, 0] == 0).all()
    assert (crop[10, 30] == 255).all()


def test_alpha_that_is_zero_everywhere_hides_nothing(tmp_path: Path) -> None:
    grabbed = np.zeros((30, 90, 4), np.uint8)
    grabbed[..., :3] = np.random.default_rng(0).integers(0, 256, (30, 90, 3))
    assert np.array_equal(image.to_crop(grabbed), grabbed[..., :3])
    for name in ("a.png", "a.tif"):
        cv2.imwrite(str(tmp_path / name), grabbed)
        assert np.array_equal(image.read(tmp_path / name), grabbed[..., :3])


def test_an_opaque_image_with_an_alpha_channel_stays_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 60, 4), np.uint8)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(image.read(tmp_path / "a.png"), pixels[..., 2::-1])


def test_sixteen_bits_and_half_transparent_ink_are_composited(tmp_path: Path) -> None:
    pixels = np.zeros((20, 60, 4), np.uint16)
    pixels[..., 3] = 65535 // 2
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    assert (abs(image.read(tmp_path / "a.png").astype(int) - 128) <= 1).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_transparent_image_is_turned_upright_like_any_other(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    there, opaque = tmp_path / "a.png", tmp_path / "b.png"
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 60, 4), np.uint8)
    Image.fromarray(pixels).save(there, exif=exif)
    on_white = Image.new("RGBA", (60, 20), "white")
    on_white.alpha_composite(Image.fromarray(pixels))
    on_white.convert("RGB").save(opaque, exif=exif)
    crop, expected = image.read(there), image.read(opaque)
    assert crop.shape == expected.shape
    assert abs(crop.astype(int) - expected.astype(int)).max() <= 1
    assert abs(image.to_crop(Image.open(there)).astype(int) - upright(opaque)).max() <= 1


@pytest.mark.skipif(".avif" not in Image.registered_extensions(), reason="this Pillow writes no AVIF")
def test_an_avif_that_is_turned_by_its_metadata_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (60, 20), "white").save(tmp_path / "a.avif", exif=exif)
    assert image.read(tmp_path / "a.avif").shape == (60, 20, 3)


def upright(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    turned = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    return turned[..., ::-1].astype(np.int64)


def test_several_pages_in_one_file_are_refused_but_reduced_copies_are_not_pages(tmp_path: Path) -> None:
    page, other = Image.new("RGB", (90, 30), "white"), Image.new("RGB", (90, 30), "black")
    path = tmp_path / "a.tif"
    page.save(path, save_all=True, append_images=[other, page])
    with pytest.raises(LinetuneError, match=r"a\.tif: 3 pages, but a crop is one image; save each page"):
        image.read(path)
    small = other.resize((45, 15))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(path, save_all=True, append_images=[small])
    assert image.read(path).shape == (30, 90, 3)
    assert image.read(path).min() == 255


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull fetches the image"),
        (b"\n<!DOCTYPE html><html>", "a web page, not an image"),
        (b"%PDF-1.7\n", "a PDF, not an image"),
        (b"any words", "not an image that can be decoded"),
        (b"a.png\tA\n" * 999 + "\u7ebf\n".encode(), "a text file, not an image"),
    ],
)
def test_a_file_that_is_not_an_image_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(LinetuneError, match=message):
        image.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data:image/png;base64," + "A" * 9000, "a data URL, not a path; pass the bytes"),
        ("https://example.com/a.png", "a URL, not a path; fetch it"),
        ("iVBOR" * 2000, "10000 characters are too long for a path; pass bytes"),
    ],
)
def test_a_string_that_is_not_a_path_has_a_short_message(text: str, message: str) -> None:
    with pytest.raises(LinetuneError) as caught:
        image.to_crop(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200
