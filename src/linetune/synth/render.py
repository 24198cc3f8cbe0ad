"""Rendering one crop: a text is drawn, put on a surface, photographed, and cut as a text detector would cut
it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.config.schema import Material, Style, Synth
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop, half_turned
from linetune.rules.rule import Rule
from linetune.synth import camera, lettering, looks, scene, variation
from linetune.synth import fonts as typefaces
from linetune.synth.fonts import Font
from linetune.synth.looks import Look

VERSION = 4
"""Raise it when a change gives other crops for the same settings."""
_NONE = 0.01
"""Largest margin of a crop whose text is cut, relative to the height of the crop."""
_CUT = 0.25
"""Largest cut on one side of a crop, relative to its height."""
CROPS_PER_PHOTO = 32
"""Crops in a row that share a photo, because decoding it takes longer than rendering them."""

Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders crop ``i``, which depends only on the settings and ``i``."""

    rule: Rule
    fonts: tuple[Font, ...]
    photos: tuple[Path, ...]
    looks: tuple[Look, ...]
    """Looks of real crops. Without them, looks are imagined."""
    styles: tuple[Style, ...]
    materials: tuple[Material, ...]
    half_turn: float
    seed: int
    small_letters: float = 0

    @classmethod
    def of(cls, settings: Synth) -> Renderer:
        """Return the renderer of a configuration.

        Raises:
            LinetuneError: the rule gives no texts, fonts, photos or crops do not exist, or no font draws a
                character.
        """
        rule = Rule.of(settings)
        small = {c.lower() for c in rule.alphabet if len(c.lower()) == 1 and settings.small_letters}
        return cls(
            rule,
            tuple(typefaces.find(settings.fonts, sorted({*rule.alphabet} | small))),
            tuple(scene.find_photos(settings.backgrounds)) if settings.backgrounds else (),
            tuple(looks.of_files(settings.looks)) if settings.looks else (),
            tuple(settings.style),
            tuple(settings.material),
            settings.half_turn,
            settings.seed,
            settings.small_letters,
        )

    def text(self, index: int) -> str:
        """Return the text of crop ``index``, without drawing it."""
        return self.rule.sample(self._draws(index))

    def __call__(self, index: int) -> tuple[Crop, str]:
        """Return crop ``index`` and its text.

        Raises:
            LinetuneError: no font draws the whole text.
        """
        chosen = self._chosen(index)
        draw, rng = chosen.draw, chosen.rng
        shared = random.Random(f"{self.seed}/photo/{index // CROPS_PER_PHOTO}")
        photo = shared.choice(self.photos) if self.photos and rng.random() < 0.6 else None
        material = draw.choice(self.materials)
        turned = rng.random() < self.half_turn
        crop = _render(chosen, scene.Background(material, photo, recolour=bool(self.looks)))
        return (half_turned(crop) if turned else crop), chosen.text

    def undegraded(self, index: int) -> tuple[Crop, str]:
        """Return the text of crop ``index`` as it is drawn: black on white, upright, whole and sharp."""
        chosen = self._chosen(index)
        mask = lettering.draw(chosen.rng, chosen.drawn, chosen.font, chosen.look, chosen.style, 40)
        page = 255 - np.pad(mask, 8)
        return np.ascontiguousarray(np.repeat(page[:, :, None], 3, 2)), chosen.text

    def _draws(self, index: int) -> random.Random:
        # Seeding with a text hashes it, so that neighbouring addresses have nothing in common.
        return random.Random(f"{self.seed}/{index}")

    def _chosen(self, index: int) -> _Chosen:
        draw = self._draws(index)
        text = drawn = self.rule.sample(draw)
        if self.small_letters and draw.random() < self.small_letters:
            drawn = draw.choice((str.lower, str.title))(text)
        able = [font for font in self.fonts if font.draws(drawn)]
        if not able:
            place = f"rule {self.rule.pattern}"
            raise LinetuneError(f"no font draws all of {drawn!r}", place, "add a font that does")
        font, style = draw.choice(able), draw.choice(self.styles)
        rng = np.random.default_rng(draw.getrandbits(64))
        look = variation.copied(rng, self.looks) if self.looks else variation.imagined(rng)
        return _Chosen(draw, text, drawn, font, rng, look, style)


class _Chosen(NamedTuple):
    """What is drawn on one crop, and the generators for everything else."""

    draw: random.Random
    text: str
    drawn: str
    """The text as it is drawn, possibly in small letters."""
    font: Font
    rng: np.random.Generator
    look: Look
    style: Style


