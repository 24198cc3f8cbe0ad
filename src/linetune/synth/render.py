"""One text drawn, put on a surface and photographed: a crop as a text detector would cut it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from linetune.config import Synth
from linetune.errors import LinetuneError
from linetune.image import Crop
from linetune.synth import camera, fonts, scene
from linetune.synth.rule import Rule

VERSION = 1
"""Raised whenever the same settings would give other crops."""
CROPS_PER_PHOTO = 32
"""Crops in a row that share a photo, since decoding one takes longer than rendering them."""

Mask = NDArray[np.uint8]
Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders crop ``i``, which depends on the settings and ``i`` alone."""

    rule: Rule
    fonts: tuple[fonts.Font, ...]
    photos: tuple[Path, ...]
    half_turn: float
    seed: int

    @classmethod
    def of(cls, settings: Synth) -> Renderer:
        """The renderer of a configuration.

        Raises:
            LinetuneError: a rule that cannot be drawn from, fonts or photos that are not there,
                or a character that no font draws.
        """
        rule = Rule.of(settings)
        photos = scene.find_photos(settings.backgrounds) if settings.backgrounds else []
        found = fonts.find(settings.fonts, rule.alphabet)
        return cls(rule, tuple(found), tuple(photos), settings.half_turn, settings.seed)

    def __call__(self, index: int) -> tuple[Crop, str]:
        """Crop ``index`` and its text.

        Raises:
            LinetuneError: no font draws the whole text.
        """
        # Seeding with a text hashes it, so that neighbouring addresses share nothing.
        draw = random.Random(f"{self.seed}/{index}")
        text = self.rule.sample(draw)
        able = [font for font in self.fonts if font.draws(text)]
        if not able:
            place = f"rule {self.rule.pattern}"
            raise LinetuneError(f"no font draws all of {text!r}", place, "add one that does")
        font = draw.choice(able)
        shared = random.Random(f"{self.seed}/photo/{index // CROPS_PER_PHOTO}")
        photo = shared.choice(self.photos) if self.photos else None
        rng = np.random.default_rng(draw.getrandbits(64))
        turned = rng.random() < self.half_turn
        crop = _render(rng, text, font.path, photo)
        return (np.ascontiguousarray(crop[::-1, ::-1]) if turned else crop), text


def _render(rng: np.random.Generator, text: str, font: Path, photo: Path | None) -> Crop:
    height = math.exp(rng.uniform(math.log(19), math.log(58)))
    # Drawn a little larger than seen, in few sizes, so that opened fonts serve again.
    mask = _weigh(rng, _draw(rng, text, font, 8 * math.ceil(height * 0.25)))
    box = _corners(mask.shape[1], mask.shape[0])
    aspect = mask.shape[1] / mask.shape[0]
    shown = _pose(rng, _corners(aspect * height * math.exp(rng.uniform(-0.45, 0.4)), height))
    origin, (columns, rows) = _frame(rng, shown, height)
    shown -= origin
    surface = scene.paper(rng, rows, columns, photo)
    colour = scene.ink(rng, surface)
    if rng.random() < 0.3:
        _lay_edge(rng, surface, shown, height)
    onto = cv2.getPerspectiveTransform(box, shown)
    alpha = cv2.warpPerspective(mask, onto, (columns, rows), flags=cv2.INTER_LINEAR)
    cover = alpha[:, :, None] / np.float32(255)
    return camera.photograph(rng, surface + (colour - surface) * cover, height)


def _draw(rng: np.random.Generator, text: str, font: Path, size: int) -> Mask:
    """Ink of a text in grey levels, cut to its box."""
    face = fonts.face(font, size)
    spread = rng.uniform(0.15, 0.6) if rng.random() < 0.2 else rng.uniform(-0.02, 0.12)
    starts, x = [], float(size)
    for character in text:
        starts.append(round(x))
        x += face.getlength(character) + spread * size
    canvas = Image.new("L", (math.ceil(x) + size, 3 * size))
    pen = ImageDraw.Draw(canvas)
    for character, start in zip(text, starts, strict=True):
        pen.text((start, 2 * size), character, 255, face, anchor="ls")
    ink = np.asarray(canvas)
    rows = np.flatnonzero(ink.any(1))
    columns = np.flatnonzero(ink.any(0))
    # A lone dash keeps the height of a line.
    top, bottom = min(rows[0], int(1.4 * size)), max(rows[-1] + 1, 2 * size)
    return ink[top:bottom, columns[0] : columns[-1] + 1]


def _weigh(rng: np.random.Generator, mask: Mask) -> Mask:
    """Strokes made heavier or lighter by up to a twelfth of the height, never so that they vanish."""
    change = round(mask.shape[0] * rng.uniform(-0.05, 0.08))
    if change == 0:
        return mask
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(change) + 1, abs(change) + 1))
    if change > 0:
        # The box grows with the strokes.
        return np.asarray(cv2.dilate(np.pad(mask, change // 2 + 1), brush), np.uint8)
    lighter = np.asarray(cv2.erode(mask, brush, borderValue=0), np.uint8)
    return lighter if lighter.sum() > 0.55 * mask.sum() else mask


def _corners(width: float, height: float) -> Points:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def _pose(rng: np.random.Generator, corners: Points) -> Points:
    """Corners after slant, rotation and perspective, all slight."""
    height = corners[2, 1]
    slant = np.clip(rng.normal(0, 0.12), -0.35, 0.35) if rng.random() < 0.5 else 0.0
    angle = math.radians(np.clip(rng.normal(0, 2), -7, 7))
    slanted = corners + np.outer(height / 2 - corners[:, 1], [slant, 0])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray(slanted @ turn + rng.uniform(-0.05, 0.05, (4, 2)) * height, np.float32)


def _frame(rng: np.random.Generator, corners: Points, height: float) -> tuple[Points, tuple[int, int]]:
    """Top left corner and size of the crop: a slight margin, sometimes a slight cut."""
    margins = rng.uniform(0.03, 0.22, 4) * height
    if rng.random() < 0.15:
        side = int(rng.integers(4))
        # Less is lost at the ends, where a narrow character stands.
        margins[side] = -height * rng.uniform(0, 0.04 if side % 2 == 0 else 0.12)
    start = np.asarray(corners.min(0) - margins[:2], np.float32)
    size = np.ceil(corners.max(0) + margins[2:] - start)
    return start, (max(8, int(size[0])), max(8, int(size[1])))


def _lay_edge(rng: np.random.Generator, surface: scene.Paper, corners: Points, height: float) -> None:
    """The marker's edge above or below the text, and what lies behind it."""
    far = 3 * height
    left, right, way = (corners[0], corners[1], -1) if rng.random() < 0.5 else (corners[3], corners[2], 1)
    gap = way * height * rng.uniform(0.06, 0.15, 2)
    along = (right - left) / max(1.0, float(right[0] - left[0])) * far
    edge = np.array([left - along, right + along]) + np.outer(gap, [0, 1])
    behind = np.vstack([edge, edge[::-1] + np.array([0, way * far])])
    level = float(rng.uniform(10, 120))
    cv2.fillPoly(surface, [behind.round().astype(np.int32)], (level, level, level))
