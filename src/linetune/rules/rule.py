"""The rule of a task: patterns that its texts follow, with weights and check digits."""

from __future__ import annotations

import random
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

from linetune.config import Pattern, Synth
from linetune.config.synth import CheckName
from linetune.core import labelfile
from linetune.core.errors import LinetuneError
from linetune.rules import weights
from linetune.rules.checks import CHECKS, Check
from linetune.rules.pattern import expand, parse
from linetune.rules.texts import Chances, RandomSource, Texts

_BREAKS_PATTERN = "does not follow the rule"
_MOST_DRAWS = 1000
"""Draws until a text with its check digit follows the pattern. At least one draw in ten does."""
_TRIAL_TEXTS = 100
"""Texts that are drawn to see whether a pattern gives codes of its check."""


class Rule:
    """Texts that follow one of several patterns.

    Args:
        patterns: a regular expression, or several with their weights and checks.
        parts: the regular expression for each ``{name}`` in the patterns.
        texts: how lengths, alternatives, characters and patterns without a weight are drawn.
        labels: texts for ``like_labels``. Labels that do not follow the rule are ignored.

    Raises:
        LinetuneError: a pattern is not a regular expression that texts can be drawn from (see
            ``rules.pattern``), a pattern gives no codes of its check, or no label follows the rule.
    """

    def __init__(
        self,
        patterns: str | Sequence[Pattern],
        parts: Mapping[str, str] | None = None,
        texts: Literal["balanced", "uniform", "like_labels"] = "balanced",
        labels: Sequence[str] = (),
    ) -> None:
        if isinstance(patterns, str):
            patterns = [Pattern.model_construct(pattern=patterns)]
        self._patterns = [_checked_pattern(pattern, parts or {}) for pattern in patterns]
        self.alphabet = tuple(sorted({c for pattern in self._patterns for c in pattern.texts.alphabet}))
        """All characters that the texts can contain, in code-point order."""
        shares: list[float] = [1] * len(self._patterns)
        if texts == "balanced":
            for pattern in self._patterns:
                weights.weigh_balanced(pattern.texts)
        elif texts == "uniform":
            shares = [sum(pattern.texts.lengths.values()) for pattern in self._patterns]
        else:
            shares = self._weigh_like(labels)
        self._chances = Chances(self._patterns, [p.weight for p in patterns if p.weight] or shares)

    @classmethod
    def of(cls, settings: Synth) -> Rule:
        """Return the rule of a run file.

        Raises:
            LinetuneError: as for the class, or a label file cannot be read.
        """
        return cls(settings.rule, settings.parts, settings.texts, _labels(settings))

    @property
    def pattern(self) -> str:
        """One regular expression for all texts."""
        return "|".join(pattern.regex for pattern in self._patterns)

    def matches(self, text: str) -> bool:
        """Return whether the whole text follows a pattern and has the correct check digit."""
        return self.objection(text) is None

    def objection(self, text: str) -> str | None:
        """Return how a text breaks the rule, as a clause for a message, or None if it follows the rule."""
        objections = [pattern.objection(text) for pattern in self._patterns]
        if None in objections:
            return None
        # A message about a check digit helps more than a message about another pattern.
        return next((o for o in objections if o != _BREAKS_PATTERN), _BREAKS_PATTERN)

    def sample(self, rng: RandomSource) -> str:
        """Return one text. It depends only on the random numbers."""
        return self._chances.draw(rng).draw(rng)

    def _weigh_like(self, labels: Sequence[str]) -> list[float]:
        """Weigh each pattern like the labels that belong to it, and return the number of these labels."""
        for pattern in self._patterns:
            weights.weigh_evenly(pattern.texts)
        own: dict[_CheckedPattern, list[str]] = {pattern: [] for pattern in self._patterns}
        for label, times in Counter(labels).items():
            if matching := [p for p in self._patterns if p.objection(label) is None]:
                own[_tightest(matching, label)] += [label] * times
        if not any(own.values()):
            hint = "linetune rule LABELS proposes a rule"
            raise LinetuneError("no label follows the rule", f"rule {self.pattern}", hint)
        for pattern, texts in own.items():
            weights.weigh_like(pattern.texts, texts)
        # One more label is spread over all patterns. Otherwise a pattern without labels is never drawn.
        return [len(texts) + 1 / len(own) for texts in own.values()]


