"""The page of a run: is it better, may it be deployed, what it confuses, and what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linetune.core import atomic
from linetune.core.charset import show
from linetune.core.errors import os_errors
from linetune.core.image import Crop
from linetune.core.progress import Reporter
from linetune.core.reading_order import is_right_to_left
from linetune.data.check.findings import KINDS
from linetune.evaluation.acceptance import confidence_text
from linetune.evaluation.comparison import Comparison
from linetune.evaluation.metrics import Score
from linetune.evaluation.promise import Promise, percent
from linetune.evaluation.result import Evaluation
from linetune.report import breakdown, figures
from linetune.report.facts import Facts
from linetune.report.glossary import Linker, glossary
from linetune.report.history import StageHistory, histories
from linetune.report.page import Marked, marked_difference, read_crop, rendered, visible
from linetune.report.recorded import CONFIG, Recorded, read_run
from linetune.report.verdict import verdict
from linetune.report.words import Words
from linetune.training.result import BY_RULE, UNTRAINED

PAGE = "report.html"
"""The page in the run folder."""
ERRORS = 1000
"""Most errors that a page shows."""
CONFUSIONS, CHARACTERS, SOURCES = 15, 15, 30
"""Most rows of these tables."""
UNSURE, UNSURE_SHOWN = 0.9, 3
"""A character below this confidence is unsure. This many are named."""


@dataclass(frozen=True)
class Misread:
    """One error in the gallery."""

    crop: Crop | None
    """None if the picture cannot be read."""
    label: str
    marked_label: Marked
    marked_read: Marked
    difference: str
    """The characters that differ, such as ``8 → B, ␣ → ∅``."""
    confidence: float
    characters: list[tuple[str, float]]
    """The characters of the reading with their confidences. Empty if they are not known."""
    unsure: list[tuple[str, float]]
    """The least sure characters, the least sure first."""
    source: str
    lost: bool
    """Whether the base model reads the crop right."""


def write_report(
    folder: Path, say: Words, path: Path | None = None, reporter: Reporter | None = None
) -> Path:
    """Write the page of a complete run and return its path. Replaces an existing page.

    Args:
        folder: the run folder.
        say: the language.
        path: the page. By default, ``report.html`` in the run folder.
        reporter: gets progress where the models of an older run read again.

    Raises:
        LinetuneError: the folder has no complete run, or the page cannot be written.
    """
    path = path or folder / PAGE
    text = report(read_run(folder, reporter), say)
    with os_errors("cannot write the report", path):
        atomic.write_text(path, text)
    return path


def report(run: Recorded, say: Words) -> str:
    """Return the page of a run."""
    results, split = run.results, run.split
    rows = results["rows"]
    names = [row["name"].removeprefix("stage ") for row in rows[2:]]
    stages = histories(run.journal, names)
    kept, base = run.kept.get(split), run.base.get(split)
    gain, general = results["gain"].get(split), results.get("general_reading", {})
    row = next(each for each in rows if each["name"] == results["best"])
    facts = Facts(
        Score.of(row[split]),
        split == "test",
        gain and Comparison(gain["only_a"], gain["only_b"], gain["lines"]),
        kept,
        bool(stages and stages[-1].overfit),
        run.config.reading_rule is not None,
        (Score.of(general["before"]), Score.of(general["after"])) if general.get("before") else None,
    )
    found, words = verdict(facts, say), glossary(say)
    errors = list(_misread(kept, base)) if kept else []
    return rendered(
        "report.html",
        language=say.tag,
        title=say("Report of run {name}", name=run.folder.resolve().name),
        skip=say("Skip to the content"),
        say=say,
        run=run,
        split=split,
        verdict=found,
        command=_command(run, found.promise) if found.promise else "",
        check=shlex.join(["linetune", "check", str(run.folder / CONFIG)]),
        confidence=confidence_text,
        rows=[*rows, *(results[name] for name in ("teacher", "by_rule") if name in results)],
        stages=stages,
        overfitting=[text for stage in stages if (text := overfitting(stage, say))],
        diamonds=any(stage.kept for stage in stages),
        curves=figures.curves(stages, say) if stages else "",
        general=general,
        taught_itself=results.get("self_training", {}),
        **_records(results, say),
        explained=Linker(words),
        words=words,
        errors=errors,
        missing=sum(error.crop is None for error in errors),
        findings=[(KINDS.get(kind, kind), number) for kind, number in results.get("findings", {}).items()],
        real=run.labelled() if (examples := run.rendered()) else [],
        examples=examples,
        show=lambda text: _character(text, say),
        name_of=lambda name: _name(name, say),
        kept=kept,
        **(_breakdown(kept, say) if kept else {}),
    )


def _records(results: Mapping[str, Any], say: Words) -> dict[str, Any]:
    """Return what the table of the models needs to know of the records of a run."""
    rows, seconds = results["rows"], results.get("seconds") or 0
    measured = any(row.get("memory") for row in rows)
    missing = [
        thing
        for recorded, thing in (
            (measured, say("memory")),
            (results.get("general_reading"), say("general reading")),
            (results.get("software"), say("software")),
            (results.get("machine"), say("machine")),
        )
        if not recorded
    ]
    stages = sum(row.get("training_seconds") or 0 for row in rows)
    return {
        "measured": measured,
        "unrecorded": say(", ").join(missing),
        "rest": seconds - stages if stages else 0,
    }


def _command(run: Recorded, promise: Promise) -> str:
    """Return the command that writes a promise into the model of a run."""
    labels = map(str, run.config.data.test or ())
    return shlex.join(
        ["linetune", "threshold", str(run.folder), *labels, "--max-error", percent(promise.max_error)]
    )


def _name(name: str, say: Words) -> str:
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


def _character(text: str, say: Words) -> str:
    """Return a character for people to read. The empty text is that no character was there or was read."""
    return say("nothing") if not text else say("space") if text == " " else show(text)


def _breakdown(kept: Evaluation, say: Words) -> dict[str, Any]:
    """Return the parts of the page that depend on the readings of the kept model."""
    confidences = [reading.confidence for reading in kept.readings]
    characters = breakdown.by_character(kept)
    return {
        "lengths": figures.lengths(breakdown.by_length(kept), say),
        "characters": [each for each in characters if each.wrong][:CHARACTERS],
        "imperfect": sum(each.wrong > 0 for each in characters),
        "perfect": sum(not each.wrong for each in characters),
        "sources": breakdown.by_source(kept)[:SOURCES],
        "confusions": kept.confusions[:CONFUSIONS],
        "matrix": breakdown.matrix(kept),
        "calibration": _calibration(kept, say),
        "reliability": figures.reliability(kept.reliability, say),
        "risk": figures.risk_coverage(confidences, kept.score.correct, say),
        "accepted": kept.accepted(),
    }


def _calibration(kept: Evaluation, say: Words) -> str:
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
    return f"{meaning} {which}"


def _misread(kept: Evaluation, base: Evaluation | None) -> Iterator[Misread]:
    """Yield the errors of the kept model, the surest first."""
    known = base is not None and [line.source for line in base.lines] == [line.source for line in kept.lines]
    before: Sequence[bool] = base.score.correct if base is not None and known else ()
    for number in sorted(kept.misread, key=lambda i: -kept.readings[i].confidence)[:ERRORS]:
        line, reading = kept.lines[number], kept.readings[number]
        marked_label, marked_read = marked_difference(line.text, reading.text)
        # Confidences are from left to right, texts in logical order.
        matching = len(reading.characters) == len(reading.text) and not is_right_to_left(reading.text)
        characters = list(zip(reading.text, reading.characters, strict=True)) if matching else []
        unsure = sorted((each for each in characters if each[1] < UNSURE), key=lambda each: each[1])
        yield Misread(
            read_crop(line.image),
            line.text,
            marked_label,
            marked_read,
            _difference(marked_label, marked_read),
            reading.confidence,
            characters,
            unsure[:UNSURE_SHOWN],
            line.source,
            bool(before) and before[number],
        )


def _difference(label: Marked, read: Marked) -> str:
    """Return the differences of a label and its reading in words that need no colour."""
    pairs = zip(label.pieces, read.pieces, strict=True)
    return ", ".join(f"{visible(*wanted)} → {visible(*got)}" for wanted, got in pairs if wanted[1])


def overfitting(stage: StageHistory, say: Words) -> str:
    """Return a sentence about the overfitting of a stage. Empty if it does not overfit."""
    if (found := stage.overfit) is None:
        return ""
    return say(
        "Stage {name} overfits after step {step}: the training loss falls from {before} to {after}, "
        "and the label probability of the validation crops falls from {high} to {low}. You need not "
        "act: the stage keeps the weights of its best validation. More steps would not help, but more "
        "training crops may.",
        name=stage.name,
        step=found.best.step,
        before=f"{found.best.loss:.2g}",
        after=f"{found.worst.loss:.2g}",
        high=f"{found.best.label_probability:.1%}",
        low=f"{found.worst.label_probability:.1%}",
    )
