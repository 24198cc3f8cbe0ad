"""What to do next after a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from linetune.core.charset import show
from linetune.evaluation.acceptance import DIGITS
from linetune.evaluation.metrics import Confusion, Score
from linetune.evaluation.promise import further, needed, percent
from linetune.evaluation.result import Evaluation
from linetune.report.breakdown import crops_by_confusion
from linetune.report.facts import MAX_ERROR, Facts, proved
from linetune.report.words import Words

NARROW = 0.06
"""Width of an interval of exact match that is narrow enough to decide on, 0 to 1."""
SURE = 0.95
"""A wrong reading with this confidence is a reason to look at the label."""
FEW_SURE = 3
"""Fewest such readings that are worth a step."""
OFTEN, OFTEN_SHARE = 5, 0.1
"""A confusion is worth a step if it is in so many misread crops, and in this share of them."""
SPACES: tuple[Confusion, Confusion] = (" ", ""), ("", " ")
"""A space that is left out, and one that is added."""
NAMED = 3
"""Most confusions that a step names."""
_Z2 = 1.96**2
"""Square of the normal quantile of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Step:
    """One next step."""

    text: str
    surest: int = 0
    """Number of the surest errors that the step asks people to look at."""
    command: str = ""
    """The command that the step names, with its arguments. Empty if it names none."""


def steps(facts: Facts, say: Words) -> Iterator[Step]:
    """Yield what to do next, the most important first, in the language of ``say``."""
    readings = facts.readings
    if not facts.tested:
        yield Step(
            say(
                "Label at least {crops} test crops and name them in data.test: so many right readings "
                "prove an error of at most {error}.",
                crops=needed(0, MAX_ERROR),
                error=percent(MAX_ERROR),
            )
        )
    if facts.outcome == "worse":
        yield Step(
            say(
                "Keep the base model. Look for wrong training labels (linetune suspects), and for crops "
                "unlike the test crops."
            ),
            command=facts.commands.get("suspects", ""),
        )
    elif facts.outcome == "unhelped":
        yield Step(
            say(
                "Look for wrong training labels (linetune suspects), then add training crops like those "
                "that are misread."
            ),
            command=facts.commands.get("suspects", ""),
        )
    if readings is None:
        return
    proof = [*_proof(readings, say)] if facts.tested else []
    yield from proof or _sure_errors(readings, say)
    if facts.overfits and readings.misread:
        yield Step(
            say(
                "For a better model, add training crops rather than steps: the last stage overfits. "
                "linetune learning-curve estimates how much more crops help."
            ),
            command=facts.commands.get("learning-curve", ""),
        )
    yield from _frequent_errors(readings, facts, say)
    low, high = facts.score.interval
    if facts.tested and high - low > NARROW:
        yield Step(
            say(
                "Label more test crops: exact match is only known to be {low} to {high}. About {crops} "
                "test crops in all give ±{half} points.",
                **_needed_crops(facts.score),
            )
        )


def _proof(readings: Evaluation, say: Words) -> Iterator[Step]:
    """Yield how many labels it takes to prove a promise, if the labels prove none."""
    found, failed = proved(readings)
    if found is not None:
        return
    error = percent(MAX_ERROR)
    more = further([each.confidence for each in readings.readings], readings.score.correct, MAX_ERROR)
    if failed is None:
        text = say(
            "Label more test crops, at least {crops}: a proof of an error of at most {error} takes so many "
            "more right readings.",
            crops=more,
            error=error,
        )
        yield Step(text)
        return
    text = say(
        "Look at the {wrong} surest errors first, because a label may be wrong. If these labels are right, "
        "label more test crops. A proof of an error of at most {error} takes at least {crops} more readings "
        "with a confidence of {threshold} or more, all of them right.",
        wrong=failed.wrong,
        crops=more,
        threshold=f"{failed.threshold:.{DIGITS}f}",
        error=error,
    )
    yield Step(text, failed.wrong)


def _sure_errors(readings: Evaluation, say: Words) -> Iterator[Step]:
    """Yield that labels may be wrong where the model is sure of another text."""
    sure = sum(readings.readings[number].confidence >= SURE for number in readings.misread)
    if sure >= FEW_SURE:
        text = say(
            "Check the labels of the {crops} errors with a confidence of {sure} or more: where the "
            "model is so sure, the label may be wrong.",
            crops=sure,
            sure=f"{SURE:.{DIGITS}f}",
        )
        yield Step(text, sure)


def _frequent_errors(readings: Evaluation, facts: Facts, say: Words) -> Iterator[Step]:
    """Yield what helps against the errors that are in many crops, the most frequent error first."""
    least = max(OFTEN, OFTEN_SHARE * len(readings.misread))
    crops = crops_by_confusion(readings)
    missing, added = (0, 0) if facts.by_rule else (crops.get(pair, 0) for pair in SPACES)
    others = [pair for pair in crops if crops[pair] >= least and (facts.by_rule or pair not in SPACES)]
    found = []
    if missing + added >= least:
        text = say(
            "Say where spaces may be: {missing} misread crops lack a space, and {added} have one too many. "
            "linetune rule proposes a rule from the labels, and reading_rule in the run file makes the "
            "model read by it.",
            missing=missing,
            added=added,
        )
        found.append((missing + added, Step(text, command=facts.commands.get("rule", ""))))
    if others:
        named = (
            say("{error} ({crops}×)", error=_named(pair, say), crops=crops[pair]) for pair in others[:NAMED]
        )
        pairs = say(", ").join(named)
        text = say("Add training crops with what is misread most often: {pairs}.", pairs=pairs)
        found.append((crops[others[0]], Step(text)))
    yield from (step for _, step in sorted(found, key=lambda each: -each[0]))


def _named(pair: Confusion, say: Words) -> str:
    """Return a confusion for people to read."""
    wanted, read = (say("space") if each == " " else show(each) if each else "" for each in pair)
    if not read:
        return say("{character} left out", character=wanted)
    if not wanted:
        return say("{character} added", character=read)
    return say("{wanted} → {read}", wanted=wanted, read=read)


def _needed_crops(score: Score) -> dict[str, str]:
    """Return the interval of a score, and how many crops would make it narrow."""
    low, high = score.interval
    share = min(max(score.exact_match, 0.5 / score.lines), 1 - 0.5 / score.lines)
    crops = math.ceil(_Z2 * share * (1 - share) / (NARROW / 2) ** 2 / 10) * 10
    return {
        "low": f"{low:.1%}",
        "high": f"{high:.1%}",
        "crops": f"{crops:,}",
        "half": f"{NARROW * 50:.0f}",
    }
