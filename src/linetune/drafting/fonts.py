"""Choose the fonts that look most like the crops, and find out how small letters are labelled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linetune.core.aliases import Aliases
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.progress import Reporter
from linetune.decode import default_decoder
from linetune.decode.read import read_crops
from linetune.drafting.decisions import Draft
from linetune.drafting.rule import alphabet, drop_rule
from linetune.formats.model import Model
from linetune.formats.transfer import with_charset
from linetune.synth import choose
from linetune.synth import fonts as typefaces

SMALL, FEWEST_SMALL = 0.05, 2
"""Least share, and least number, of crops that show small letters where their labels have capitals. Fewer may
be errors of the base model."""
SMALL_RENDERED = 0.5
"""Share of rendered crops that show small letters in this case. Training learns both kinds best if both are
frequent."""
ADD_FONTS = "--fonts names more font files or folders of them"


def set_fonts(
    new: Draft,
    sources: Sequence[Path] | None,
    crops: Sequence[tuple[Crop, str]],
    base: Model,
    reporter: Reporter,
) -> None:
    """Choose fonts. If no font is suitable, no crops are rendered.

    Args:
        new: the draft.
        sources: font files, and folders of them, to choose from. None means the fonts of this machine.
        crops: some crops with their labels.
        base: the base model.
        reporter: shows progress.
    """
    characters = alphabet(new.patterns)
    limited = with_charset(base, Charset.collect(characters))
    found = typefaces.find_files(sources) if sources else typefaces.installed_files()
    try:
        able = typefaces.load_complete(found, characters)
    except LinetuneError as error:
        drop_rule(new, str(error))
        return
    chosen = choose.choose(
        able,
        [(crop, text) for crop, text in crops if not set(text) - set(characters)],
        limited.model.network,
        limited.model.charset,
        limited.unknown,
        lambda done, total: reporter.progress("comparing fonts", done, total),
    )
    for font in chosen.refused:
        new.reasons.append(f"refused {font.path}: the base model does not read its characters")
    if not chosen.fonts:
        none_able = (
            f"none of {len(found)} fonts draws every character of the rule and can be read; {ADD_FONTS}"
        )
        none_measured = "no crop with three characters or more can be measured"
        drop_rule(new, none_able if chosen.refused or not able else none_measured)
        return
    new.fonts = [font.path.resolve() for font in chosen.fonts]
    names = ", ".join(path.stem for path in new.fonts)
    number = f"the {len(new.fonts)} most like the crops, of {len(able)} that draw the rule"
    new.reasons.append(f"fonts: {number}: {names}")


def set_small_letters(new: Draft, crops: Sequence[tuple[Crop, str]], base: Model) -> None:
    """Find out whether crops show small letters where their labels have capitals. The base model reads
    them. If so, the model reads both as capitals, and rendered crops show both."""
    lettered = [(crop, text) for crop, text in crops if text == text.upper() != text.lower()]
    if any(character.islower() for text in new.texts for character in text) or not lettered:
        return
    readings = read_crops(base.reader.run, [crop for crop, _ in lettered], default_decoder(base.charset))
    pairs = zip(readings, lettered, strict=True)
    small = sum(reading.text != text == reading.text.upper() for reading, (_, text) in pairs)
    if small < FEWEST_SMALL or small < SMALL * len(lettered):
        return
    since = f"since {small} of {len(lettered)} crops show small letters where their labels have capitals"
    new.small_letters = SMALL_RENDERED
    new.reasons.append(f"small_letters: {SMALL_RENDERED}, {since}")
    all_texts = [line.text for lines in new.splits.values() for line in lines]
    characters = [*all_texts, *alphabet(new.patterns), *(new.charset.characters if new.charset else ())]
    if not Aliases(("capitals",)).objection("".join(characters)):
        new.read_as = "capitals"
        new.reasons.append(f"read_as: capitals, {since}")
