"""Chooses the fonts that look most like real crops, judged by a network's features.

Each font draws the texts of some real crops in the size, colours and blur of those crops. The base model's
backbone sees the real crop and the drawn one. Since both show the same text, their features differ only by
how the text looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import image, scripts
from linetune.core.charset import SPACE, Charset
from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.decode import default_decoder
from linetune.decode.read import read_crops
from linetune.models.network import Network
from linetune.synth import fonts as typefaces
from linetune.synth import lettering
from linetune.synth.compare import mean_features
from linetune.synth.fonts import Font
from linetune.synth.looks import Look
from linetune.synth.measure import measure

MAX_FONTS = 12
"""Largest number of fonts to choose."""
MAX_FONTS_OF_FAMILY = 3
"""Largest number of fonts of one family. Rendering changes weight and slant anyway."""
CROPS = 60
"""Largest number of real crops to look at."""
_FIRST_SAMPLES, _SAMPLES = 2, 12
"""Number of crops on which all fonts are compared, and on which the best fonts are compared."""
_FINALISTS = 40
"""Number of fonts that are compared on all crops."""
_SAME = 0.985
"""Correlation of the pictures of two fonts from which they count as the same font."""
_MIN_CHARACTERS = 3
"""Smallest length of a text. Shorter ones say too little about the font."""
_PAGE = 8
"""Number of characters in a row that a font has to show legibly."""
_MIN_READ = 0.5
"""Smallest share of a label's characters that the network reads if the crop is upright and labelled right."""
_MIN_LEGIBLE = 0.3
"""Smallest share of a font's characters that the network reads right.

Fonts with weather symbols instead of digits reach 0, fonts with seven-segment digits 0.56 or more. Fonts
with seven-segment letters go down to 0.42 (docs/log.md).
"""


@dataclass(frozen=True)
class Choice:
    """The result of choosing fonts."""

    fonts: list[Font]
    """The chosen fonts, the most similar first."""
    refused: list[Font]
    """Similar fonts that draw something other than their characters, for example icons instead of digits."""


class Sample(NamedTuple):
    """A real crop, its label and its look."""

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
    """Choose at most :data:`MAX_FONTS` fonts that look most like some real crops.

    Args:
        fonts: fonts that draw every label.
        crops: all real crops with their labels.
        network: the base model's network, with the classes of ``charset``.
        charset: the characters that the fonts draw.
        unknown: characters of ``charset`` that the base model cannot read.
        progress: called with the number of compared pictures and the number of all pictures.

    Returns:
        The choice. It is empty if no crop can be measured.
    """
    samples = _choose_samples(crops, network, charset)
    if not samples or not fonts:
        return Choice([], [])
    first, others = samples[:_FIRST_SAMPLES], samples[_FIRST_SAMPLES:]
    fonts = _without_copies(fonts, first)
    total = len(fonts) * len(first) + min(len(fonts), _FINALISTS) * len(others)
    done = 0

    def features_of(some: Sequence[Font], on: Sequence[Sample]) -> Iterator[NDArray[np.float64]]:
        """Yield the features for each sample: row 0 of the real crop, the others of the fonts' pictures."""
        nonlocal done
        for sample in on:
            crops = [sample.crop, *(_picture(font, sample) for font in some)]
            yield mean_features(network, crops, _narrow_batches(crops))
            done += len(some)
            progress(done, total)

    of_all = list(features_of(fonts, first))
    # Each feature is divided by its standard deviation over fonts that draw the same text.
    scale = np.sqrt(np.mean([features[1:].var(0) for features in of_all], 0)) + 1e-6
    distances = np.sum([_distances(features, scale) for features in of_all], 0)
    nearest = np.argsort(distances, kind="stable")[:_FINALISTS]
    finalists = [fonts[i] for i in nearest]
    of_finalists = features_of(finalists, others)
    distances = distances[nearest] + sum(_distances(features, scale) for features in of_finalists)
    ranked = [finalists[i] for i in np.argsort(distances, kind="stable")]
    return _choose_legible(ranked, network, charset, unknown)