class _CheckedPattern:
    """One pattern, and its check if it has one."""

    def __init__(self, regex: str, check: CheckName | None) -> None:
        self.regex = regex
        self.texts = Texts(parse(regex))
        self._compiled = re.compile(regex)
        self._name = check
        self._check = CHECKS[check] if check else None
        if self._check:
            self._refuse_other_codes(self._check)

    def objection(self, text: str) -> str | None:
        """Return how a text breaks the pattern or its check, or None."""
        if not self._compiled.fullmatch(text):
            return _BREAKS_PATTERN
        if self._check is None or (corrected := self._check.corrected(text)) == text:
            return None
        if corrected is None:
            return f"is not a code of {self._name}: {self._check.form}"
        return f"has a wrong check digit, {self._name} gives {corrected!r}"

    def draw(self, source: RandomSource) -> str:
        """Return one text with the correct check digit.

        Raises:
            LinetuneError: no text of the pattern has the correct check digit.
        """
        for _ in range(_MOST_DRAWS):
            text = self.texts.draw(source)
            if self._check is None:
                return text
            corrected = self._check.corrected(text)
            if corrected is not None and self._compiled.fullmatch(corrected):
                return corrected
        what = f"gives no text with the correct check digit of {self._name}"
        raise LinetuneError(what, f"rule {self.regex}", "allow all digits at the place of the check digit")

    def _refuse_other_codes(self, check: Check) -> None:
        """Refuse a pattern that can give texts that are not codes of its check.

        Raises:
            LinetuneError: a text of the pattern is not such a code, or cannot have its check digit.
        """
        needs, where = f"{self._name} needs {check.form}, but the rule gives", f"rule {self.regex}"
        if wrong := sorted(self.texts.counted_lengths(check.counted) - check.lengths):
            kind = "digits" if check.counted.isdisjoint(string.ascii_letters) else "letters and digits"
            raise LinetuneError(f"{needs} {wrong[0]} {kind}", where)
        source = random.Random(0)
        for _ in range(_TRIAL_TEXTS):
            text = self.texts.draw(source)
            if check.corrected(text) is None:
                raise LinetuneError(f"{needs} {text!r}", where)
        self.draw(source)


def _checked_pattern(pattern: Pattern, parts: Mapping[str, str]) -> _CheckedPattern:
    """Return a pattern of a run file. An error has the place of the pattern, or of the part that is wrong."""
    try:
        return _CheckedPattern(expand(pattern.pattern, parts), pattern.check)
    except LinetuneError as error:
        if pattern.where is None or str(error.where).startswith("synth.parts."):
            raise
        raise error.at(f"{pattern.where}: {error.where}") from None


def identity(settings: Synth) -> dict[str, Any]:
    """Return all that the drawn texts depend on, for JSON. A hash of the texts represents the labels.

    Raises:
        LinetuneError: a label file cannot be read.
    """
    return {
        "patterns": [pattern.model_dump() for pattern in settings.rule],
        "parts": settings.parts,
        "texts": settings.texts,
        "labels": sha256("\n".join(sorted(_labels(settings))).encode()).hexdigest(),
    }


def _labels(settings: Synth) -> list[str]:
    """Return the labels that ``like_labels`` needs. Other settings need none."""
    files = settings.labels or [] if settings.texts == "like_labels" else []
    return [line.text for line in labelfile.read_labels(*files)]


def _tightest(patterns: Sequence[_CheckedPattern], text: str) -> _CheckedPattern:
    """Return the pattern that gives a text with the highest probability."""
    if len(patterns) == 1:
        return patterns[0]
    return max(patterns, key=lambda pattern: weights.Derivation(pattern.texts, text).log_probability)
