"""The result of a run: one row for each model, and the gain of the best one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from linetune.evaluation.comparison import Comparison, compare
from linetune.evaluation.general import General
from linetune.evaluation.metrics import Score
from linetune.evaluation.result import Evaluation

UNTRAINED = "limited to the charset"
"""How the name of the limited base model ends."""
BY_RULE = "the kept model, by its rule"
"""The name of the row with the readings by a rule."""


def base_name(reference: str, official: str) -> str:
    """Return the name of a base model in the rows of a run.

    Args:
        reference: ``base_model`` of the run file.
        official: the official model that the base model was trained from.
    """
    if reference == official:
        return official
    path = Path(reference)
    named = path.parent if path.name in ("model.safetensors", "model.onnx") else path
    # Only the last name: a result must not tell the folders of the machine.
    return f"{named.resolve().name} (from {official})"


@dataclass(frozen=True)
class Row:
    """One model of a run and its scores."""

    name: str
    val: Score
    test: Score | None
    seconds: float
    """Training time. 0 for a model that was not trained."""
    memory: int = 0
    """Most memory that the run had used by then, in bytes: of the GPU, or of the process on a CPU."""

    @classmethod
    def of(cls, name: str, read: Mapping[str, Evaluation], memory: int = 0) -> Row:
        """Return the row of a model that was not trained, from what it reads of each split."""
        return cls(name, read["val"].score, read["test"].score if "test" in read else None, 0, memory)

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> Row:
        """Return the row of a dict that ``asdict`` gave."""
        val, test = Score(**saved["val"]), saved["test"] and Score(**saved["test"])
        return cls(saved["name"], val, test, saved["seconds"], saved.get("memory", 0))

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "name": self.name,
            "val": self.val.as_dict(),
            "test": self.test.as_dict() if self.test else None,
            "training_seconds": round(self.seconds, 1),
            "memory": self.memory,
        }


@dataclass(frozen=True)
class SelfTraining:
    """A stage that learned from the model's own readings of unlabelled crops."""

    before: str
    """The name of the row with the model that read them. The stage starts from it."""
    crops: int
    """Unlabelled crops."""
    sure: int
    """Crops among them whose reading became a label."""
    right: float
    """How many of these labels are right, by the confidence of the model."""
    unlike: bool = False
    """Whether the model doubted the crops more than the validation crops, beyond chance."""
    kept: bool = False
    """Whether the stage took the place of the model before it."""


@dataclass
class RunResult:
    """The result of a run."""

    folder: Path
    rows: list[Row] = field(default_factory=list)
    """The untouched base model, the base model limited to the charset, then one row for each stage."""
    best: str = ""
    """The name of the row with the kept model."""
    teacher: Row | None = None
    """The scores of the teacher, if the run has one."""
    speedup: float | None = None
    """Crops per second of the kept model, divided by those of the teacher. None if it was not measured."""
    self_training: dict[str, SelfTraining] = field(default_factory=dict)
    """The stages on unlabelled crops, by the name of their row, unless a teacher labels these."""
    by_rule: Row | None = None
    """The scores of the kept model when it reads by its rule, if it has one."""
    unknown_characters: list[str] = field(default_factory=list)
    skipped: int = 0
    """Lines that were left out because they cannot be used."""
    findings: Mapping[str, int] = field(default_factory=dict)
    """Number of findings of each kind in the labels and crops of the run."""
    surroundings: Mapping[str, Any] = field(default_factory=dict)
    """The ``options``, the ``software`` and the ``machine`` of the run."""
    general: General | str = ""
    """How well everyday texts are read before and after, or the reason why this was not measured."""
    seconds: float = 0
    compared: int = 0
    """Crops on which ``model.onnx`` was compared with the kept model."""

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / "model.safetensors"

    @property
    def onnx(self) -> Path:
        """The exported model."""
        return self.folder / "model.onnx"

    @property
    def report(self) -> Path:
        """The report of the run, which the command line writes."""
        return self.folder / "report.html"

    @property
    def card(self) -> Path:
        """The model card, which the command line writes with the report."""
        return self.folder / "MODEL_CARD.md"

    @property
    def helped(self) -> bool:
        """Whether the model of a stage is kept, and not the limited base model."""
        return self.best != self.rows[1].name

    @property
    def kept(self) -> Row:
        """The row with the kept model."""
        return self._row(self.best)

    def keep(self, name: str) -> None:
        """Take the model of a stage as the kept one."""
        self.best = name
        if taught := self.self_training.get(name):
            self.self_training[name] = replace(taught, kept=True)

    @property
    def gain(self) -> dict[str, Comparison]:
        """The kept model (B) compared with the limited base model (A), by split. Empty if they are the
        same."""
        return _compared(self.rows[1], self.kept) if self.helped else {}

    @property
    def beside(self) -> list[Row]:
        """The rows for comparison: the teacher, and the kept model by its rule."""
        return [row for row in (self.teacher, self.by_rule) if row]

    @property
    def after_teacher(self) -> dict[str, Comparison]:
        """The kept model (B) compared with the teacher (A), by split. Empty without a teacher."""
        return _compared(self.teacher, self.kept) if self.teacher else {}

    def state_dict(self) -> dict[str, Any]:
        """Return what :meth:`load_state_dict` continues from: the models so far."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "best": self.best,
            "teacher": self.teacher and asdict(self.teacher),
            "self_training": {name: asdict(stage) for name, stage in self.self_training.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the models of a checkpoint. Those of earlier versions lack some of them."""
        self.rows, self.best = [Row.restored(row) for row in state["rows"]], state["best"]
        teacher = state.get("teacher")
        self.teacher = teacher and Row.restored(teacher)
        stages = state.get("self_training", {})
        self.self_training = {name: SelfTraining(**stage) for name, stage in stages.items()}

    def gave(self, name: str) -> dict[str, Comparison]:
        """What unlabelled crops gave: a stage that trained on them (B) compared with the model before it (A),
        by split."""
        before, stage = (self._row(each) for each in (self.self_training[name].before, name))
        return _compared(before, stage)

    def _row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        taught = {"teacher": {**self.teacher.as_dict(), "speedup": self.speedup}} if self.teacher else {}
        return {
            "folder": str(self.folder),
            "best": self.best,
            "helped": self.helped,
            "rows": [row.as_dict() for row in self.rows],
            "gain": {name: comparison.as_dict() for name, comparison in self.gain.items()},
            **taught,
            **({"self_training": self._self_training()} if self.self_training else {}),
            **({"by_rule": self.by_rule.as_dict()} if self.by_rule else {}),
            "general_reading": (
                {"left_out": self.general} if isinstance(self.general, str) else self.general.as_dict()
            ),
            "unknown_characters": self.unknown_characters,
            "skipped": self.skipped,
            "findings": dict(self.findings),
            **self.surroundings,
            "seconds": round(self.seconds, 1),
        }

    def _self_training(self) -> dict[str, Any]:
        return {
            name: asdict(stage) | {"gain": {split: gain.as_dict() for split, gain in self.gave(name).items()}}
            for name, stage in self.self_training.items()
        }


def _compared(one: Row, other: Row) -> dict[str, Comparison]:
    """Return the comparison of two models, by split."""
    compared = {"val": compare(one.val, other.val)}
    if one.test and other.test:
        compared["test"] = compare(one.test, other.test)
    return compared
