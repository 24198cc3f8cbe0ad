"""What a run came to, in a few sentences: is the model better, may it be deployed, and what comes next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from linetune.core.charset import show
from linetune.evaluation.acceptance import DIGITS
from linetune.evaluation.comparison import Comparison
from linetune.evaluation.metrics import Score
from linetune.evaluation.promise import Promise, needed, percent, search
from linetune.evaluation.result import Evaluation
from linetune.report.words import Words

MAX_ERROR = 0.01
"""The error of accepted readings that a deployment is judged by, 0 to 1."""
ERRORS = (0.05, 0.02, MAX_ERROR)
"""The errors that the verdict tries to prove, the largest first."""
NARROW = 0.06
"""Width of an interval of exact match that is narrow enough to decide on, 0 to 1."""
SURE = 0.95
"""A wrong reading with this confidence is a reason to look at the label."""
FEW_SURE = 3
"""Fewest such readings that are worth a step."""
OFTEN = 3
"""A confusion that occurs this many times is worth a step."""
STEPS = 2
"""Most next steps."""
_Z2 = 1.96**2
"""Square of the normal quantile of a 95 % interval."""

Outcome = Literal["better", "same", "worse", "unhelped"]


@dataclass(frozen=True)
class Facts:
    """What the verdict depends on."""

    score: Score
    """The kept model on the test crops, or on the validation crops if there are no test crops."""
    tested: bool
    """Whether the score is that of test crops."""
    gain: Comparison | None
    """The kept model (B) compared with the limited base model (A). None if they are the same."""
    readings: Evaluation | None = None
    """The readings of the kept model on the same crops. None if they are not known."""
    overfits: bool = False
    """Whether the last stage overfits."""


@dataclass(frozen=True)
class Verdict:
    """The sentences of a verdict."""

    outcome: Outcome
    result: str
    """Whether the model is better, by how much, and how sure that is."""
    deployment: str
    """Whether the model may be deployed."""
    promise: Promise | None
    """The threshold for a deployment. None if the readings prove none."""
    steps: list[str]
    """What to do next, the most important first."""


def verdict(facts: Facts, say: Words) -> Verdict:
    """Return the verdict on a run in the language of ``say``."""
    outcome = _outcome(facts.gain)
    promise = _promise(facts.readings) if facts.tested and outcome != "worse" else None
    steps = [*_steps(facts, outcome, say)][:STEPS]
    if not steps:
        steps = [say("Nothing is urgent. Compare new crops with these now and then (linetune drift).")]
    return Verdict(
        outcome, _result(facts, outcome, say), _deployment(facts, outcome, promise, say), promise, steps
    )


def _outcome(gain: Comparison | None) -> Outcome:
    if gain is None:
        return "unhelped"
    if not gain.beyond_chance:
        return "same"
    return "better" if gain.difference > 0 else "worse"


def _result(facts: Facts, outcome: Outcome, say: Words) -> str:
    score, gain = facts.score, facts.gain
    lines = f"{score.lines:,}"
    crops = (
        say("{lines} test crops", lines=lines)
        if facts.tested
        else say("{lines} validation crops", lines=lines)
    )
    values = {"exact": f"{score.exact_match:.1%}", "crops": crops}
    if gain is None:
        return say(
            "Training did not help: the run keeps the base model, which reads {exact} of {crops} exactly.",
            **values,
        )
    low, high = gain.interval
    values |= {
        "points": f"{abs(gain.difference) * 100:.1f}",
        "low": f"{low * 100:+.1f}",
        "high": f"{high * 100:+.1f}",
        "p": "p < 0.001" if gain.p_value < 0.001 else f"p = {gain.p_value:.3f}",
    }
    if outcome == "better":
        result = say(
            "The model is better than before: it reads {exact} of {crops} exactly, {points} points more "
            "than the base model (95% interval {low} to {high}; McNemar's test, {p}).",
            **values,
        )
    elif outcome == "worse":
        result = say(
            "The model is worse than before: it reads {exact} of {crops} exactly, {points} points less "
            "than the base model (95% interval {low} to {high}; McNemar's test, {p}).",
            **values,
        )
    else:
        result = say(
            "No difference beyond chance: the model reads {exact} of {crops} exactly, and the difference "
            "to the base model is {low} to {high} points (95% interval; McNemar's test, {p}).",
            **values,
        )
    if facts.tested:
        return result
    flattery = say("These crops also chose the model: on new crops, the gain is probably smaller.")
    return f"{result} {flattery}"


def _deployment(facts: Facts, outcome: Outcome, promise: Promise | None, say: Words) -> str:
    readings = facts.readings
    if outcome == "worse":
        return say("Do not deploy it: the base model reads more crops right.")
    if not facts.tested:
        return say("Whether it may be deployed is not known: there are no test crops.")
    if readings is None:
        return say("Whether it may be deployed is not known: the readings of the test crops are missing.")
    if promise is None:
        return say(
            "Do not deploy it without a person who checks every reading: these crops cannot prove an "
            "error of at most {error}, whatever the confidence.",
            error=percent(ERRORS[0]),
        )
    accepted = {
        "threshold": f"{promise.threshold:.{DIGITS}f}",
        "coverage": f"{promise.coverage:.0%}",
        "error": percent(promise.max_error),
    }
    strict, all_of_them = promise.max_error <= MAX_ERROR, promise.accepted == promise.readings
    if strict and all_of_them:
        return say(
            "It may be deployed without a person: at most {error} of its readings are wrong, with "
            "95% confidence.",
            **accepted,
        )
    if all_of_them:
        return say(
            "If an error of {error} is small enough, it may be deployed without a person: at most "
            "{error} of its readings are wrong, with 95% confidence.",
            **accepted,
        )
    if not strict:
        return say(
            "If an error of {error} is small enough, it may be deployed with a person for the rest: "
            "accept readings with a confidence of {threshold} or more. They are {coverage} of the "
            "crops, and at most {error} of them are wrong, with 95% confidence. A smaller error is "
            "not proved. This command writes the threshold into the model:",
            **accepted,
        )
    return say(
        "It may be deployed with a person for the rest: accept readings with a confidence of "
        "{threshold} or more. They are {coverage} of the crops, and at most {error} of them are "
        "wrong, with 95% confidence. This command writes the threshold into the model:",
        **accepted,
    )


def _promise(readings: Evaluation | None) -> Promise | None:
    """Return the threshold of the smallest error that is proved.

    The largest error is tested first, and the first failure ends the tests. Then the probability of any false
    promise is at most 5 % (fixed-sequence testing), although several errors are tried.
    """
    found = None
    for error in ERRORS if readings else ():
        assert readings
        proved, _ = _search(readings, error)
        if proved is None:
            break
        found = proved
    return found


def _search(readings: Evaluation, error: float = MAX_ERROR) -> tuple[Promise | None, Promise | None]:
    confidences = [reading.confidence for reading in readings.readings]
    return search(confidences, readings.score.correct, error)


def _steps(facts: Facts, outcome: Outcome, say: Words) -> Iterator[str]:
    """Yield what to do next, the most important first."""
    readings = facts.readings
    if not facts.tested:
        yield say(
            "Label at least {crops} test crops and name them in data.test: so many right readings "
            "prove an error of at most {error}.",
            crops=needed(0, MAX_ERROR),
            error=percent(MAX_ERROR),
        )
    if outcome == "worse":
        yield say(
            "Keep the base model. Look for wrong training labels (linetune suspects), and for crops "
            "unlike the test crops."
        )
    elif outcome == "unhelped":
        yield say(
            "Look for wrong training labels (linetune suspects), then add training crops like those "
            "that are misread."
        )
    if readings is None:
        return
    proof = [*_proof(readings, say)] if facts.tested else []
    yield from proof
    sure = [number for number in readings.misread if readings.readings[number].confidence >= SURE]
    if len(sure) >= FEW_SURE and not proof:
        yield say(
            "Check the labels of the {crops} errors with a confidence of {sure} or more: where the "
            "model is so sure, the label may be wrong.",
            crops=len(sure),
            sure=f"{SURE:.0%}",
        )
    if facts.overfits and readings.misread:
        yield say(
            "The last stage overfits: more training crops help more than more steps. linetune "
            "learning-curve estimates how much."
        )
    if confusions := _frequent(readings):
        pairs = ", ".join(f"{show(wanted)} → {show(read)} ({times}×)" for (wanted, read), times in confusions)
        yield say("Add training crops with the characters that are confused most: {pairs}.", pairs=pairs)
    low, high = facts.score.interval
    if facts.tested and high - low > NARROW:
        yield say(
            "Label more test crops: exact match is only known to be {low} to {high}. About {crops} "
            "crops give ±{half} points.",
            **_needed_crops(facts.score),
        )


def _proof(readings: Evaluation, say: Words) -> Iterator[str]:
    """Yield how many labels it takes to prove a promise, if the labels prove none."""
    found, failed = _search(readings)
    if found is not None:
        return
    total, error = len(readings.lines), percent(MAX_ERROR)
    if failed is None:
        yield say(
            "Label {crops} more test crops: {fewest} right readings are the fewest that prove an "
            "error of at most {error}.",
            crops=needed(0, MAX_ERROR) - total,
            fewest=needed(0, MAX_ERROR),
            error=error,
        )
    else:
        more = needed(failed.wrong, MAX_ERROR) - failed.accepted
        yield say(
            "Look at the surest errors first: {wrong} of the {accepted} surest readings are wrong. "
            "If their labels are right, it takes {crops} more such readings that are right to prove "
            "an error of at most {error}.",
            wrong=failed.wrong,
            accepted=failed.accepted,
            crops=more,
            error=error,
        )


def _frequent(readings: Evaluation) -> Sequence[tuple[tuple[str, str], int]]:
    """Return the most frequent confusions of two characters."""
    often = [(pair, times) for pair, times in readings.confusions if all(pair) and times >= OFTEN]
    return often[:3]


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
