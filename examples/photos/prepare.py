"""Photos for the tutorial: sheets of meter readings by hand, with the files of a PPOCRLabel project.

    python examples/photos/prepare.py FOLDER [--photos 60]

The handwriting is real: the 1,797 digits of scikit-learn were scanned from forms (UCI, Optical Recognition of
Handwritten Digits, 8 x 8 px). Each digit occurs once, so no photo shows a digit of another one. Sheet, desk,
perspective and light are drawn. As in most projects, two labels are wrong, one box is marked as difficult,
and one has no text yet.
"""

from __future__ import annotations

import argparse
import json
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits

from linetune.core import image
from linetune.core.image import Crop
from linetune.synth.camera import photograph
from linetune.synth.looks import Look
from linetune.synth.scene import make_surface

SIZE = 720, 960
"""Height and width of a photo, px."""
MARGIN = 40
"""Left and right margin of the sheet, px."""
ROW = 84
"""Height of a row on the sheet, px."""
METERS = (
    "Cold water, kitchen",
    "Cold water, bath",
    "Hot water",
    "Electricity, day",
    "Electricity, night",
    "Gas",
)
WRONG, DIFFICULT, UNLABELLED = (1, 8), 4, 6
"""Numbers of the photos with a wrong label, a difficult box, and a box without a text."""
NO_TEXT = "待识别"
"""What PPOCRLabel writes into a box that nobody has labelled."""

Picture = NDArray[np.float32]
"""BGR from 0 to 255, shape (height, width, 3)."""
Corners = NDArray[np.float32]
"""Corners (x, y) in px, from the top left clockwise, shape (4, 2)."""


def font(size: int, style: str = "Regular") -> ImageFont.FreeTypeFont:
    """Return Roboto at a size in px."""
    with resources.as_file(resources.files("font_roboto") / "files" / f"Roboto-{style}.ttf") as path:
        return ImageFont.truetype(path, size)


def print_sheet(number: int, meters: list[str]) -> Picture:
    """Return a printed sheet with an empty frame for each meter."""
    sheet = Image.new("RGB", (640, 130 + ROW * len(meters)), (246, 244, 238))
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 32), "Meter readings", (40, 40, 40), font(36, "Bold"))
    draw.text((440, 46), f"Flat {number + 101}", (40, 40, 40), font(24))
    for row, meter in enumerate(meters):
        top = 110 + ROW * row
        draw.text((MARGIN, top + 22), meter, (60, 60, 60), font(22))
        draw.rectangle((260, top, 640 - MARGIN, top + ROW - 16), outline=(120, 140, 150), width=2)
    return np.asarray(sheet, np.float32)[:, :, ::-1].copy()


