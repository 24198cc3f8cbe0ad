"""What a run came to, in a few sentences: is the model better, may it be deployed, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass

from linetune.evaluation.acceptance import DIGITS
from linetune.evaluation.promise import Promise, needed, percent
from linetune.evaluation.result import Evaluation
from linetune.report.facts import MAX_ERROR, Facts, Outcome, proved
from linetune.report.steps import Step, steps
from linetune.report.words import Words

ERRORS = (0.05, 0.02, MAX_ERROR)
"""The errors that the verdict tries to prove, the largest first."""
STEPS = 2
"""Most next steps."""


@dataclass(frozen=True)
class Verdict:
    """The sentences of a verdict."""

    outcome: Outcome
    result: str
    """Whether the model is better, by how much, and how sure that is."""
    deployment: str
    """Whether the model may be deployed."""
    forgotten: str
    """That the model reads everyday texts much worse than the base model. Empty if it does not."""
    promise: Promise | None
    """The threshold for a deployment. None if the readings prove none."""
    steps: list[Step]
    """What to do next, the most important first."""
    surest: int
    """Number of the surest errors that a step asks people to look at."""


def verdict(facts: Facts, say: Words) -> Verdict:
    """Return the verdict on a run in the language of ``say``."""
    promise = _promise(facts.readings) if facts.tested and facts.outcome != "worse" else None
    todo = [*steps(facts, say)][:STEPS] or [_nothing(facts, say)]
    return Verdict(
        facts.outcome,
        _result(facts, say),
        _deployment(facts, promise, say),
        _forgotten(facts, say),
        promise,
        todo,
        max(step.surest for step in todo),
    )


def _nothing(facts: Facts, say: Words) -> Step:
    nothing = say("Nothing is urgent. Compare new crops with these now and then (linetune drift).")
    return Step(nothing, command=facts.commands.get("drift", ""))


def _result(facts: Facts, say: Words) -> str:
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
        "before": f"{score.exact_match - gain.difference:.1%}",
        "points": f"{gain.difference * 100:+.1f}",
        "low": f"{low * 100:+.1f}",
        "high": f"{high * 100:+.1f}",
        "p": "p < 0.001" if gain.p_value < 0.001 else f"p = {gain.p_value:.3f}",
    }
    scores = say(
        "The model reads {exact} of {crops} exactly. The base model, limited to the charset, reads {before}.",
        **values,
    )
    if facts.outcome == "better":
        judgement = say(
            "The model is better: {points} points (95% interval {low} to {high}; McNemar's test, {p}).",
            **values,
        )
    elif facts.outcome == "worse":
        judgement = say(
            "The model is worse: {points} points (95% interval {low} to {high}; McNemar's test, {p}).",
            **values,
        )
    else:
        judgement = say(
            "There is no difference beyond chance: {points} points (95% interval {low} to {high}; McNemar's "
            "test, {p}).",
            **values,
        )
    result = [scores, judgement]
    if not facts.tested:
        result += [say("These crops also chose the model: on new crops, the gain is probably smaller.")]
    return say(" ").join(result)


def _deployment(facts: Facts, promise: Promise | None, say: Words) -> str:
    readings = facts.readings
    if facts.outcome == "worse":
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
    return _promised(promise, readings, say)


def _promised(promise: Promise, readings: Evaluation, say: Words) -> str:
    """Return how to deploy a model with a promise, and why a smaller error cannot be promised."""
    coverage = round(100 * promise.coverage, promise.coverage > 0.99)
    accepted = {
        "threshold": f"{promise.threshold:.{DIGITS}f}",
        "coverage": f"{coverage:g}%",
        "rest": f"{100 - coverage:.3g}%",
        "error": percent(promise.max_error),
    }
    strict = promise.max_error <= MAX_ERROR
    if promise.accepted == promise.readings:
        certain = say("We are 95% certain that at most {error} of its readings are wrong.", **accepted)
        how = (
            say("You may deploy the model without a person who checks its readings.")
            if strict
            else say(
                "You may deploy the model without a person who checks its readings, if {error} wrong "
                "readings are acceptable.",
                **accepted,
            )
        )
    else:
        certain = say(
            "We are 95% certain that at most {error} of the accepted readings are wrong.", **accepted
        )
        how = (
            say(
                "You may deploy the model: accept readings whose confidence is at least {threshold} "
                "({coverage} of the crops), and have a person read the other {rest}.",
                **accepted,
            )
            if strict
            else say(
                "You may deploy the model if {error} wrong readings are acceptable: accept readings whose "
                "confidence is at least {threshold} ({coverage} of the crops), and have a person read the "
                "other {rest}.",
                **accepted,
            )
        )
    return say(" ").join((how, certain) if strict else (how, certain, _unproved(readings, say)))


def _unproved(readings: Evaluation, say: Words) -> str:
    """Return why the smallest error cannot be promised, and what is missing."""
    _, failed = proved(readings)
    error = percent(MAX_ERROR)
    if failed is None:
        return say(
            "{error} cannot be promised yet: that takes at least {fewest} right readings.",
            error=error,
            fewest=needed(0, MAX_ERROR),
        )
    return say(
        "{error} cannot be promised yet: {wrong} of the {accepted} surest readings are wrong. With so many "
        "errors, the promise takes {needed} such readings.",
        error=error,
        wrong=failed.wrong,
        accepted=failed.accepted,
        needed=needed(failed.wrong, MAX_ERROR),
    )


def _forgotten(facts: Facts, say: Words) -> str:
    if not facts.forgets or facts.general is None:
        return ""
    before, after = (f"{score.exact_match:.1%}" for score in facts.general)
    return say(
        "The model reads everyday texts worse than the base model ({after} instead of {before}): this "
        "matters only if it has to read other texts than those of this run.",
        before=before,
        after=after,
    )


def _promise(readings: Evaluation | None) -> Promise | None:
    """Return the threshold of the smallest error that is proved.

    The largest error is tested first, and the first failure ends the tests. Then the probability of any false
    promise is at most 5 % (fixed-sequence testing), although several errors are tried.
    """
    found = None
    for error in ERRORS if readings else ():
        assert readings
        promise, _ = proved(readings, error)
        if promise is None:
            break
        found = promise
    return found
