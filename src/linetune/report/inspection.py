"""What a model file says about its model, for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from linetune.core.charset import show
from linetune.evaluation import intervals
from linetune.training.repeat import as_text

if TYPE_CHECKING:
    from linetune.formats.inspection import Inspection

RULES = 3
"""Patterns that are shown of a rule."""
SHOWN = 60
"""Characters that are shown of a charset."""
_SHOWN = ("max_error", "threshold", "coverage", "readings", "right", "accepted", "wrong")
"""The figures of a calibration and a promise that are shown."""


def inspection_lines(inspection: Inspection) -> Iterator[str]:
    """Yield the lines of a report. They are printable, whatever a stranger's file has."""
    yield from lines_of(_entries(inspection.as_dict()))


def lines_of(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a printable line for each name with its text."""
    for name, text in entries:
        yield f"{name:<14}{printable(text)}".rstrip()


def printable(text: str) -> str:
    """Return a text with a question mark for each character that does not print."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _entries(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "model", about["path"]
    yield "format", f"{about['format']}, {about['precision']}, {about['bytes'] / 1e6:.1f} MB"
    yield "base model", about["base_model"]
    size = ", ".join(f"{key} {value}" for key, value in about["size"].items())
    yield "family", f"{about['family']} ({size})"
    yield "parameters", f"{about['parameters']:,}"
    repeated = Counter(about["charset"])
    yield "charset", f"{about['characters']:,} characters: {shortened([*repeated])}"
    if several := [character for character, rows in repeated.items() if rows > 1]:
        yield "", f"{len(several)} of them have several rows: {shortened(several)}"
    yield "both ways up", "yes" if about["both_ways"] else "no"
    if about["rule"]:
        yield "read by", _rule(about["rule"])
    yield from _history(about["history"])
    if not about["trained_charset"]:
        yield "", "the charset was changed after the training; the scores are those before"
    for key in ("calibration", "promise"):
        shown = {name: about[key][name] for name in _SHOWN if name in about[key]}
        if shown:
            yield key, as_text(shown)
    yield from origin(about["provenance"])
    if about["provenance"]:
        yield "settings", "--settings prints them as a run file"


def shortened(characters: Sequence[str], most: int = SHOWN) -> str:
    """Return the first characters of a charset, with names for those that do not show."""
    visible = [c if c.isprintable() and not c.isspace() else f" {show(c)} " for c in characters]
    return "".join(visible[:most]).strip() + (" ..." if len(visible) > most else "")


def _rule(rule: Mapping[str, Any]) -> str:
    texts, patterns = rule.get("texts"), rule.get("patterns")
    if isinstance(texts, list):
        return f"a list of {len(texts):,} texts"
    several = [str(each.get("pattern")) for each in patterns or () if isinstance(each, dict)]
    more = f" and {len(several) - RULES} more" if len(several) > RULES else ""
    return f"the rule {' | '.join(several[:RULES])}{more}"


def _history(history: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not history:
        yield "history", "not in the file"
        return
    yield "history", f"{as_text(history.get('name', 'model'))}   (in brackets) 95% interval"
    for split, name in (("val", "validation"), ("test", "test")):
        if figures := history.get(split):
            yield "", f"{name} {_score(figures)}"


def _score(figures: Any) -> str:
    try:
        low, high = figures["interval"]
        exact = intervals.as_text(figures["exact_match"], (low, high))
        return f"exact match {exact}   CER {figures['cer']:.1%}   {figures['lines']} lines"
    except (TypeError, ValueError, LookupError, ArithmeticError):
        return as_text(figures)


def origin(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a provenance says, without the settings, as names with texts."""
    if not record:
        yield "provenance", "not in the file"
        return
    base = as_text(record.get("base_file", record.get("base_model", "")))
    yield "trained from", f"{base}, weights {as_text(record.get('weights', 'not known'))}"
    if teacher := record.get("teacher"):
        yield "taught by", f"weights {as_text(teacher)}"
    for key in ("data", "software", "machine", "options"):
        part = record.get(key, {})
        known = {key: part} if not isinstance(part, dict) else {k: v for k, v in part.items() if v}
        for number, (name, value) in enumerate(known.items()):
            yield "" if number else key, f"{name}: {as_text(value)}"
