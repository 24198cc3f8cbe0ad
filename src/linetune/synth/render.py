"""Renders a crop: a text on a surface, photographed, and cut as a text detector cuts it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.config.synth import Material, Style, Synth
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop, half_turned
from linetune.rules.rule import Rule
from linetune.synth import camera, fonts, lettering, scene
from linetune.synth.fonts import Font
from linetune.synth.looks import Look, random_look, vary_look
from linetune.synth.measure import measure_files

VERSION = 4
"""Version of the renderer. It rises when the same settings give other crops."""
CROPS_PER_PHOTO = 32
"""Number of consecutive crops that share a photo. Decoding one takes longer than rendering them."""
_MIN_MARGIN = 0.01
"""Smallest margin, as a share of the crop's height. With less, the text was cut."""
_MAX_CUT = 0.25
"""Largest cut on one side, as a share of the crop's height."""

Points = NDArray[np.float32]
"""Coordinates (x, y) in px, shape (n, 2)."""


class _Drawn(NamedTuple):
    """Everything that is drawn at random about a crop before it is rendered."""

    draw: random.Random
    rng: np.random.Generator
    text: str
    """The label."""
    shown: str
    """The text as it is drawn: the label, or the label in small letters."""
    font: Font
    style: Style
    look: Look


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders crops by their index. A crop depends only on the settings and its index."""

    settings: Synth
    rule: Rule
    fonts: Sequence[Font]
    photos: Sequence[Path]
    looks: Sequence[Look]
    """Looks of real crops. Without any, looks are drawn at random."""

    @classmethod
    def of(cls, settings: Synth) -> Renderer:
        """Return the renderer of a configuration.

        Raises:
            LinetuneError: no text can be drawn from the rule, a font, photo or label file is missing, or
                no font draws one of the characters.
        """
        rule = Rule.of(settings)
        small = {c.lower() for c in rule.alphabet if len(c.lower()) == 1 and settings.small_letters}
        return cls(
            settings,
            rule,
            fonts.load(settings.fonts, sorted({*rule.alphabet} | small)),
            scene.find_photos(settings.backgrounds),
            measure_files(settings.looks) if settings.looks else (),
        )

    def text(self, index: int) -> str:
        """Return the text of crop ``index`` without drawing it."""
        return self.rule.sample(self._random(index))

    def __call__(self, index: int) -> tuple[Crop, str]:
        """Return crop ``index`` and its text.

        Raises:
            LinetuneError: no font draws the whole text.
        """
        drawn = self._draw(index)
        photo = None
        if self.photos and drawn.rng.random() < 0.6:
            group = f"{self.settings.seed}/photo/{index // CROPS_PER_PHOTO}"
            photo = random.Random(group).choice(self.photos)
        material = drawn.draw.choice(self.settings.material)
        upside_down = drawn.rng.random() < self.settings.half_turn
        crop = _render(drawn, material, photo, recolour=bool(self.looks))
        return (half_turned(crop) if upside_down else crop), drawn.text

    def undegraded(self, index: int) -> tuple[Crop, str]:
        """Return the text of crop ``index`` as it is drawn, black on white: upright, complete and sharp."""
        drawn = self._draw(index)
        mask = lettering.draw(drawn.rng, drawn.shown, drawn.font, drawn.look, drawn.style, 40)
        page = 255 - np.pad(mask, 8)
        return np.ascontiguousarray(np.repeat(page[:, :, None], 3, 2)), drawn.text

    def _random(self, index: int) -> random.Random:
        # Python hashes a seed that is a text. Neighbouring indices therefore have nothing in common.
        return random.Random(f"{self.settings.seed}/{index}")

    def _draw(self, index: int) -> _Drawn:
        draw = self._random(index)
        text = shown = self.rule.sample(draw)
        if self.settings.small_letters and draw.random() < self.settings.small_letters:
            shown = draw.choice((str.lower, str.title))(text)
        complete = [font for font in self.fonts if font.draws(shown)]
        if not complete:
            raise LinetuneError(
                f"no font draws all of {shown!r}",
                f"rule {self.rule.pattern}",
                "add a font that draws it",
            )
        font, style = draw.choice(complete), draw.choice(self.settings.style)
        rng = np.random.default_rng(draw.getrandbits(64))
        look = vary_look(rng, self.looks) if self.looks else random_look(rng)
        return _Drawn(draw, rng, text, shown, font, style, look)


def _render(drawn: _Drawn, material: Material, photo: Path | None, recolour: bool) -> Crop:
    """Render a crop.

    Args:
        drawn: text, font, style and look.
        material: the texture of the surface, if there is no photo.
        photo: the photo to cut the surface from.
        recolour: whether a photo's surface gets the colour of the look.
    """
    rng, look = drawn.rng, drawn.look
    height = max(8.0, look.height * (1 - look.top - look.bottom))
    mask = lettering.draw(rng, drawn.shown, drawn.font, look, drawn.style, height)
    aspect = mask.shape[1] / mask.shape[0]
    corners = _pose(rng, _corners(aspect * height, height), look.slant - drawn.font.slant)
    origin, (columns, rows) = _frame(drawn, mask, corners, height)
    corners -= origin
    surface = scene.make_surface(rng, (rows, columns), look, material, photo, recolour)
    colour = scene.ink_colour(look, surface)
    if rng.random() < 0.2:
        scene.draw_label_edge(rng, surface, corners, height)
    cover = _place(rng, mask, corners, columns, rows)
    if drawn.style in {"engraved", "peened"}:
        picture = scene.draw_relief(rng, surface, cover)
    else:
        picture = surface + (colour - surface) * (cover[:, :, None] / np.float32(255))
    return camera.photograph(rng, picture, look)


def _corners(width: float, height: float) -> Points:
    """Return the corners of a rectangle at (0, 0), from the top left clockwise."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def _pose(rng: np.random.Generator, corners: Points, slant: float) -> Points:
    """Move the corners of a text by its slant, a slight rotation and a slight perspective."""
    height = corners[2, 1]
    angle = math.radians(np.clip(rng.normal(0, 2), -7, 7))
    slanted = corners + np.outer(height / 2 - corners[:, 1], [slant, 0])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray(slanted @ turn + rng.uniform(-0.06, 0.06, (4, 2)) * height, np.float32)


