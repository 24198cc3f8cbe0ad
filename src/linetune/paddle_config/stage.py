"""Read the settings of one stage from a PaddleOCR configuration."""

from __future__ import annotations

import math
import re

from linetune.paddle_config.augment import read_augment, read_sizes
from linetune.paddle_config.document import Document
from linetune.paddle_config.paths import normalised
from linetune.paddle_config.settings import note_differences

_DATASETS = ("SimpleDataSet", "MultiScaleDataSet")
_RATES = ("Optimizer.lr.learning_rate", "Optimizer.lr.max_lr", "Optimizer.lr.values")
"""Keys in which PaddleOCR's schedulers have their highest learning rate."""
_SMALLEST_RATE = 1e-12
_HINT = "name the configuration of a recogniser"


class PaddleStage:
    """The settings of one training of PaddleOCR. Paths are those of its configuration.

    Reading them notes in the document which settings mean something else in linetune.

    Args:
        document: the configuration.
        number: its place in the chain, from 1.

    Raises:
        LinetuneError: it is not a recognition configuration, or the value of a setting is not valid.
    """

    def __init__(self, document: Document, number: int) -> None:
        _refuse_other_tasks(document)
        self.document = document
        self.name = re.sub(r"[^A-Za-z0-9_-]+", "_", document.path.stem).strip("_") or f"stage{number}"
        self.nrtr_weight = _nrtr_weight(document)
        self.frozen = document.flag("Architecture.Backbone.freeze")
        """Whether the backbone is frozen."""
        note_differences(document, frozen=self.frozen, guided=self.nrtr_weight > 0)
        self.pretrained = document.text("Global.pretrained_model")
        self.dictionary = document.text("Global.character_dict_path")
        self.use_space = document.flag("Global.use_space_char")
        self.output = document.text("Global.save_model_dir")
        self.train, self.val = (_label_files(document, split) for split in ("Train", "Eval"))
        self.images, self.val_images = (
            document.text(f"{split}.dataset.data_dir") for split in ("Train", "Eval")
        )
        """The folders that paths in the label files are relative to."""
        self.epochs = document.count("Global.epoch_num")
        self.learning_rate = _learning_rate(document)
        self.warmup_epochs = document.number("Optimizer.lr.warmup_epoch", 0)
        self.sizes = read_sizes(document)
        self.augment = read_augment(document)
        """Probability of each of linetune's operations."""
        self.seed = document.count("Global.seed", least=0) if document.has("Global.seed") else None
        self.on_cpu = not document.flag("Global.use_gpu", True)
        self.drop_last = document.flag("Train.loader.drop_last")
        """Whether PaddleOCR leaves out the last batch of an epoch if it is not full."""
        self.first_evaluation = _first_evaluation(document)
        """The step of PaddleOCR's first evaluation."""
        if not self.train:
            raise document.error("missing, and a stage needs training crops", "Train.dataset.label_file_list")

    def steps(self, lines: int) -> int:
        """Return how many steps PaddleOCR takes with a label file of so many lines."""
        sizes = self.sizes.paddle_batches
        if len(sizes) > 1:
            return self.epochs * len(sizes) * math.ceil(lines / sum(sizes))
        return self.epochs * (lines // sizes[0] if self.drop_last else math.ceil(lines / sizes[0]))


def _refuse_other_tasks(document: Document) -> None:
    key = "Architecture.model_type"
    task = document.text(key)
    if task is None:
        raise document.error("not a PaddleOCR recognition configuration: it has no model_type", key, _HINT)
    if task != "rec":
        name = {"det": "detection", "cls": "classification"}.get(task, task)
        raise document.error(f"a {name} configuration, not a recognition configuration", key, _HINT)


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
    raise document.error("missing", _RATES[0], "add the learning rate")


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
