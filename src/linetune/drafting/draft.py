"""Make all decisions about a new run file, in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from linetune.config import Config
from linetune.core import image
from linetune.core.charset import Charset, show
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.core.progress import Reporter
from linetune.data.split import TRAIN
from linetune.drafting.charset import Ask, set_charset
from linetune.drafting.decisions import Draft
from linetune.drafting.fonts import set_fonts, set_small_letters
from linetune.drafting.labels import with_labels
from linetune.drafting.rule import alphabet, set_rule
from linetune.formats.official import load_base
from linetune.synth import choose


def draft(
    folder: Path,
    source: Path,
    fonts: Sequence[Path] | None,
    also: str | None,
    ask: Ask | None,
    watch: Callable[[], AbstractContextManager[Reporter]],
) -> Draft:
    """Decide what a run file says.

    Args:
        folder: the folder for the run file.
        source: a label file of all crops, or a folder with train.txt and val.txt.
        fonts: font files, and folders of them, to choose from. None means the fonts of this machine.
        also: characters that can occur, besides those of the labels and the rule. None means: find out.
        ask: asks whether characters can occur that the labels lack. None if nobody answers.
        watch: opens a reporter for slow work. No reporter is open while ``ask`` waits for an answer.

    Raises:
        LinetuneError: the labels cannot be read or split, no crop can be read, or the base model is missing.
    """
    with watch() as reporter:
        new = with_labels(folder, source, reporter)
    crops = _sample(new)
    set_rule(new)
    set_charset(new, also, ask)
    with watch() as reporter:
        name = Config.model_fields["base_model"].default
        base = load_base(name, lambda done, total: reporter.progress("weights", done, total))
        if new.patterns:
            set_fonts(new, fonts, crops, base, reporter)
            set_small_letters(new, crops, base)
    wanted = new.charset or Charset.collect([*new.texts, *alphabet(new.patterns)])
    if unknown := [character for character in wanted.characters if character not in base.charset]:
        new.reasons.append(f"the base model has never seen {show(*unknown)}; training must teach them")
    return new


def _sample(new: Draft) -> list[tuple[Crop, str]]:
    """Return some of the training crops with their labels."""
    crops = []
    for line in spread(new.splits[TRAIN], choose.CROPS):
        # Training and linetune check report the images that cannot be read.
        with contextlib.suppress(LinetuneError):
            crops.append((image.read(line.image), line.text))
    if not crops:
        hint = "an image path starts at the folder of its label file"
        raise LinetuneError("none of the images can be read", new.splits[TRAIN][0].source, hint)
    return crops
