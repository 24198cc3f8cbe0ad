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
from linetune.evaluation.promise import Promise, percent
from linetune.evaluation.result import Evaluation
from linetune.formats import store
from linetune.report import breakdown, figures
from linetune.report.card import CARD, write_card
from linetune.report.facts import Facts
from linetune.report.gallery import misread
from linetune.report.glossary import Linker, glossary
from linetune.report.history import StageHistory, histories
from linetune.report.page import rendered
from linetune.report.recorded import CONFIG, Recorded, read_run
from linetune.report.sentences import calibration, model_name
from linetune.report.verdict import verdict
from linetune.report.words import Words

PAGE = "report.html"
"""The page in the run folder."""
CONFUSIONS, CHARACTERS, SOURCES = 15, 15, 30
"""Most rows of these tables."""
NAMED = 10
"""Most characters that are named below their table."""


def write_report(
    folder: Path, say: Words, path: Path | None = None, reporter: Reporter | None = None
) -> Path:
    """Write the page of a complete run and return its path. Replaces an existing page.

    In the run folder, the model card is written beside the page, unless a person has changed it.

    Args:
        folder: the run folder.
        say: the language of the page. The card is always in English.
        path: the page. By default, ``report.html`` in the run folder.
        reporter: gets progress where the models of an older run read again, and what the user should know.

    Raises:
        LinetuneError: the folder has no complete run, or a file cannot be written.
    """
    path = path or folder / PAGE
    run = read_run(folder, reporter)
    text = report(run, say)
    with os_errors("cannot write the report", path):
        atomic.write_text(path, text)
    if path == folder / PAGE and not write_card(run) and reporter:
        reporter.say(f"{folder / CARD} was changed by hand, and stays; without it, linetune writes a new one")
    return path


def report(run: Recorded, say: Words) -> str:
    """Return the page of a run."""
    results, split = run.results, run.split
    rows = results["rows"]
    names = [row["name"].removeprefix("stage ") for row in rows[2:]]
    stages = histories(run.journal, names)
    kept, base = run.kept.get(split), run.base.get(split)
    starts = accumulate((stage.length for stage in stages), initial=0)
    commands = _commands(run)
    facts = Facts.of(run, bool(stages and stages[-1].overfit), commands)
    found, words = verdict(facts, say), glossary(say)
    errors = list(misread(kept, base, say)) if kept else []
    return rendered(
        "report.html",
        say,
        title=say("Report of run {name}", name=run.folder.resolve().name),
        run=run,
        split=split,
        verdict=found,
        command=_command(run, found.promise) if found.promise else "",
        commands=commands,
        onnx=onnx if (onnx := run.folder / store.ONNX).is_file() else "",
        loses=facts.loses,
        confidence=confidence_text,
        rows=run.rows,
        stages=stages,
        overfitting=[text for text in map(partial(_overfitting, say), stages, starts) if text],
        diamonds=any(stage.kept for stage in stages),
        curves=figures.curves(stages, say) if stages else "",
        general=results.get("general_reading", {}),
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
        name_of=lambda name: model_name(name, say),
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
        "calibration": calibration(kept, say),
        "reliability": figures.reliability(kept.reliability, say),
        "risk": figures.risk_coverage(confidences, kept.score.correct, say),
        "accepted": kept.accepted(),
    }


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
