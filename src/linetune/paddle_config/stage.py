"""Read the settings of one stage from a PaddleOCR configuration."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from linetune.paddle_config.augment import Sizes, read_augment, read_sizes
from linetune.paddle_config.document import Document
from linetune.paddle_config.paths import normalised
from linetune.paddle_config.settings import note_differences

_DATASETS = ("SimpleDataSet", "MultiScaleDataSet")
_RATES = ("Optimizer.lr.learning_rate", "Optimizer.lr.max_lr", "Optimizer.lr.values")
"""Keys in which PaddleOCR's schedulers have their highest learning rate."""
_SMALLEST_RATE = 1e-12


@dataclass(frozen=True)
class PaddleStage:
    """The settings of one training of PaddleOCR. Paths are those of its configuration."""

    document: Document
    name: str
    pretrained: str | None
    dictionary: str | None
    use_space: bool
    output: str | None
    train: list[str]
    """Label files."""
    images: str | None
    """The folder that paths in the label files are relative to."""
    val: list[str]
    """Label files."""
    val_images: str | None
    epochs: int
    learning_rate: float
    warmup_epochs: float
    sizes: Sizes
    augment: dict[str, float]
    """Probability of each of linetune's operations."""
    frozen: bool
    """Whether the backbone is frozen."""
    nrtr_weight: float
    seed: int | None
    on_cpu: bool
    drop_last: bool
    """Whether PaddleOCR leaves out the last batch of an epoch if it is not full."""
    first_evaluation: int
    """The step of PaddleOCR's first evaluation."""

    def steps(self, lines: int) -> int:
        """Return how many steps PaddleOCR takes with a label file of so many lines."""
        sizes = self.sizes.paddle_batches
        if len(sizes) > 1:
            return self.epochs * len(sizes) * math.ceil(lines / sum(sizes))
        return self.epochs * (lines // sizes[0] if self.drop_last else math.ceil(lines / sizes[0]))


def read_stage(document: Document, number: int) -> PaddleStage:
    """Read a stage, and note in the document which settings mean something else in linetune.

    Args:
        document: the configuration.
        number: its place in the chain, from 1.

    Raises:
        LinetuneError: it is not a recognition configuration, or the value of a setting is not valid.
    """
    _refuse_other_tasks(document)
    nrtr_weight = _nrtr_weight(document)
    frozen = document.flag("Architecture.Backbone.freeze")
    note_differences(document, frozen=frozen, guided=nrtr_weight > 0)
    stage = PaddleStage(
        document=document,
        name=re.sub(r"[^A-Za-z0-9_-]+", "_", document.path.stem).strip("_") or f"stage{number}",
        pretrained=document.text("Global.pretrained_model"),
        dictionary=document.text("Global.character_dict_path"),
        use_space=document.flag("Global.use_space_char"),
        output=document.text("Global.save_model_dir"),
        train=_label_files(document, "Train"),
        images=document.text("Train.dataset.data_dir"),
        val=_label_files(document, "Eval"),
        val_images=document.text("Eval.dataset.data_dir"),
        epochs=document.count("Global.epoch_num"),
        learning_rate=_learning_rate(document),
        warmup_epochs=document.number("Optimizer.lr.warmup_epoch", 0),
        sizes=read_sizes(document),
        augment=read_augment(document),
        frozen=frozen,
        nrtr_weight=nrtr_weight,
        seed=document.count("Global.seed", least=0) if document.has("Global.seed") else None,
        on_cpu=not document.flag("Global.use_gpu", True),
        drop_last=document.flag("Train.loader.drop_last"),
        first_evaluation=_first_evaluation(document),
    )
    if not stage.train:
        raise document.error("missing", "Train.dataset.label_file_list")
    return stage


def _refuse_other_tasks(document: Document) -> None:
    key = "Architecture.model_type"
    task = document.text(key)
    if task is None:
        raise document.error("not a PaddleOCR recognition configuration: it has no model_type", key)
    if task != "rec":
        name = {"det": "detection", "cls": "classification"}.get(task, task)
        raise document.error(
            f"a {name} configuration, not a recognition configuration", key, "linetune trains recognisers"
        )


def _label_files(document: Document, split: str) -> list[str]:
    """Return the label files of ``Train`` or ``Eval``, each once."""
    key = f"{split}.dataset.name"
    kind = document.text(key)
    if kind not in (None, *_DATASETS):
        hint = f"use one of {', '.join(_DATASETS)}, with lines of path<TAB>text"
        raise document.error(f"a {kind} has no label files", key, hint)
    key = f"{split}.dataset.label_file_list"
    files = document.texts(key)
    by_path = {normalised(path): path for path in files}
    if len(by_path) < len(files):
        document.note(key, "a file is named twice; linetune reads it once")
    return list(by_path.values())


def _learning_rate(document: Document) -> float:
    """Return the highest learning rate of the scheduler."""
    for key in _RATES:
        if document.has(key):
            value = document.take(key)
            highest = value[0] if isinstance(value, list) and value else value
            return document.as_number(highest, key, _SMALLEST_RATE)
    raise document.error("missing", _RATES[0])


def _nrtr_weight(document: Document) -> float:
    """Return the weight of the NRTR loss, or 0 if the configuration does not use it."""
    losses = document.names_below("Loss.loss_config_list")
    for name in losses:
        document.take(f"Loss.loss_config_list.{name}")
    weight = document.number("Loss.weight_2", 1)
    return weight if "NRTRLoss" in losses else 0


def _first_evaluation(document: Document) -> int:
    key = "Global.eval_batch_step"
    value = document.take(key)
    start, interval = value if isinstance(value, list) and len(value) == 2 else (0, value or 2000)
    if not (_is_whole(start) and _is_whole(interval) and interval):
        raise document.error("expected a number of steps, or [start, steps]", key)
    return int(start + interval)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
