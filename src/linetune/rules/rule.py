"""What the target's texts follow: a regular expression or several, and the texts drawn from them."""

from __future__ import annotations

import random
import re
import string
from bisect import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

from linetune.config import Pattern, Synth
from linetune.config.schema import CheckName
from linetune.core import labelfile
from linetune.core.errors import LinetuneError
from linetune.rules import weights
from linetune.rules.checks import CHECKS, Check
from linetune.rules.pattern import alphabet, expand, lengths, parse
from linetune.rules.texts import Source, Texts, steps

_BREAKS = "does not follow the rule"
_TRIES = 1000
"""Draws until a text with its check digit follows the pattern, which one in ten does at least."""
_TRIAL = 100
"""Texts by which a pattern is judged to give codes of its check."""


class Rule:
    """Texts that follow one of several patterns.

    Args:
        patterns: a regular expression, or several with their weights and checks.
        parts: what ``{name}`` stands for in them.
        texts: what lengths, alternatives, characters and patterns without a weight are drawn by.
        labels: texts that ``like_labels`` goes by; those that break the rule do not count.

    Raises:
        LinetuneError: a pattern that is no regular expression or cannot be drawn from (see
            ``rules.pattern``), one that gives no codes of its check, or no label that follows the rule.
    """

    def __init__(
        self,
        patterns: str | Sequence[Pattern],
        parts: Mapping[str, str] | None = None,
        texts: Literal["balanced", "uniform", "like_labels"] = "balanced",
        labels: Sequence[str] = (),
    ) -> None:
        if isinstance(patterns, str):
            self._forms = [_Form(expand(patterns, parts or {}), None)]
        else:
            self._forms = [_formed(pattern, parts or {}) for pattern in patterns]
        self.alphabet = tuple(sorted({c for form in self._forms for c in form.alphabet}))
        """Every character that its texts can hold, in code-point order."""
        shares: list[float] = [1] * len(self._forms)
        if texts == "balanced":
            for form in self._forms:
                weights.balance(form.texts)
        elif texts == "uniform":
            shares = [sum(form.texts.lengths.values()) for form in self._forms]
        else:
            shares = self._liken(labels)
        given = [] if isinstance(patterns, str) else [form.weight for form in patterns if form.weight]
        self._steps = steps(given or shares)

    @classmethod
    def of(cls, settings: Synth) -> Rule:
        """The rule of a configuration.

        Raises:
            LinetuneError: as above, or a label file that cannot be read.
        """
        return cls(settings.rule, settings.parts, settings.texts, _labels(settings))

    @property
    def pattern(self) -> str:
        """One regular expression for all its texts."""
        return "|".join(form.pattern for form in self._forms)

    def matches(self, text: str) -> bool:
        """Whether the whole text follows a pattern and has the right check digit."""
        return self.objection(text) is None

    def objection(self, text: str) -> str | None:
        """How a text breaks the rule, a clause for a message; None where it keeps it."""
        objections = [form.objection(text) for form in self._forms]
        if None in objections:
            return None
        # A wrong check digit says more than another pattern that does not fit either.
        return next((o for o in objections if o != _BREAKS), _BREAKS)

    def sample(self, rng: Source) -> str:
        """One text; what it is depends on the numbers that ``rng`` gives alone."""
        form = self._forms[bisect(self._steps, rng.random()) if self._steps else 0]
        return form.draw(rng)

    def _liken(self, labels: Sequence[str]) -> list[float]:
        """Weigh every pattern by the labels that are its own, and return how many these are."""
        for form in self._forms:
            weights.level(form.texts)
        own: dict[_Form, list[str]] = {form: [] for form in self._forms}
        for label, times in Counter(labels).items():
            if able := [form for form in self._forms if form.objection(label) is None]:
                own[_tightest(able, label)] += [label] * times
        if not any(own.values()):
            raise LinetuneError("no label follows it", self._where, "linetune rule LABELS proposes one")
        for form, texts in own.items():
            weights.liken(form.texts, texts)
        return [len(texts) + 1 / len(own) for texts in own.values()]

    @property
    def _where(self) -> str:
        return f"rule {self.pattern}"


class _Form:
    """One pattern, and its check."""

    def __init__(self, pattern: str, check: CheckName | None) -> None:
        tree = parse(pattern)
        self.pattern = pattern
        self.alphabet = alphabet(tree)
        self.texts = Texts(tree)
        self._regex = re.compile(pattern)
        self._check = CHECKS[check] if check else None
        if self._check:
            self._refuse_other_codes(self._check, lengths(tree, self._check.counted.__contains__))

    def objection(self, text: str) -> str | None:
        """How a text breaks the pattern or its check, or None."""
        if not self._regex.fullmatch(text):
            return _BREAKS
        if self._check is None or (right := self._check.right(text)) == text:
            return None
        if right is None:
            return f"is no code of {self._check.name}: {self._check.shape}"
        return f"has a wrong check digit, {self._check.name} gives {right!r}"

    def draw(self, source: Source) -> str:
        """One text with its check digit."""
        text = self.texts.draw(source)
        if self._check is None:
            return text
        for _ in range(_TRIES):
            right = self._check.right(text)
            if right is not None and self._regex.fullmatch(right):
                return right
            text = self.texts.draw(source)
        raise LinetuneError(
            f"gives no text with a right check digit of {self._check.name}",
            f"rule {self.pattern}",
            "let its place be any digit",
        )

    def _refuse_other_codes(self, check: Check, counted: frozenset[int]) -> None:
        where = f"rule {self.pattern}"
        if wrong := sorted(counted - check.lengths):
            kind = "digits" if check.counted.isdisjoint(string.ascii_letters) else "letters and digits"
            raise LinetuneError(f"{check.name} needs {check.shape}, the rule gives {wrong[0]} {kind}", where)
        source = random.Random(0)
        for _ in range(_TRIAL):
            text = self.texts.draw(source)
            if check.right(text) is None:
                raise LinetuneError(f"{check.name} needs {check.shape}, the rule gives {text!r}", where)
        self.draw(source)


def _formed(pattern: Pattern, parts: Mapping[str, str]) -> _Form:
    """A pattern of a configuration; its place is told where it, and not a part, cannot be used."""
    try:
        return _Form(expand(pattern.pattern, parts), pattern.check)
    except LinetuneError as error:
        if pattern.where is None or str(error.where).startswith("synth.parts."):
            raise
        raise error.at(f"{pattern.where}: {error.where}") from None


def identity(settings: Synth) -> dict[str, Any]:
    """All that the texts of a configuration depend on, for JSON; of labels a hash of their texts.

    Raises:
        LinetuneError: a label file that cannot be read.
    """
    return {
        "patterns": [pattern.model_dump() for pattern in settings.rule],
        "parts": settings.parts,
        "texts": settings.texts,
        "labels": sha256("\n".join(sorted(_labels(settings))).encode()).hexdigest(),
    }


def _labels(settings: Synth) -> list[str]:
    files = settings.labels or [] if settings.texts == "like_labels" else []
    return [line.text for line in labelfile.read_labels(*files)]


def _tightest(forms: Sequence[_Form], text: str) -> _Form:
    """Whose text it likeliest is, when each draws its own evenly."""
    if len(forms) == 1:
        return forms[0]
    return max(forms, key=lambda form: weights.Reading(form.texts, text).likelihood)
