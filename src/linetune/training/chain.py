"""The stages of a run in order. Each stage starts from the best model so far."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from linetune.config.schema import Stage
from linetune.core.errors import LinetuneError
from linetune.data.dataset import Dataset
from linetune.decode.read import read_batches
from linetune.evaluation.general import General, general_reading
from linetune.evaluation.metrics import Score, score
from linetune.formats.model import Model
from linetune.formats.store import load_model, save_model
from linetune.models.network import Network
from linetune.training.context import Context
from linetune.training.features import HeldOutFeatures
from linetune.training.gather import Inputs
from linetune.training.plan import Plan, StagePlan
from linetune.training.result import Row, RunResult
from linetune.training.stage import StageResult, StageTask, train_stage
from linetune.training.state import Validation
from linetune.training.trial import try_rendered
from linetune.training.validation import score_of

WORTH = 3
"""A trial of rendered crops pays only for a stage with this many times its crops. A smaller stage ends
soon."""


class Chain:
    """Scores the base model, trains the stages, and fills the result of a run.

    Args:
        inputs: the base model and the crops.
        context: what all stages share.
        result: gets a row for each model. Its folder gets the model files.
    """

    def __init__(self, inputs: Inputs, context: Context, result: RunResult) -> None:
        self._inputs, self._context, self._result = inputs, context, result
        self._model = inputs.start
        self._scoring = 0.0

    def run(self, plan: Plan, untrained: str) -> None:
        """Score the base model, train all stages, and keep the best model.

        Args:
            plan: the stages and the time for each.
            untrained: the name of the base model's row when it is limited to the charset.
        """
        general = self._score_base(untrained)
        for stage_plan in plan.stages:
            task = self._task(plan, stage_plan)
            if task is None:
                continue
            self._train(task)
            name = f"stage {task.stage.name}"
            if self._result.best != name and stage_plan is not plan.stages[-1]:
                self._say(f"{name} is no better, so that the next stage starts from {self._best.name}")
        self._result.general = self._compare_general(general)

    @property
    def _best(self) -> Row:
        return self._result.kept

    def _say(self, text: str) -> None:
        self._context.reporter.say(text)

    def _score_base(self, untrained: str) -> Score | str:
        """Score the base model, untouched and limited to the charset. Return how well it reads everyday
        texts."""
        progress, inputs = self._context.reporter.progress, self._inputs
        progress("base model", 0, 2)
        started = time.perf_counter()
        # The two have one backbone, which is most of the work.
        inputs.base.network.to(self._context.device)
        val = _scores((inputs.base, self._model), inputs.val)
        test = _scores((inputs.base, self._model), inputs.test) if inputs.test else [None, None]
        self._scoring = time.perf_counter() - started
        self._add(Row(f"{inputs.base.base_model}, untouched", val[0], test[0], 0))
        row = self._add(Row(untrained, val[1], test[1], 0))
        progress("base model", 1, 2)
        self._result.best = row.name
        try:
            general: Score | str = general_reading(self._model.reader.run, self._model.charset)
        except LinetuneError as error:
            general = error.what
        progress("base model", 2, 2)
        _save(self._model, row, self._result.model)
        return general

    def _task(self, plan: Plan, stage_plan: StagePlan) -> StageTask | None:
        """Return a stage with its crops and its time. None if a trial shows that its crops do harm."""
        stage, number = stage_plan.stage, stage_plan.number
        if stage.trial and stage_plan.rendered >= WORTH * stage.trial:
            trial = try_rendered(
                self._model.network, StageTask(stage, number, plan.rendered(stage.trial)), self._context
            )
            self._say(f"stage {stage.name}: {trial.sentence()}")
            self._context.journal.record(f"{stage.name} trial", **asdict(trial))
            if not trial.helps:
                return None
        budget, started = plan.time_for(stage_plan, self._scoring), time.perf_counter()
        fitted = stage_plan if budget is None else stage_plan.fitted(budget)
        if fitted.rendered < stage_plan.rendered:
            crops = f"{fitted.rendered} of {stage_plan.rendered} rendered crops"
            self._say(f"stage {stage.name}: uses {crops}, because the time is short")
        data = plan.data(fitted)
        left = None if budget is None else budget - (time.perf_counter() - started)
        return StageTask(stage, number, data, stage_plan.cost.piece, left, self._best.val)

    def _train(self, task: StageTask) -> None:
        """Train one stage from the best model so far, and keep its model if it is better."""
        stage, name = task.stage, f"stage {task.stage.name}"
        model = replace(self._model, network=copy.deepcopy(self._model.network))

        def keep(network: Network, validation: Validation) -> None:
            # At once, so that an interrupted run loses nothing.
            row = Row(name, validation.score, None, 0)
            _save(replace(model, network=network), row, self._result.model)

        best = self._best
        stage_result = train_stage(model.network, task, self._context, keep)
        test = score_of(model.reader.run, self._inputs.test, model.charset) if self._inputs.test else None
        row = self._add(Row(name, stage_result.score, test, stage_result.seconds))
        when = _when(stage, stage_result)
        exact = f"{stage_result.score.as_text()} exact on validation"
        self._say(f"{name}: {exact} {when}, {stage_result.seconds:.0f} s")
        _save(model, row, self._result.folder / "stages" / f"{task.number + 1}-{stage.name}.safetensors")
        if row.val > best.val:
            self._model, self._result.best = model, row.name
            _save(model, row, self._result.model)

    def _add(self, row: Row) -> Row:
        """Add a row to the result and to the journal."""
        self._result.rows.append(row)
        self._context.journal.record("result", **row.as_dict())
        return row

    def _compare_general(self, before: Score | str) -> General | str:
        """Return how well everyday texts are read before and after the run."""
        if isinstance(before, str):
            return before
        kept = load_model(self._result.model)
        kept.network.to(self._context.device)
        return General(before, general_reading(kept.reader.run, kept.charset))


def _scores(models: Sequence[Model], data: Dataset) -> list[Score]:
    """Score models that have the same backbone. Where they read equally many ways up, it runs once."""
    if len({model.both_ways for model in models}) > 1:
        return [score_of(model.reader.run, data, model.charset) for model in models]
    features = HeldOutFeatures(models[0].network, data.crops, models[0].both_ways)
    readings = [read_batches(features.read(model.network), model.decoder, len(data)) for model in models]
    return [score([reading.text for reading in some], data.texts) for some in readings]


def _when(stage: Stage, result: StageResult) -> str:
    """Return when the best validation of a stage was."""
    at = result.at
    if stage.epochs:
        return f"in epoch {at.best_epoch} of {at.epoch}"
    return f"at step {at.best_step} of {at.step}"


def _save(model: Model, row: Row, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    save_model(replace(model, history=row.as_dict()), path)
