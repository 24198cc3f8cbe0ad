"""The stages of a run in order. Each stage starts from the best model so far."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from linetune.config.schema import Stage
from linetune.core import processes
from linetune.core.device import most_memory
from linetune.core.errors import LinetuneError
from linetune.data.dataset import Dataset
from linetune.evaluation.general import General, general_reading
from linetune.evaluation.metrics import Score
from linetune.evaluation.result import Evaluation
from linetune.evaluation.stored import BASE, FOLDER, write_evaluations
from linetune.formats.model import Model
from linetune.formats.store import save_model
from linetune.models.network import Network, new_guide
from linetune.training.checkpoint import Checkpoints
from linetune.training.context import Context
from linetune.training.gather import Inputs
from linetune.training.loop import Keeper
from linetune.training.plan import Plan, StagePlan
from linetune.training.result import UNTRAINED, Row, RunResult, SelfTraining
from linetune.training.stage import StageTask, to_resume, train_stage
from linetune.training.state import StageState, Validation
from linetune.training.tracker import Tracker
from linetune.training.trial import try_rendered
from linetune.training.unlabelled import NAME as UNLABELLED
from linetune.training.unlabelled import believed
from linetune.training.validation import readings_of, score_of

WORTH = 3
"""A trial of rendered crops pays only for a stage with this many times its crops. Others end soon."""
TIMES = ("training_seconds", "memory")
"""Figures of a row that no two runs share."""


@dataclass
class Position:
    """Where a run is between its stages and within one."""

    done: int = 0
    """Stages that are over."""
    tried: bool = False
    """Whether a trial has shown that the rendered crops of the next stage help."""
    rendered: int | None = None
    """Rendered crops of the present stage. None between two stages."""
    budget: float | None = None
    """Seconds that the present stage may take."""
    stage: Mapping[str, Any] | None = None
    """The state of the present stage, from :func:`linetune.training.stage.to_resume`."""


class Chain(Keeper):
    """Scores the base model, trains the stages, and fills the result of a run.

    Args:
        inputs: the base model and the crops.
        context: what all stages share.
        result: gets a row for each model. Its folder gets the model files.
        checkpoints: get the state of the run after each stage, and now and then within one.
        about: what each checkpoint says about the run besides its state.
    """

    def __init__(
        self,
        inputs: Inputs,
        context: Context,
        result: RunResult,
        checkpoints: Checkpoints,
        about: Mapping[str, Any],
    ) -> None:
        self._inputs, self._context, self._result = inputs, context, result
        self._checkpoints, self._about = checkpoints, about
        self._model = inputs.start
        self._position = Position()
        self._scoring = 0.0
        self._general: Score | str = ""

    def run(self, plan: Plan, untrained: str, saved: Mapping[str, Any] | None = None) -> None:
        """Score the base model, train all stages, and keep the best model.

        Args:
            plan: the stages and the time for each.
            untrained: the name of the base model's row when it is limited to the charset.
            saved: the checkpoint to continue from.
        """
        self._plan = plan
        if saved is None:
            self._context.journal.record("plan", stages=plan.as_dicts(), within=plan.left)
            self._score_base(untrained)
            self._moves_on(Position())
        else:
            self._restore(saved)
        for stage_plan in plan.stages[self._position.done :]:
            if task := self._task(stage_plan):
                self._train(task)
                name = f"stage {task.stage.name}"
                if self._result.best != name and stage_plan is not plan.stages[-1]:
                    self._say(f"{name} is no better; the next stage starts from {self._best.name}")
            self._moves_on(Position(stage_plan.number + 1))
        self._result.general = self._compare_general()

    def better(self, network: Network, validation: Validation) -> None:
        """Keep the best network of the present stage at once. An interrupted run loses nothing."""
        row = Row(f"stage {self._stage.name}", validation.score, None, 0)
        _save(replace(self._model, network=network), row, self._result.model)

    def rest(self, state: StageState, tracker: Tracker) -> None:
        """Write a checkpoint if the last one is old."""
        if processes.is_first() and self._checkpoints.due:
            self._moves_on(replace(self._position, stage=to_resume(state, tracker)))

    @property
    def _best(self) -> Row:
        return self._result.kept

    @property
    def _stage(self) -> Stage:
        return self._plan.stages[self._position.done].stage

    def _say(self, text: str) -> None:
        self._context.reporter.say(text)

    def _moves_on(self, position: Position) -> None:
        """Write a checkpoint of the run at a position. The run is there now."""
        self._position = replace(position, stage=None)
        if not processes.is_first():
            return
        journal = self._context.journal
        self._checkpoints.write(
            {
                **self._about,
                "journal": journal.position(),
                "seconds": journal.seconds,
                **self._result.state_dict(),
                "general": self._general if isinstance(self._general, str) else asdict(self._general),
                "scoring": self._scoring,
                "pieces": self._plan.pieces,
                "network": self._model.network.state_dict(),
                "position": asdict(replace(position, stage=None)) | {"stage": position.stage},
            }
        )

    def _restore(self, saved: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._result.load_state_dict(saved)
        self._scoring, general = saved["scoring"], saved["general"]
        self._general = general if isinstance(general, str) else Score(**general)
        self._plan.pieces = saved["pieces"]
        self._position = Position(**saved["position"])
        network = self._model.network
        if any(name.startswith("nrtr.") for name in saved["network"]) and network.nrtr is None:
            network.nrtr = new_guide(network, len(self._model.charset)).to(network.device)
        network.load_state_dict(saved["network"])
        at = f" in stage {self._stage.name}" if self._position.done < len(self._plan.stages) else ""
        self._say(f"continues the run after {self._context.journal.seconds:.0f} s{at}")

    def _score_base(self, untrained: str) -> None:
        """Score the base model, untouched and limited to the charset, and how well it reads everyday
        texts."""
        progress, inputs = self._context.reporter.progress, self._inputs
        progress("base model", 0, 2)
        started = time.perf_counter()
        # The two have one backbone, which is most of the work.
        inputs.base.network.to(self._context.device)
        models = inputs.base, self._model
        readings = {split: readings_of(models, data) for split, data in inputs.held_out.items()}
        self._scoring = time.perf_counter() - started
        for number, name in enumerate((f"{untrained.removesuffix(UNTRAINED)}untouched", untrained)):
            read = {
                split: Evaluation(data.lines, readings[split][number])
                for split, data in inputs.held_out.items()
            }
            row = self._add(Row.of(name, read, most_memory(self._context.device)))
        if processes.is_first():
            write_evaluations(self._result.folder / FOLDER / BASE, read)
        progress("base model", 1, 2)
        self._result.best = row.name
        try:
            self._general = general_reading(self._model.reader.run, self._model.charset)
        except LinetuneError as error:
            self._general = error.what
        progress("base model", 2, 2)
        _save(self._model, row, self._result.model)
        if inputs.teacher:
            model = inputs.teacher.model
            found = [score_of(model.run, some, model.charset) for some in (inputs.val, inputs.test) if some]
            teacher = Row(f"teacher ({model.base_model})", found[0], found[1] if inputs.test else None, 0)
            self._result.teacher = teacher
            self._context.journal.record("teacher", **teacher.as_dict())

    def _task(self, stage_plan: StagePlan) -> StageTask | None:
        """Return the next stage with its crops and its time. None if a trial shows that its crops do
        harm."""
        stage, number, position = stage_plan.stage, stage_plan.number, self._position
        labelled = self._labelled_by_itself(stage)
        if labelled is not None and not len(labelled):
            self._say(f"stage {stage.name}: skipped, because unlabelled crops would teach nothing")
            return None
        if position.rendered is not None:
            data = self._plan.data(replace(stage_plan, rendered=position.rendered), labelled)
            left = position.budget
        else:
            if not position.tried and not self._crops_help(stage_plan):
                return None
            budget, started = self._plan.time_for(stage_plan, self._scoring), time.perf_counter()
            fitted = stage_plan if budget is None else stage_plan.fitted(budget)
            if fitted.rendered < stage_plan.rendered:
                crops = f"{fitted.rendered} of {stage_plan.rendered} rendered crops"
                self._say(f"stage {stage.name}: uses {crops}, because the time is short")
            data = self._plan.data(fitted, labelled)
            left = budget and processes.from_first(budget - (time.perf_counter() - started))
            self._position = replace(position, rendered=fitted.rendered, budget=left)
        start, piece = (self._best.val, self._wins_ties(stage)), stage_plan.cost.piece
        return StageTask(stage, number, data, piece, left, *start, position.stage)

    def _wins_ties(self, stage: Stage) -> bool:
        """Return whether a stage is kept on a tie. A few validation crops, all read right, cannot show what
        labels that are new to the model teach, or unlabelled crops unlike them."""
        before = [plan.stage for plan in self._plan.stages if f"stage {plan.stage.name}" == self._best.name]
        taught = self._result.self_training.get(f"stage {stage.name}")
        new_labels = stage.has_labels and not any(each.has_labels for each in before)
        return new_labels or (taught is not None and taught.unlike)

    def _labelled_by_itself(self, stage: Stage) -> Dataset | None:
        """Return the unlabelled crops of a stage with the labels of the best model so far. None if the stage
        uses none, or if a teacher labels them."""
        inputs, context, model = self._inputs, self._context, self._model
        if UNLABELLED not in stage.data or inputs.teacher:
            return None
        crops = inputs.data[UNLABELLED]
        found = believed(model, crops, inputs.val, model.charset, context.both_ways, context.reporter)
        sure, name = found.sure, f"stage {stage.name}"
        self._say(
            f"{name}: the model is sure of {len(sure)} of {len(crops)} unlabelled crops; by its confidence, "
            f"{found.right:.0f} of these labels are right"
        )
        if len(sure):
            done = SelfTraining(self._best.name, len(crops), len(sure), found.right, found.unlike)
            self._result.self_training[name] = done
        return sure

    def _crops_help(self, stage_plan: StagePlan) -> bool:
        """Return whether a trial shows that the rendered crops of a stage help. True without a trial."""
        stage = stage_plan.stage
        if not stage.trial or stage_plan.rendered < WORTH * stage.trial:
            return True
        task = StageTask(stage, stage_plan.number, self._plan.rendered(stage.trial))
        trial = try_rendered(self._model.network, task, self._context)
        self._say(f"stage {stage.name}: {trial.sentence()}")
        self._context.journal.record(f"{stage.name} trial", **asdict(trial))
        if trial.helps:
            self._moves_on(replace(self._position, tried=True))
        return trial.helps

    def _train(self, task: StageTask) -> None:
        """Train one stage from the best model so far, and keep its model if it is better or wins a tie."""
        stage, name = task.stage, f"stage {task.stage.name}"
        model = replace(self._model, network=copy.deepcopy(self._model.network))
        best = self._best
        stage_result = train_stage(model.network, task, self._context, self)
        test = score_of(model.reader.run, self._inputs.test, model.charset) if self._inputs.test else None
        memory = most_memory(self._context.device)
        row = self._add(Row(name, stage_result.score, test, stage_result.seconds, memory))
        self._say(f"{name}: {stage_result.as_text(stage)}")
        _save(model, row, self._result.folder / "stages" / f"{task.number + 1}-{stage.name}.safetensors")
        if stage_result.best.helps:
            if row.val <= best.val:
                self._say(f"{name} is kept on a tie, because it learned from real crops new to {best.name}")
            self._model = model
            self._result.keep(name)
            _save(model, row, self._result.model)

    def _add(self, row: Row) -> Row:
        """Add a row to the result and to the journal."""
        self._result.rows.append(row)
        self._context.journal.record("result", **row.as_dict())
        return row

    def _compare_general(self) -> General | str:
        """Return how well everyday texts are read before and after the run."""
        if isinstance(self._general, str):
            return self._general
        return General(self._general, general_reading(self._model.reader.run, self._model.charset))


def _save(model: Model, row: Row, path: Path) -> None:
    if not processes.is_first():
        return
    # The same run gives the same file. A run folder that a user has removed is not made again.
    history = {key: value for key, value in row.as_dict().items() if key not in TIMES}
    save_model(replace(model, history=history), path)
