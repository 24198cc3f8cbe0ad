"""General reading: how well a model reads everyday words and numbers before and after training.

A model that learns the crops of one task forgets others. We draw everyday texts that the charset can spell,
in the font that Pillow contains. The texts are in ``everyday.txt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from linetune.core import labelfile
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.image import HEIGHT, Crop
from linetune.decode import default_decoder
from linetune.decode.read import Run, read_crops
from linetune.evaluation.comparison import Comparison, compare
from linetune.evaluation.metrics import Score, score

MOST = 200
"""Most texts that are read. This takes about two seconds on a CPU."""
FEWEST = 50
"""Fewest texts for a score. With fewer, its interval would be too wide."""
_FONT_SIZE = 34
"""Size of the font in a crop of height 48, px."""
_MARGIN = 8
"""Margin on the left and on the right of the text, px."""
_INK, _PAPER = 40, 225
"""Grey levels of the text and the background."""
_NOISE = 4
"""Standard deviation of the noise, grey levels."""


@dataclass(frozen=True, slots=True)
class General:
    """General reading before and after a run."""

    before: Score
    """Score of the base model with the charset of the run."""
    after: Score
    """Score of the model that the run keeps."""

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return {
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "comparison": self.change.as_dict(),
        }

    @property
    def change(self) -> Comparison:
        """The model after the run (B) compared with the model before (A)."""
        return compare(self.before, self.after)

    def sentence(self) -> str:
        """Return the result in words."""
        change = self.change
        verdict = "no difference beyond chance"
        if change.beyond_chance:
            verdict = "the model has forgotten some" if change.difference < 0 else "the model has learnt some"
        return (
            f"general reading {self.before.as_text()} before, {self.after.as_text()} after: {verdict} "
            f"({self.before.lines} rendered everyday words and numbers that the charset can spell)"
        )


def general_reading(run: Run, charset: Charset) -> Score:
    """Return the score of a network on the everyday texts that its charset can spell.

    Raises:
        LinetuneError: the charset spells too few texts, or Pillow has no font.
    """
    texts = texts_for(charset)
    return score([reading.text for reading in read_crops(run, draw(texts), default_decoder(charset))], texts)


def texts_for(charset: Charset) -> list[str]:
    """Return at most :data:`MOST` everyday texts that a charset can spell.

    Texts are in capitals or in small letters if the charset lacks the others.

    Raises:
        LinetuneError: there are fewer than :data:`FEWEST`.
    """
    lines = resources.files("linetune.evaluation").joinpath("everyday.txt").read_text("utf-8").splitlines()
    spelt = (
        next((form for form in (text, text.upper(), text.lower()) if not charset.missing(form)), None)
        for text in lines
    )
    texts = list(dict.fromkeys(text for text in spelt if text is not None))
    if len(texts) < FEWEST:
        what = f"the charset can spell only {len(texts)} of {len(lines)} everyday texts"
        raise LinetuneError(what, hint=f"{FEWEST} are needed")
    return list(labelfile.spread(texts, MOST))


def draw(texts: list[str]) -> list[Crop]:
    """Return a crop for each text, dark on light. The same texts always give the same crops.

    Raises:
        LinetuneError: Pillow was built without FreeType.
    """
    try:
        font = ImageFont.load_default(_FONT_SIZE)
    except ImportError:
        what = "Pillow was built without FreeType and has no font"
        raise LinetuneError(what, hint="pip install --force-reinstall pillow") from None
    rng = np.random.default_rng(0)
    crops = []
    for text in texts:
        sheet = Image.new("L", (round(font.getlength(text)) + 2 * _MARGIN, HEIGHT), _PAPER)
        ImageDraw.Draw(sheet).text((_MARGIN, HEIGHT / 2), text, _INK, font, anchor="lm")
        grey = np.asarray(sheet) + rng.normal(0, _NOISE, (sheet.height, sheet.width))
        crops.append(np.repeat(grey.round().clip(0, 255).astype(np.uint8)[:, :, None], 3, 2))
    return crops
