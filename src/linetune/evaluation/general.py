"""How well a model still reads anything else: everyday words and numbers, drawn in a plain font.

A model that learns the lines of one job forgets others. The same lines, drawn here from what its charset
can spell, tell before and after training. Pillow carries the font.
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
from linetune.evaluation.comparison import compare
from linetune.evaluation.metrics import Score, score

MOST = 200
"""Lines that are read: some two seconds on a CPU."""
FEWEST = 50
"""With fewer, a score would say little."""
_SIZE = 34
"""Of the font in a line of height 48, px."""
_MARGIN = 8
"""Beside the text, px."""
_INK, _PAPER = 40, 225
_NOISE = 4
"""Standard deviation, grey levels."""


@dataclass(frozen=True, slots=True)
class General:
    """General reading before and after a run."""

    before: Score
    """Of the base model, limited to the charset."""
    after: Score
    """Of the model that was kept."""

    def as_dict(self) -> dict[str, object]:
        """Plain figures, for JSON."""
        return {"before": self.before.as_dict(), "after": self.after.as_dict()}

    def sentence(self) -> str:
        """What the two scores come to."""
        change = compare(self.before, self.after)
        forgotten = "the same, as far as can be told"
        if change.told:
            forgotten = "it has forgotten some" if change.difference < 0 else "it has learnt some"
        return (
            f"general reading {self.before.as_text()} before, {self.after.as_text()} after: {forgotten} "
            f"({self.before.lines} drawn everyday words and numbers that the charset spells)"
        )


def general_reading(run: Run, charset: Charset) -> Score:
    """A network's score on the everyday texts that its charset spells.

    Raises:
        LinetuneError: there are too few, or no font to draw them in.
    """
    texts = texts_for(charset)
    return score([reading.text for reading in read_crops(run, draw(texts), default_decoder(charset))], texts)


def texts_for(charset: Charset) -> list[str]:
    """Everyday texts that a charset spells, in capitals or small letters where it has no others.

    Raises:
        LinetuneError: they are too few to score a model on.
    """
    lines = resources.files("linetune.evaluation").joinpath("everyday.txt").read_text("utf-8").splitlines()
    spelt = (
        next((form for form in (text, text.upper(), text.lower()) if not charset.missing(form)), None)
        for text in lines
    )
    texts = list(dict.fromkeys(text for text in spelt if text is not None))
    if len(texts) < FEWEST:
        raise LinetuneError(f"its characters spell only {len(texts)} of {len(lines)} everyday texts")
    return list(labelfile.spread(texts, MOST))


def draw(texts: list[str]) -> list[Crop]:
    """Each text as a clean line, dark on light; the same texts always give the same crops.

    Raises:
        LinetuneError: this Pillow was built without FreeType.
    """
    try:
        font = ImageFont.load_default(_SIZE)
    except ImportError:
        raise LinetuneError("Pillow was built without FreeType and has no font") from None
    rng = np.random.default_rng(0)
    crops = []
    for text in texts:
        sheet = Image.new("L", (round(font.getlength(text)) + 2 * _MARGIN, HEIGHT), _PAPER)
        ImageDraw.Draw(sheet).text((_MARGIN, HEIGHT / 2), text, _INK, font, anchor="lm")
        grey = np.asarray(sheet) + rng.normal(0, _NOISE, (sheet.height, sheet.width))
        crops.append(np.repeat(grey.round().clip(0, 255).astype(np.uint8)[:, :, None], 3, 2))
    return crops