def _frame(
    drawn: _Drawn, mask: lettering.Mask, corners: Points, height: float
) -> tuple[Points, tuple[int, int]]:
    """Choose the part of the scene that becomes the crop.

    A side has the margin of the look. If the look has none there, a piece of the text may be cut off.

    Args:
        drawn: the text and its look.
        mask: the text's ink.
        corners: where the text's corners are shown, px.
        height: height of the text, px.

    Returns:
        The top left corner in px, and the number of columns and rows.
    """
    rng, look = drawn.rng, drawn.look
    # Left and right get unequal parts of the two margins, since a look only has their mean.
    left_part = rng.uniform(0, 2)
    shares = look.side * left_part, look.top, look.side * (2 - left_part), look.bottom
    cuts: tuple[float, ...] = (0.0,) * 4
    # Shaped letters touch, and marks at the edge distinguish letters: cutting them is not safe.
    if min(shares) <= _MIN_MARGIN and not lettering.needs_shaping(drawn.shown):
        cuts = tuple(cut * height / mask.shape[0] for cut in lettering.max_cuts(mask))
    # Text detectors mostly cut little: the square makes small cuts more frequent.
    left, top, right, bottom = (
        share * look.height if share > _MIN_MARGIN else -min(cut, _MAX_CUT * look.height) * rng.random() ** 2
        for share, cut in zip(shares, cuts, strict=True)
    )
    # A look's margins start where most of a rotated line is, not at its outermost corner.
    y = corners[:, 1]
    upper, lower = float((y[:2].mean() + y.min()) / 2), float((y[2:].mean() + y.max()) / 2)
    start = np.array([corners[:, 0].min() - left, upper - top], np.float32)
    end = np.array([corners[:, 0].max() + right, lower + bottom])
    size = np.ceil(end - start)
    return start, (max(8, int(size[0])), max(8, int(size[1])))


def _place(
    rng: np.random.Generator, mask: lettering.Mask, corners: Points, columns: int, rows: int
) -> NDArray[np.float32]:
    """Warp a mask to its corners in the crop, sometimes on a bent surface.

    Returns:
        The ink from 0 to 255, shape (rows, columns).
    """
    height, width = mask.shape
    to_crop = cv2.getPerspectiveTransform(_corners(width, height), corners)
    if rng.random() < 0.6:
        flat = cv2.warpPerspective(mask, to_crop, (columns, rows), flags=cv2.INTER_LINEAR)
        return np.asarray(flat, np.float32)
    to_mask = np.linalg.inv(to_crop).astype(np.float32)
    u = np.arange(columns, dtype=np.float32)[None, :]
    v = np.arange(rows, dtype=np.float32)[:, None]
    x, y, w = (row[0] * u + row[1] * v + row[2] for row in to_mask)
    x, y = x / w, y / w
    # Places on the text, from -1 to 1.
    across, down = x * (2 / width) - 1, y * (2 / height) - 1
    # The baseline becomes a bow of up to a seventh of the height.
    y = y + np.float32(rng.uniform(-0.14, 0.14) * height) * (across * across - np.float32(0.4))
    # Sometimes the line is wrapped around a rod parallel to it.
    wrap = np.float32(max(0.0, rng.uniform(-0.15, 0.15)) * height)
    y = y + wrap * down * down * down
    bent = cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(bent, np.float32)
