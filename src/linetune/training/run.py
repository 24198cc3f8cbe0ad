"""A whole run: the base model, the charset, the crops, all stages in order, the best model, and its
export."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from linetune.config.load import load, save
from linetune.config.schema import Config
from linetune.core import atomic, cache, processes
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.progress import Reporter, Silent, count
from linetune.decode.read import read_crops
from linetune.evaluation.result import Evaluation
from linetune.evaluation.stored import FOLDER, KEPT, write_evaluations
from linetune.formats.store import load_model, save_model
from linetune.training import checkpoint, provenance
from linetune.training.calibrated import calibrated
from linetune.training.chain import Chain
from linetune.training.context import Context, device_of, precision_of
from linetune.training.examples import save_examples
from linetune.training.folder import claimed, refuse_taken
from linetune.training.gather import Inputs, gather
from linetune.training.journal import Journal
from linetune.training.loggers import opened, refuse_missing
from linetune.training.orientation import any_upside_down, turned_upright
from linetune.training.plan import Plan, refuse_lengths
from linetune.training.result import BY_RULE, UNTRAINED, Row, RunResult, base_name
from linetune.training.unlabelled import NAME as UNLABELLED
from linetune.training.unlabelled import believed

COMPARED = 64
"""Most validation crops on which the export is compared with the kept model."""


@dataclass(frozen=True)
class Options:
    """How a run is done, besides its configuration. A run that continues has the same options."""

    skip_bad: bool = False
    """Leave out lines that cannot be used."""
    within: float | None = None
    """Seconds in which the run ends. Fewer crops are rendered if necessary, and stages end sooner."""
    export: bool = True
    """Write ``model.onnx``."""


def train(
    config: Config,
    *,
    overwrite: bool = False,
    skip_bad: bool = False,
    within: float | None = None,
    export: bool = True,
    reporter: Reporter | None = None,
) -> RunResult:
    """Run all stages of a configuration, keep the best model, and export it.

    Each stage starts from the best model so far. Between models, exact match on validation decides, then the
    character error rate. Within a stage, the label probability decides between validations that are better
    than the start of the stage. The test crops are scored, and nothing is chosen on them.

    The run folder gets the model, its export, the results, all settings, and the journal. Until the end, it
    also has checkpoints, from which :func:`resume` continues an interrupted run.

    Args:
        config: the run.
        overwrite: replace an earlier run, but only when a stage is better than the base model, or at the end.
        skip_bad: leave out lines that cannot be used.
        within: seconds in which the run ends. Fewer crops are rendered if necessary, and stages end sooner.
        export: write ``model.onnx``.
        reporter: gets messages and progress.

    Raises:
        LinetuneError: the configuration or the data cannot be used, or the export reads other texts.
    """
    refuse_taken(config.output, overwrite)
    if within is not None:
        refuse_lengths(config)
    with processes.joined():
        return _run(config, Options(skip_bad, within, export), overwrite, None, reporter or Silent())


def resume(folder: Path, overrides: Sequence[str] = (), *, reporter: Reporter | None = None) -> RunResult:
    """Continue an interrupted run from its last checkpoint.

    On the same machine with the same number of threads, the result on a CPU is the same, bit for bit, as
    without the interruption. Only times differ, and with a time limit also what depends on them.

    Args:
        folder: the run folder. It may have been moved.
        overrides: settings such as ``data.train=...`` for data that have been moved, as ``key.path=value``.
        reporter: gets messages and progress.

    Raises:
        LinetuneError: the folder has no interrupted run, or settings or data have changed since it began.
    """
    reporter = reporter or Silent()
    with processes.joined():
        found = _interrupted(folder, overrides, reporter) if processes.is_first() else None
        run = processes.from_first(found)
        assert run is not None
        config, saved = run
        return _run(config, Options(**saved["options"]), False, saved, reporter)


def _interrupted(folder: Path, overrides: Sequence[str], reporter: Reporter) -> tuple[Config, dict[str, Any]]:
    """Return the configuration and the last checkpoint of an interrupted run."""
    path = folder / "config.yaml"
    if not path.is_file():
        raise LinetuneError("the folder has no run to resume", folder, "name the run folder (output=)")
    if (folder / "results.json").exists() and not checkpoint.exist(folder):
        raise LinetuneError("the run is complete; nothing is left to resume", folder)
    with cache.locked(folder):
        saved = checkpoint.newest(folder, reporter)
    return load(path, overrides).model_copy(update={"output": folder}), saved


def _run(
    config: Config,
    options: Options,
    overwrite: bool,
    saved: Mapping[str, Any] | None,
    reporter: Reporter,
) -> RunResult:
    """Do a run from its start, or from a checkpoint. Of several processes, only the first writes files."""
    reporter = reporter if processes.is_first() else Silent()
    seconds, position = (saved["seconds"], saved["journal"]) if saved else (0.0, 0)
    started = time.perf_counter() - seconds
    refuse_missing(config.loggers)
    if any("backbone" in stage.freeze for stage in config.stages):
        cache.check_writable()
    device = device_of(config)
    inputs = gather(config, options.skip_bad, reporter)
    inputs.start.network.to(device)
    if inputs.teacher:
        inputs.teacher.model.network.to(device)
    config, inputs = with_both_ways(config, inputs, reporter)
    about = {"options": asdict(options), "provenance": provenance.record(config, inputs)}
    if saved:
        for text in provenance.refuse_changes(saved["provenance"], about["provenance"], config.output):
            reporter.say(text)
    # Without the record of these options, nobody could repeat the run.
    origin = about["provenance"] | {"options": {"skip_bad": options.skip_bad, "within": options.within}}
    # The calibration and the promise of the base model are not those of the new one.
    inputs = replace(inputs, start=replace(inputs.start, provenance=origin, calibration={}, promise={}))
    result = RunResult(
        config.output,
        unknown_characters=inputs.unknown,
        skipped=inputs.skipped,
        findings=inputs.findings,
        surroundings={key: origin[key] for key in ("options", "software", "machine")},
    )
    untrained = f"{base_name(config.base_model, inputs.base.base_model)}, {UNTRAINED}"
    with ExitStack() as stack:
        journal, folder = Journal(), config.output
        if processes.is_first():
            stack.enter_context(cache.locked(folder))
            stack.enter_context(claimed(folder, overwrite, untrained, reporter, resumed=saved is not None))
            others = opened(config.loggers, folder, origin["settings"], saved is not None, reporter)
            journal = stack.enter_context(Journal.in_folder(folder, position, seconds, reporter, others))
            with os_errors("cannot write to the run folder", folder):
                save(config, folder / "config.yaml")
                inputs.start.charset.write(folder / "charset.txt")
                save_examples(config, inputs)
        context = _context(config, inputs, device, journal, reporter)
        left = options.within and max(1.0, options.within - (time.perf_counter() - started))
        plan = Plan(config, inputs, context, left)
        checkpoints = checkpoint.Checkpoints(folder)
        Chain(inputs, context, result, checkpoints, about).run(plan, untrained, saved)
        processes.leave()  # the first process does the rest
        result.seconds = time.perf_counter() - started
        journal.record("end", best=result.best, total_seconds=result.seconds)
        if not processes.is_first():
            return result
        _finish(result, inputs, device, options.export, reporter)
        checkpoints.clear()
    return result


def _finish(
    result: RunResult, inputs: Inputs, device: torch.device, export: bool, reporter: Reporter
) -> None:
    """Calibrate and export the kept model, and write what it reads and all figures."""
    _calibrate(result, inputs, device, reporter)
    model = load_model(result.model)
    model.network.to(device)
    read = {
        split: Evaluation(data.lines, read_crops(model.run, data.crops, model.decoder))
        for split, data in inputs.held_out.items()
    }
    write_evaluations(result.folder / FOLDER / KEPT, read)
    if model.rule:
        result.by_rule = Row.of(BY_RULE, read)
    if export:
        reporter.progress("export", 0, 1)
        _export(result, inputs)
        reporter.progress("export", 1, 1)
    figures = json.dumps(result.as_dict(), indent=2, ensure_ascii=False)
    with os_errors("cannot write to the run folder", result.folder):
        atomic.write_text(result.folder / "results.json", figures + "\n", durable=True)


def with_both_ways(config: Config, inputs: Inputs, reporter: Reporter) -> tuple[Config, Inputs]:
    """Decide ``both_ways: auto``. Where crops are read both ways up, turn the training crops upright."""
    data, wanted = inputs.data, config.both_ways
    if wanted == "auto":
        judge = partial(any_upside_down, inputs.start, inputs.unknown)
        wanted = judge(data.get("train", inputs.val), reporter)
        if not wanted and "train" in data and judge(inputs.val, Silent()):
            reporter.say("more validation crops than training crops are upside down")
            wanted = True
    if wanted:
        reporter.say(
            "reads every crop both ways up, which takes twice the time; both_ways: false turns this off"
        )
        upright = partial(turned_upright, inputs.start, inputs.unknown, reporter=reporter)
        data = {name: crops if name == UNLABELLED else upright(crops) for name, crops in data.items()}
    if inputs.teacher and UNLABELLED in data:
        charset, crops = inputs.start.charset, data[UNLABELLED]
        found = believed(inputs.teacher.model, crops, inputs.val, charset, bool(wanted), reporter)
        reporter.say(f"the teacher labels {len(found.sure)} of {len(crops)} unlabelled crops")
        data = data | {UNLABELLED: found.crops}
    config = config.model_copy(update={"both_ways": wanted})
    return config, replace(inputs, start=replace(inputs.start, both_ways=wanted), data=data)


def _context(
    config: Config, inputs: Inputs, device: torch.device, journal: Journal, reporter: Reporter
) -> Context:
    return Context(
        inputs.start.charset,
        inputs.val,
        config.seed,
        device,
        precision_of(config, device),
        journal,
        reporter,
        inputs.start.both_ways,
        inputs.unknown,
        inputs.teacher,
    )


def _calibrate(result: RunResult, inputs: Inputs, device: torch.device, reporter: Reporter) -> None:
    """Calibrate the kept model on the validation crops, if they are enough."""
    model = load_model(result.model)
    model.network.to(device)
    try:
        readings = count(reporter, "calibration", len(inputs.val))
        save_model(calibrated(model, inputs.val, readings), result.model)
    except LinetuneError as error:
        reporter.say(f"the confidence is PaddleOCR's score: {error}")


def _export(result: RunResult, inputs: Inputs) -> None:
    """Write ``model.onnx``, and compare its speed with that of the teacher."""
    # They take a second that a run without export saves.
    from linetune.formats.onnx_file import export as export_onnx
    from linetune.formats.rounded import rates

    crops, kept = inputs.val.crops[:COMPARED], load_model(result.model)
    result.compared = export_onnx(kept, result.onnx, crops).crops
    if inputs.teacher:
        own, teacher = rates((kept, inputs.teacher.model), crops)
        result.speedup = round(float(own / teacher), 1)