def _choose_samples(crops: Sequence[tuple[Crop, str]], network: Network, charset: Charset) -> list[Sample]:
    """Choose at most :data:`_SAMPLES` crops that show their font well."""
    measured = []
    for crop, text in spread(crops, CROPS):
        look = measure(crop)
        fits = image.line_width(*crop.shape[:2]) <= image.MAX_WIDTH
        if look is not None and fits and len(text) >= _MIN_CHARACTERS:
            measured.append(Sample(crop, text, look))
    # Crops that the network can read are upright and have the right label.
    readings = read_crops(network.run, [sample.crop for sample in measured], default_decoder(charset))
    pairs = zip(measured, readings, strict=True)
    readable = [sample for sample, read in pairs if _share_read(read.text, sample.text) >= _MIN_READ]
    by_contrast = sorted(
        readable if len(readable) >= _SAMPLES else measured, key=lambda s: abs(s.look.contrast)
    )
    # One crop for each text, the one with the highest contrast: the last one of a text wins.
    different = list({sample.text: sample for sample in by_contrast}.values())
    # Crops with little contrast show the font badly. Wide crops take long.
    clear = sorted(different, key=lambda s: -abs(s.look.contrast))[: max(_SAMPLES, len(different) // 2)]
    return sorted(clear, key=lambda s: image.line_width(*s.crop.shape[:2]))[:_SAMPLES]


def _without_copies(fonts: Sequence[Font], samples: Sequence[Sample]) -> list[Font]:
    """Return the fonts without those that draw the texts like an earlier one.

    For example, many Noto fonts have the same digits.
    """
    kept, pictures = list[Font](), list[NDArray[np.float32]]()
    for font in fonts:
        drawn = np.concatenate([_draw_ink(font, sample).ravel() for sample in samples])
        picture = drawn - drawn.mean()
        picture /= max(float(np.linalg.norm(picture)), 1e-6)
        if not pictures or float((np.stack(pictures) @ picture).max()) < _SAME:
            kept.append(font)
            pictures.append(picture)
    return kept


def _distances(features: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far every other row is from row 0, as a share of the mean distance."""
    distances = np.linalg.norm((features[1:] - features[0]) / scale, axis=1)
    return np.asarray(distances / max(float(distances.mean()), 1e-6), np.float64)


def _narrow_batches(crops: Sequence[Crop]) -> Iterator[tuple[range, NDArray[np.float32]]]:
    """Yield (crop numbers, network input) of crops of one size.

    Deployed readers pad to 320 px. That would take longer than most crops themselves.
    """
    resized = [image.resize(crop) for crop in crops]
    width = max(64, -(-resized[0].shape[1] // 8) * 8)
    for start in range(0, len(crops), 32):
        members = range(start, min(start + 32, len(crops)))
        yield members, image.pack([resized[i] for i in members], width)


def _picture(font: Font, sample: Sample) -> Crop:
    """Draw the text of a sample in a font, with the colours and the blur of its crop."""
    paper, ink = np.array(sample.look.paper, np.float32), np.array(sample.look.ink, np.float32)
    cover = _draw_ink(font, sample)[:, :, None]
    return np.asarray((paper + (ink - paper) * cover).clip(0, 255), np.uint8)


def _draw_ink(font: Font, sample: Sample) -> NDArray[np.float32]:
    """Draw the text of a sample in a font at the place and size of the real text: ink from 0 to 1."""
    look = sample.look
    height, width = sample.crop.shape[:2]
    top, bottom, side = (round(share * height) for share in (look.top, look.bottom, look.side))
    size = max(4, width - 2 * side), max(4, height - top - bottom)
    mask = lettering.draw_plain(sample.text, font, size[1])
    fitted = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    cover = np.zeros((height, width), np.float32)
    inside = cover[top : top + size[1], side : side + size[0]]
    inside[:] = fitted[: inside.shape[0], : inside.shape[1]] / np.float32(255)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), max(0.2, look.blur * height)), np.float32)


def _choose_legible(
    ranked: Sequence[Font], network: Network, charset: Charset, unknown: Sequence[str]
) -> Choice:
    """Choose the first fonts that the network can read, not too many of one family."""
    chosen, refused, families = list[Font](), list[Font](), Counter[str]()
    # Characters that have their own shape and that the network can read, a few on each page.
    excluded = {*unknown, SPACE}
    shown = [c for c in charset.characters if c not in excluded and not scripts.continues(c)]
    pages = ["".join(shown[start : start + _PAGE]) for start in range(0, len(shown), _PAGE)]
    for font in ranked:
        family = typefaces.family(font.path)
        if len(chosen) == MAX_FONTS or families[family] == MAX_FONTS_OF_FAMILY:
            continue
        if pages and _legibility(font, pages, network, charset) < _MIN_LEGIBLE:
            refused.append(font)
            continue
        chosen.append(font)
        families[family] += 1
    return Choice(chosen, refused)


def _legibility(font: Font, pages: Sequence[str], network: Network, charset: Charset) -> float:
    """Return the mean share of the pages' characters that the network reads in clear print."""
    masks = [np.pad(lettering.draw_plain(page, font, 32), 8) for page in pages]
    crops = [np.repeat(255 - mask[:, :, None], 3, 2) for mask in masks]
    readings = read_crops(network.run, crops, default_decoder(charset))
    return float(np.mean([_share_read(r.text, page) for r, page in zip(readings, pages, strict=True)]))


def _share_read(read: str, text: str) -> float:
    """Return the share of a text's characters that a reading contains in order. Case does not count."""
    matching = SequenceMatcher(None, read.lower(), text.lower(), autojunk=False).get_matching_blocks()
    return sum(block.size for block in matching) / max(1, len(text))
