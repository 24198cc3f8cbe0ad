"""Choosing fonts: those that look most like some crops to a network.

Each font draws the texts of real crops plainly, with the height, width, blur and colours of the crops. The
backbone gets both pictures. They show the same text, so that its features, averaged over the frames, differ
only in the look of the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from linetune.core import image, scripts
from linetune.core.charset import SPACE, Charset
from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.decode import default_decoder
from linetune.decode.read import read_crops
from linetune.models.network import Network
from linetune.synth import fonts as typefaces
from linetune.synth import lettering, looks
from linetune.synth.fonts import Font
from linetune.synth.looks import Look

WANTED = 12
"""Largest number of fonts to choose."""
OF_A_FAMILY = 3
"""Largest number of fonts of one family. They differ in weight and slant, which rendering changes anyway."""
CROPS = 60
"""Number of real crops to look at."""
_FIRST, _ALL = 2, 12
"""Number of crops for all fonts, and for the :data:`_FINALISTS`."""
_FINALISTS = 40
_SAME = 0.985
"""Least correlation of the pictures of two fonts that are one font under two names."""
_SHORTEST = 3
"""Least number of characters of a text that can distinguish fonts."""
_PAGE = 8
"""Characters in a row when a font is tested."""
_READ = 0.5
"""Least share of right characters for a crop that is upright and has the right label."""
_LEGIBLE = 0.3
"""Least share of a font's characters that the base model reads right.

Weather symbols instead of digits reach 0, and seven-segment digits at least 0.56. Seven-segment letters,
which nobody can tell apart, lower a font to 0.42 (docs/log.md).
"""


@dataclass(frozen=True)
class Choice:
    """The chosen fonts, the most similar first."""

    fonts: list[Font]
    refused: list[Font]
    """Similar fonts that draw something else than their characters, such as icons instead of digits."""


class Sample(NamedTuple):
    """A real crop with its label and its look."""

    crop: Crop
    text: str
    look: Look


def choose(
    fonts: Sequence[Font],
    crops: Sequence[tuple[Crop, str]],
    network: Network,
    charset: Charset,
    unknown: Sequence[str],
    progress: Callable[[int, int], None],
) -> Choice:
    """Choose at most :data:`WANTED` fonts that look most like some crops. None if no crop can be measured.

    Args:
        fonts: fonts that draw every label.
        crops: real crops with their labels.
        network: the network of the base model, with ``charset``.
        charset: the characters that the fonts draw.
        unknown: characters that the base model cannot read.
        progress: called with the number of compared pictures, and of all.
    """
    samples = _samples(crops, network, charset)
    if not samples or not fonts:
        return Choice([], [])
    first, rest = samples[:_FIRST], samples[_FIRST:]
    fonts = _distinct(fonts, first)
    total = len(fonts) * len(first) + min(len(fonts), _FINALISTS) * len(rest)
    done = 0

    def seen(some: Sequence[Font], on: Sequence[Sample]) -> Iterator[NDArray[np.float64]]:
        """Return for each sample the features of the crop, and then those of the picture of each font."""
        nonlocal done
        for sample in on:
            yield _seen(network, [sample.crop, *(_picture(font, sample) for font in some)])
            done += len(some)
            progress(done, total)

    of_all = list(seen(fonts, first))
    # A feature is scaled by how much it differs between fonts for the same text.
    scale = np.sqrt(np.mean([features[1:].var(0) for features in of_all], 0)) + 1e-6
    distances = np.sum([_distances(features, scale) for features in of_all], 0)
    nearest = np.argsort(distances, kind="stable")[:_FINALISTS]
    finalists = [fonts[i] for i in nearest]
    of_finalists = seen(finalists, rest)
    distances = distances[nearest] + sum(_distances(features, scale) for features in of_finalists)
    return _best([finalists[i] for i in np.argsort(distances, kind="stable")], network, charset, unknown)


def _samples(crops: Sequence[tuple[Crop, str]], network: Network, charset: Charset) -> list[Sample]:
    """Return crops that can be measured and that the network reads: they are upright and have the right
    label."""
    found = []
    for crop, text in spread(crops, CROPS):
        look = looks.measure(crop)
        fits = image.line_width(*crop.shape[:2]) <= image.MAX_WIDTH
        if look is not None and fits and len(text) >= _SHORTEST:
            found.append(Sample(crop, text, look))
    readings = read_crops(network.run, [sample.crop for sample in found], default_decoder(charset))
    read = [_alike(reading.text, s.text) >= _READ for reading, s in zip(readings, found, strict=True)]
    likely = [sample for sample, is_read in zip(found, read, strict=True) if is_read]
    # One crop for each text, the one with the highest contrast.
    by_contrast = sorted(likely if len(likely) >= _ALL else found, key=lambda s: abs(s.look.contrast))
    different = list({sample.text: sample for sample in by_contrast}.values())
    # Crops with low contrast show no font, and wide crops take long.
    clear = sorted(different, key=lambda s: -abs(s.look.contrast))[: max(_ALL, len(different) // 2)]
    return sorted(clear, key=lambda s: image.line_width(*s.crop.shape[:2]))[:_ALL]


def _distinct(fonts: Sequence[Font], samples: Sequence[Sample]) -> list[Font]:
    """Return the fonts without those that draw the texts like an earlier one, as many Noto fonts draw
    digits."""
    kept, pictures = list[Font](), list[NDArray[np.float32]]()
    for font in fonts:
        drawn = np.concatenate([_drawn(font, sample).ravel() for sample in samples])
        picture = drawn - drawn.mean()
        picture /= max(float(np.linalg.norm(picture)), 1e-6)
        if not pictures or float((np.stack(pictures) @ picture).max()) < _SAME:
            kept.append(font)
            pictures.append(picture)
    return kept


def _distances(features: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of all others from the first, relative to their mean distance."""
    distances = np.linalg.norm((features[1:] - features[0]) / scale, axis=1)
    return np.asarray(distances / max(float(distances.mean()), 1e-6), np.float64)