def write_by_hand(
    rng: np.random.Generator, sheet: Picture, row: int, digits: NDArray[np.float64], pen: NDArray[np.float64]
) -> Corners:
    """Write digits of shape (n, 8, 8) with ink 0 to 16 into a frame of the sheet. Return their box."""
    height = int(rng.integers(36, 46))
    top, left = 110 + ROW * row + 12, 270 + int(rng.integers(0, 20))
    x = left
    for digit in digits:
        columns = np.flatnonzero(digit.any(0))
        ink = digit[:, columns[0] : columns[-1] + 1].astype(np.float32) / 16
        width = round(height * ink.shape[1] / 8)
        y = top + int(rng.integers(-2, 3))
        cover = cv2.resize(ink, (width, height), interpolation=cv2.INTER_CUBIC)[:, :, None].clip(0, 1)
        part = sheet[y : y + height, x : x + width]
        part += cover * (pen.astype(np.float32) - part)
        x += width + int(rng.integers(1, 6))
    # A person draws a box by eye.
    space = rng.uniform(2, 7, 4)
    (x0, y0), (x1, y1) = (left - space[0], top - space[1]), (x + space[2], top + height + space[3])
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def take_photo(rng: np.random.Generator, sheet: Picture) -> tuple[Crop, NDArray[np.float64]]:
    """Return a photo of the sheet on a desk, and the 3 x 3 matrix from places on the sheet to the photo."""
    (height, width), (tall, wide) = SIZE, sheet.shape[:2]
    desk = rng.uniform(0.5, 1.1) * np.array([100, 130, 165]) + rng.normal(0, 10, 3)
    look = Look(
        height=height,
        top=0,
        bottom=0,
        side=0,
        paper=(desk[0], desk[1], desk[2]),
        ink=(0, 0, 0),
        shading=rng.uniform(5, 14),
        blur=rng.uniform(0.5, 1.4) / height,
        noise=rng.uniform(2, 6),
        slant=0,
        stroke=0.1,
        glyph=0.6,
        pitch=0.8,
    )
    scene = make_surface(rng, SIZE, look, "metal", None, False)
    scale = min(0.86 * height / tall, 0.86 * width / wide)
    corners = np.array([[-wide, -tall], [wide, -tall], [wide, tall], [-wide, tall]]) / 2 * scale
    angle = rng.normal(0, 0.05)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    placed = corners @ turn + (width / 2, height / 2) + rng.uniform(-28, 28, (4, 2))
    flat = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32)
    to_photo = np.asarray(cv2.getPerspectiveTransform(flat, placed.astype(np.float32)), np.float64)
    cover = cv2.warpPerspective(np.ones((tall, wide), np.float32), to_photo, (width, height))[:, :, None]
    scene = scene * (1 - cover) + cv2.warpPerspective(sheet, to_photo, (width, height))
    return photograph(rng, np.asarray(scene, np.float32), look), to_photo


def main(folder: Path, photos: int) -> None:
    """Write the photos, and Label.txt and fileState.txt as PPOCRLabel does."""
    rng = np.random.default_rng(0)
    data = load_digits()
    supply = iter(rng.permutation(len(data.images)))
    folder.mkdir(parents=True, exist_ok=True)
    rows, states, boxes = [], [], 0
    for number in range(photos):
        meters = [METERS[at] for at in sorted(rng.permutation(len(METERS))[: rng.integers(4, 7)])]
        sheet, pen = print_sheet(number, meters), rng.uniform((60, 20, 10), (150, 70, 60))
        written = []
        for row in range(len(meters)):
            chosen = [next(supply) for _ in range(rng.integers(4, 8))]
            box = write_by_hand(rng, sheet, row, data.images[chosen], pen)
            written.append((box, "".join(map(str, data.target[chosen]))))
        photo, to_photo = take_photo(rng, sheet)
        name = f"flat_{number + 101}.jpg"
        image.write(folder / name, photo)
        found = []
        for box, text in written:
            points = cv2.perspectiveTransform(box[None], to_photo)[0].round().astype(int).tolist()
            found.append({"transcription": text, "points": points, "difficult": False})
        spoil(number, found)
        boxes += len(found)
        rows.append(f"{folder.name}/{name}\t{json.dumps(found, ensure_ascii=False)}\n")
        states.append(f"{(folder / name).resolve()}\t1\n")
    (folder / "Label.txt").write_text("".join(rows), encoding="utf-8")
    (folder / "fileState.txt").write_text("".join(states), encoding="utf-8")
    print(f"{photos} photos with {boxes} boxes in {folder}")


def spoil(number: int, boxes: list[dict[str, object]]) -> None:
    """Make what a labeller leaves in some photos: swapped digits, a difficult box, a box without a text."""
    last = boxes[-1]
    text = str(last["transcription"])
    if number in WRONG:
        last["transcription"] = text[:-2] + text[-1] + text[-2]
    elif number == DIFFICULT:
        last["difficult"] = True
    elif number == UNLABELLED:
        last["transcription"] = NO_TEXT


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--photos", type=int, default=60)
    asked = arguments.parse_args()
    main(asked.folder, asked.photos)
