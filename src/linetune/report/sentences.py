"""Sentences that the report of a run and its model card share."""

from __future__ import annotations

from linetune.evaluation.acceptance import confidence_text
from linetune.evaluation.result import Evaluation
from linetune.report.words import Words
from linetune.training.result import BY_RULE, UNTRAINED


def model_name(name: str, say: Words) -> str:
    """Return the name of a row in the language of the page."""
    if name == BY_RULE:
        return say("the kept model, by its rule")
    if name.startswith("teacher ("):
        return say("teacher ({model})", model=name[len("teacher (") : -1])
    model, _, kind = name.rpartition(", ")
    if not model:
        return say("stage {name}", name=name.removeprefix("stage "))
    if kind == UNTRAINED:
        return say("{model}, limited to the charset", model=model)
    return say("{model}, untouched", model=model)


def calibration(kept: Evaluation, say: Words) -> str:
    """Return what the calibration error means, and whether the model is too sure."""
    error, low, high = kept.reliability.error, *kept.score.interval
    mean = sum(reading.confidence for reading in kept.readings) / len(kept.readings)
    values = {"confidence": confidence_text(mean), "exact": f"{kept.score.exact_match:.1%}"}
    if mean > high:
        which = say(
            "The model is too sure: its mean confidence is {confidence}, and {exact} of its readings are "
            "right.",
            **values,
        )
    elif mean < low:
        which = say(
            "The model is not sure enough: its mean confidence is {confidence}, and {exact} of its readings "
            "are right.",
            **values,
        )
    else:
        which = say(
            "On the whole, it is neither too sure nor too unsure: its mean confidence is {confidence}, and "
            "{exact} of its readings are right.",
            **values,
        )
    meaning = say(
        "The calibration error is {error}: a confidence is on average {points} points away from the share "
        "of readings with such a confidence that are right.",
        error=f"{error:.1%}",
        points=f"{error * 100:.1f}",
    )
    return say(" ").join((meaning, which))
