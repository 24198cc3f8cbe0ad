"""The ``stages`` section: what each stage trains on, for how long, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from linetune.config.augment import Augment, named_augment
from linetune.config.fields import Section, as_list, refuse_repeated, resolve

STAGE_NAME = r"^[A-Za-z0-9_-]+$"
_DATA = "synth, train, unlabelled, or a label file such as crops/more.txt"
_NAMES = ("synth", "train", "unlabelled")


def _stage_data(value: Any, info: ValidationInfo) -> Any:
    """Return ``synth``, ``train`` or a path. A word without slash and suffix is a mistyped name, not a
    path."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError(f"expected {_DATA}")
    if str(value) in _NAMES:
        return str(value)
    if isinstance(value, str) and not ("/" in value or "\\" in value or Path(value).suffix):
        raise ValueError(f"{str(value)!r} is not {_DATA}")
    return resolve(value, info)


class Stage(Section):
    """One training of the chain. It starts from the best model so far."""

    name: Annotated[str, Field(pattern=STAGE_NAME)]
    """Name of the stage: letters, digits, ``_`` and ``-``. Required, and different for each stage."""
    data: Annotated[
        list[Annotated[Literal["synth", "train", "unlabelled"] | Path, BeforeValidator(_stage_data)]],
        BeforeValidator(as_list),
        AfterValidator(refuse_repeated),
        Field(min_length=1),
    ]
    """Crops to train on: ``synth`` (the rendered crops), ``train`` (those of ``data.train``), ``unlabelled``
    (those of ``data.unlabelled``), a label file, or a list of these. Required."""
    freeze: Annotated[list[Literal["backbone", "neck", "head"]], BeforeValidator(as_list)] = Field([])
    """Parts of the network whose weights stay bit-identical: ``backbone``, ``neck``, ``head`` or a list of
    two. Empty by default."""
    steps: PositiveInt | None = None
    """Length of the stage in steps, an integer from 1. Without ``steps`` and ``epochs``, a stage trains until
    validation is flat, or for four epochs if its backbone is frozen."""
    epochs: PositiveInt | None = None
    """Length of the stage in epochs, an integer from 1. Not together with ``steps``."""
    learning_rate: Annotated[float | None, Field(gt=0)] = None
    """Peak of the learning rate, above 0. Each tensor gets it multiplied by its root mean square / 0.1.
    Without it, a trial of three rates chooses one."""
    batch_size: PositiveInt = 32
    """Crops in one step, an integer from 1. If crops are wider than 320 px, fewer of them make a batch, so
    that its area stays about the same."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.5
    """Epochs in which the learning rate rises to its peak, a number from 0. Only used together with
    ``epochs``."""
    augment: Annotated[Augment, BeforeValidator(named_augment)] = Augment()
    """Augmentation: ``none`` (the default), ``standard``, or a mapping of operations to probabilities."""
    views: PositiveInt = 4
    """Augmented versions of each crop whose features are stored, an integer from 1. Only used if the backbone
    is frozen. A stage never stores more views than it has ``epochs``, and without augmentation it stores
    one."""
    trial: PositiveInt | None = None
    """Rendered crops for a trial, an integer from 1. The trial shows whether rendered crops help to read the
    validation crops. If not, linetune skips the stage and renders no more crops. There is no trial by
    default, nor if the stage has fewer than three times as many crops."""
    patience: PositiveInt | None = None
    """Epochs without a better validation after which the stage ends, an integer from 1. Off by default. Only
    together with ``epochs``."""
    nrtr_weight: Annotated[float, Field(ge=0)] = 0
    """Weight of the guide's (NRTR) loss relative to the CTC loss, a number from 0. 0, the default, trains
    without the guide."""

    @property
    def has_labels(self) -> bool:
        """Whether the stage trains on labelled real crops."""
        return any(source not in ("synth", "unlabelled") for source in self.data)

    @property
    def stored_views(self) -> int:
        """Views of each crop whose features a frozen backbone stores."""
        return 1 if self.augment.is_off else min(self.views, self.epochs or self.views)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Stage:
        if self.steps and self.epochs:
            raise ValueError("steps and epochs both set the length of the stage; give one of them")
        if self.patience and not self.epochs:
            raise ValueError("patience counts epochs; give epochs as well, or leave patience out")
        if "unlabelled" in self.data and "backbone" in self.freeze:
            raise ValueError("crops without labels teach nothing while the backbone is frozen; leave one out")
        if self.trial and self.data != ["synth"]:
            raise ValueError("trial needs a stage on rendered crops alone (data: synth); leave it out")
        return self

    @field_validator("freeze")
    @classmethod
    def _refuse_all_frozen(cls, freeze: list[str]) -> list[str]:
        if set(freeze) == {"backbone", "neck", "head"}:
            raise ValueError("everything is frozen and nothing would train; leave one part out")
        return freeze
