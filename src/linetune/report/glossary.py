"""The words of a report with their meanings, and links to them from their first uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from linetune.report.words import Words


@dataclass(frozen=True, slots=True)
class Word:
    """A word that a report explains."""

    anchor: str
    """The name of its place on the page."""
    term: str
    meaning: str
    linked: bool = True
    """Whether its first use is a link. A word of everyday language is none."""


def glossary(say: Words) -> list[Word]:
    """Return the words of a report with their meanings, in the language of ``say``."""
    return [*_of_models(say), *_of_figures(say)]


def _of_models(say: Words) -> list[Word]:
    return [
        Word("crop", say("crop"), say("The image of one text line.")),
        Word("charset", say("charset"), say("The characters that a model can output.")),
        Word(
            "limited",
            say("limited to the charset"),
            say(
                "The base model as it is, except that it can only output characters of the charset. A gain "
                "over this model comes from training alone."
            ),
        ),
        Word("untouched", say("untouched"), say("The base model without any change.")),
        Word(
            "stage",
            say("stage"),
            say(
                "One training of the run. The run file names the stages. Often a stage called head trains "
                "only the last part of the network on rendered crops, and a stage called real then trains "
                "all of it on real crops."
            ),
        ),
    ]


def _of_figures(say: Words) -> list[Word]:
    return [
        Word(
            "exact-match",
            say("exact match"),
            say("The share of crops whose reading equals the label, spaces included."),
        ),
        Word(
            "cer",
            say("CER"),
            say(
                "Character error rate: the characters to change, add or remove to turn the readings into the "
                "labels, divided by the number of characters in the labels."
            ),
        ),
        Word(
            "label-probability",
            say("label probability"),
            say(
                "The probability that the model gives to the label of a crop, as a mean over the validation "
                "crops. It changes smoothly where the exact match jumps."
            ),
        ),
        Word(
            "mcnemar",
            say("McNemar's test"),
            say(
                "A test for two models on the same crops. It looks only at the crops that one model reads "
                "right and the other wrong. A small p means that chance hardly explains the difference."
            ),
        ),
        Word(
            "confidence",
            say("confidence"),
            say("How probable it is, in the opinion of the model, that the whole reading is right: 0 to 1."),
        ),
        Word(
            "left-out",
            say("left out, added"),
            say(
                "Left out: the label has a character where the model reads none. Added: the model reads a "
                "character where the label has none."
            ),
            linked=False,
        ),
        Word(
            "general-reading",
            say("general reading"),
            say(
                "How well the model reads everyday words and numbers that linetune draws. A model that "
                "learns one kind of text can get worse at others."
            ),
        ),
    ]


class Linker:
    """Finds the first use of each word on a page, which becomes a link to its meaning.

    Args:
        words: the words of the page.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        self._left = {word.term.lower(): word for word in words if word.linked}
        # A longer term comes first: it may contain a shorter one.
        terms = "|".join(re.escape(term) for term in sorted(self._left, key=len, reverse=True))
        # English has plurals, and spaces between words. Chinese has neither.
        self._term = re.compile(rf"(?<![A-Za-z])({terms})s?(?![A-Za-z])", re.IGNORECASE)

    def __call__(self, text: str) -> list[tuple[str, str]]:
        """Return a text in pieces, each with the anchor of its word. The anchor is empty for other pieces."""
        pieces, end = [], 0
        for match in self._term.finditer(text):
            if word := self._left.pop(match.group(1).lower(), None):
                pieces += [(text[end : match.start()], ""), (match.group(), word.anchor)]
                end = match.end()
        return [*pieces, (text[end:], "")]