def _render(chosen: _Chosen, background: scene.Background) -> Crop:
    _, _, text, font, rng, look, style = chosen
    height = max(8.0, look.height * (1 - look.top - look.bottom))
    mask = lettering.draw(rng, text, font, look, style, height)
    aspect = mask.shape[1] / mask.shape[0]
    shown = _pose(rng, _corners(aspect * height, height), look.slant - font.slant)
    origin, (columns, rows) = _frame(rng, shown, mask, text, height, look)
    shown -= origin
    surface = scene.surface(rng, rows, columns, look, background)
    colour = scene.ink(look, surface)
    if rng.random() < 0.2:
        scene.lay_edge(rng, surface, shown, height)
    cover = _laid(rng, mask, shown, columns, rows)
    if style in {"engraved", "peened"}:
        picture = scene.relief(rng, surface, cover)
    else:
        picture = surface + (colour - surface) * (cover[:, :, None] / np.float32(255))
    return camera.photograph(rng, picture, look)


def _corners(width: float, height: float) -> Points:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def _pose(rng: np.random.Generator, corners: Points, slant: float) -> Points:
    """Return the corners after slant, slight rotation and slight perspective."""
    height = corners[2, 1]
    angle = math.radians(np.clip(rng.normal(0, 2), -7, 7))
    slanted = corners + np.outer(height / 2 - corners[:, 1], [slant, 0])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray(slanted @ turn + rng.uniform(-0.06, 0.06, (4, 2)) * height, np.float32)


def _frame(
    rng: np.random.Generator, corners: Points, mask: lettering.Mask, text: str, height: float, look: Look
) -> tuple[Points, tuple[int, int]]:
    """Return the top left corner and the size of the crop: with the margins of a look, or a cut where it has
    none."""
    uneven = rng.uniform(0, 2)
    shares = look.side * uneven, look.top, look.side * (2 - uneven), look.bottom
    spare: tuple[float, ...] = (0.0,) * 4
    # Shaped letters touch, and marks at the edge distinguish them. Nothing of them can be cut.
    if min(shares) <= _NONE and not lettering.is_shaped(text):
        spare = tuple(share * height / mask.shape[0] for share in lettering.expendable(mask))
    # Detectors mostly cut little.
    left, top, right, bottom = (
        share * look.height if share > _NONE else -min(most, _CUT * look.height) * rng.random() ** 2
        for share, most in zip(shares, spare, strict=True)
    )
    # The margins of a rotated line were measured on most of the line, not from its outermost corner.
    upper, lower = (float((ys.mean() + edge) / 2) for ys, edge in _edges(corners[:, 1]))
    start = np.array([corners[:, 0].min() - left, upper - top], np.float32)
    end = np.array([corners[:, 0].max() + right, lower + bottom])
    size = np.ceil(end - start)
    return start, (max(8, int(size[0])), max(8, int(size[1])))


def _edges(y: Points) -> tuple[tuple[Points, float], tuple[Points, float]]:
    """Return the upper and the lower two of four corners, with the outermost of each."""
    return (y[:2], float(y.min())), (y[2:], float(y.max()))


def _laid(
    rng: np.random.Generator, mask: lettering.Mask, shown: Points, columns: int, rows: int
) -> NDArray[np.float32]:
    """Warp the mask to its corners, on a surface that is sometimes bent."""
    height, width = mask.shape
    onto = cv2.getPerspectiveTransform(_corners(width, height), shown)
    if rng.random() < 0.6:
        laid = cv2.warpPerspective(mask, onto, (columns, rows), flags=cv2.INTER_LINEAR)
        return np.asarray(laid, np.float32)
    back = np.linalg.inv(onto).astype(np.float32)
    u = np.arange(columns, dtype=np.float32)[None, :]
    v = np.arange(rows, dtype=np.float32)[:, None]
    x, y, w = (row[0] * u + row[1] * v + row[2] for row in back)
    x, y = x / w, y / w
    # The place of a point on the text, from -1 to 1.
    across, down = x * (2 / width) - 1, y * (2 / height) - 1
    # The baseline is bent by up to a seventh of the height, and the line is wrapped around a rod along it.
    y = y + np.float32(rng.uniform(-0.14, 0.14) * height) * (across * across - np.float32(0.4))
    wrap = np.float32(max(0.0, rng.uniform(-0.15, 0.15)) * height)
    y = y + wrap * down * down * down
    return np.asarray(
        cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0), np.float32
    )