def _seen(network: Network, crops: Sequence[Crop]) -> NDArray[np.float64]:
    """Return the backbone's features of crops of one size, averaged over their frames."""
    resized = [image.resize(crop) for crop in crops]
    width = resized[0].shape[1]
    parts = []
    for start in range(0, len(crops), 32):
        # Without the deployment padding, which would take longer than short crops themselves.
        batch = image.pack(resized[start : start + 32], max(64, -(-width // 8) * 8))
        images = torch.from_numpy(batch).to(network.device, memory_format=torch.channels_last)
        parts.append(network.evaluated(network.backbone, images).squeeze(2))
    own = np.concatenate(parts)[:, :, : max(1, image.frames(width))]
    return np.asarray(own.mean(2), np.float64)


def _picture(font: Font, sample: Sample) -> Crop:
    """Draw the text of a crop in a font, with the colours and the blur of the crop."""
    paper, ink = np.array(sample.look.paper, np.float32), np.array(sample.look.ink, np.float32)
    cover = _drawn(font, sample)[:, :, None]
    return np.asarray((paper + (ink - paper) * cover).clip(0, 255), np.uint8)


def _drawn(font: Font, sample: Sample) -> NDArray[np.float32]:
    """Return the ink of a font on the crop, 0 to 1."""
    look = sample.look
    height, width = sample.crop.shape[:2]
    top, bottom, side = (round(share * height) for share in (look.top, look.bottom, look.side))
    size = max(4, width - 2 * side), max(4, height - top - bottom)
    mask = lettering.plain(sample.text, font, size[1])
    fitted = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    cover = np.zeros((height, width), np.float32)
    inside = cover[top : top + size[1], side : side + size[0]]
    inside[:] = fitted[: inside.shape[0], : inside.shape[1]] / np.float32(255)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), max(0.2, look.blur * height)), np.float32)


def _best(ranked: Sequence[Font], network: Network, charset: Charset, unknown: Sequence[str]) -> Choice:
    """Return the first fonts that can be read, with not too many of one family."""
    chosen, refused, families = list[Font](), list[Font](), Counter[str]()
    pages = _pages(charset, unknown)
    for font in ranked:
        family = typefaces.family(font.path)
        if len(chosen) == WANTED or families[family] == OF_A_FAMILY:
            continue
        if pages and _legibility(font, pages, network, charset) < _LEGIBLE:
            refused.append(font)
            continue
        chosen.append(font)
        families[family] += 1
    return Choice(chosen, refused)


def _pages(charset: Charset, unknown: Sequence[str]) -> list[str]:
    """Return the characters that can stand alone and that the network can read, a few on each page."""
    beyond = {*unknown, SPACE}
    shown = [c for c in charset.characters if c not in beyond and not scripts.continues(c)]
    return ["".join(shown[start : start + _PAGE]) for start in range(0, len(shown), _PAGE)]


def _legibility(font: Font, pages: Sequence[str], network: Network, charset: Charset) -> float:
    """Return the share of characters that the network reads right in large clear print."""
    masks = [np.pad(lettering.plain(page, font, 32), 8) for page in pages]
    crops = [np.repeat(255 - mask[:, :, None], 3, 2) for mask in masks]
    readings = read_crops(network.run, crops, default_decoder(charset))
    return float(np.mean([_alike(r.text, page) for r, page in zip(readings, pages, strict=True)]))


def _alike(read: str, text: str) -> float:
    """Return the share of a text's characters that were read."""
    matching = SequenceMatcher(None, read.lower(), text.lower(), autojunk=False).get_matching_blocks()
    return sum(block.size for block in matching) / max(1, len(text))
