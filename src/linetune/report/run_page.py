"""The page of a run: is it better, may it be deployed, what it confuses, and what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from linetune.core import atomic
from linetune.core.charset import show
from linetune.core.errors import os_errors
from linetune.core.progress import Reporter
from linetune.data.check.findings import KINDS
from linetune.evaluation.acceptance import confidence_text
from linetune.evaluation.comparison import Comparison
from linetune.evaluation.metrics import Score
from linetune.evaluation.promise import Promise, percent
from linetune.evaluation.result import Evaluation
from linetune.report import breakdown, figures
from linetune.report.facts import Facts
from linetune.report.gallery import misread
from linetune.report.glossary import Linker, glossary
from linetune.report.history import StageHistory, histories
from linetune.report.page import rendered
from linetune.report.recorded import CONFIG, Recorded, read_run
from linetune.report.verdict import verdict
from linetune.report.words import Words
from linetune.training.result import BY_RULE, UNTRAINED

PAGE = "report.html"
"""The page in the run folder."""
CONFUSIONS, CHARACTERS, SOURCES = 15, 15, 30
"""Most rows of these tables."""
NAMED = 10
"""Most characters that are named below their table."""
ONNX = "model.onnx"
"""The exported model in the run folder."""


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
    starts = accumulate((stage.length for stage in stages), initial=0)
    commands = _commands(run)
    row = next(each for each in rows if each["name"] == results["best"])
    facts = Facts(
        Score.of(row[split]),
        split == "test",
        _comparison(gain),
        kept,
        bool(stages and stages[-1].overfit),
        run.config.reading_rule is not None,
        (Score.of(general["before"]), Score.of(general["after"])) if general.get("before") else None,
        _comparison(general.get("comparison")),
        commands,
    )
    found, words = verdict(facts, say), glossary(say)
    errors = list(misread(kept, base, say)) if kept else []
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
        commands=commands,
        onnx=onnx if (onnx := run.folder / ONNX).is_file() else "",
        loses=facts.loses,
        confidence=confidence_text,
        rows=[*rows, *(results[name] for name in ("teacher", "by_rule") if name in results)],
        stages=stages,
        overfitting=[text for text in map(partial(_overfitting, say), stages, starts) if text],
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
        show=lambda text: say("space") if text == " " else show(text) if text else "",
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


def _comparison(figures: Mapping[str, Any] | None) -> Comparison | None:
    """Return a comparison from its figures in the results. None if they have none."""
    return Comparison(figures["only_a"], figures["only_b"], figures["lines"]) if figures else None


def _commands(run: Recorded) -> dict[str, str]:
    """Return the commands that a report names, with their arguments."""
    config, folder = str(run.folder / CONFIG), str(run.folder)
    return {
        name: shlex.join(["linetune", name, *arguments])
        for name, arguments in (
            ("check", [config]),
            ("suspects", [config]),
            ("learning-curve", [config]),
            ("rule", list(map(str, run.config.data.train))),
            ("predict", [folder, "FOLDER"]),
            ("drift", [folder, "FOLDER"]),
        )
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


def _breakdown(kept: Evaluation, say: Words) -> dict[str, Any]:
    """Return the parts of the page that depend on the readings of the kept model."""
    confidences = [reading.confidence for reading in kept.readings]
    characters = breakdown.by_character(kept)
    imperfect = [each for each in characters if each.wrong]
    others = [each.name for each in imperfect[CHARACTERS:]]
    named = [say("space") if each == " " else show(each) for each in others[:NAMED]]
    return {
        "lengths": figures.lengths(breakdown.by_length(kept), say),
        "characters": imperfect[:CHARACTERS],
        "others": len(others),
        "others_named": say(", ").join(named) + (" …" if len(others) > NAMED else ""),
        "perfect": len(characters) - len(imperfect),
        "sources": breakdown.by_source(kept)[:SOURCES],
        "confusions": kept.confusions[:CONFUSIONS],
        "all_confusions": len(kept.confusions),
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
    return say(" ").join((meaning, which))


def _overfitting(say: Words, stage: StageHistory, start: int) -> str:
    """Return a sentence about the overfitting of a stage. Empty if it does not overfit.

    Args:
        say: the language.
        stage: the stage.
        start: number of steps of the stages before it, which the plot counts too.
    """
    if (found := stage.overfit) is None:
        return ""
    step, shown = (f"{steps:,}" for steps in (found.best.step, start + found.best.step))
    place = (
        say("step {step} ({shown} in the plot)", step=step, shown=shown)
        if start
        else say("step {step}", step=step)
    )
    return say(
        "Stage {name} overfits after its {place}: the training loss falls from {before} to {after}, "
        "and the label probability of the validation crops falls from {high} to {low}. This does no harm: "
        "the stage keeps the weights of its best validation. For a better model, add training crops rather "
        "than steps.",
        name=stage.name,
        place=place,
        before=figures.plain(found.best.loss, 2),
        after=figures.plain(found.worst.loss, 2),
        high=f"{found.best.label_probability:.1%}",
        low=f"{found.worst.label_probability:.1%}",
    )
