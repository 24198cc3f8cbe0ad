"""The run file as a whole. Each section is strict: it refuses unknown keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from linetune.config.augment import STANDARD, Augment
from linetune.config.fields import FilePath, LabelFiles, Section, as_list, resolve
from linetune.config.stage import Stage
from linetune.config.synth import Pattern, Synth
from linetune.core.aliases import Aliases

__all__ = ["MODEL_SUFFIXES", "STANDARD", "Augment", "Config", "Data", "Pattern", "Stage", "Synth"]

MODEL_SUFFIXES = {".safetensors", ".onnx", ".pdparams"}
"""Suffixes of model files."""


class Data(Section):
    """The ``data`` section: label files of real crops."""

    train: LabelFiles
    """Label file of the training crops, or a list of them. Required."""
    val: LabelFiles
    """Label file of the validation crops, or a list of them. They choose the best model. Required."""
    test: LabelFiles | None = None
    """Label file of the test crops, or a list of them. linetune only reports on them. None by default."""
    unlabelled: FilePath | None = None
    """Crops without labels: a folder, with its subfolders, or a label file whose labels are empty, such as
    ``linetune next`` writes. A last stage learns what the model reads on those that it reads with certainty,
    unless a stage has ``data: unlabelled``. With a ``teacher``, such a stage learns what the teacher reads.
    None by default."""


def _auto_or_bool(value: Any) -> Any:
    """Return ``auto``, True or False, or raise one error where a union would raise one for each branch."""
    named = {"auto": "auto", "true": True, "false": False}
    if str(value).lower() not in named:
        raise ValueError("expected auto, true or false")
    return named[str(value).lower()]


def _checked_aliases(value: Any) -> list[Any]:
    """Return the items of ``read_as``, or raise one error where a union would raise one for each branch."""
    items: list[Any] = as_list(value)
    Aliases.parse(items)
    return items


class Config(Section):
    """A run: its base model, its data, its stages and its run folder."""

    output: FilePath
    """The run folder. Required."""
    base_model: str = "PP-OCRv6_small_rec"
    """The model that the run starts from: the name of an official model, a model file, or a folder that holds
    one."""
    teacher: FilePath | None = None
    """A finished model that teaches this one: a run folder or a model file, with the same characters. Stages
    whose backbone trains learn what it gives for each crop. ``linetune distil`` sets it. None by default."""
    charset: Literal["auto"] | FilePath = "auto"
    """Characters that the model can output. ``auto``, the default: all characters of the training labels and
    of the rendered texts. Otherwise a file with one character a line."""
    both_ways: Annotated[bool | Literal["auto"], BeforeValidator(_auto_or_bool)] = "auto"
    """Whether to read each crop both ways up, which takes twice the time. true also turns training crops that
    are upside down upright. ``auto``, the default, is true if at least 3 % of the real crops are upside
    down."""
    reading_rule: Literal["synth"] | FilePath | None = None
    """Rule that linetune reads by, with the trained model and its exports: ``synth`` for the rule of the
    rendered crops, a .yaml file with what ``linetune rule`` prints, or a .txt file of all possible texts, one
    a line. Other programs read as without it. None by default."""
    charset_space: bool = False
    """Whether to add the space to the charset, as PaddleOCR's ``use_space_char`` does. Only needed with a
    charset file that lacks it."""
    read_as: Annotated[list[str | dict[str, str]], BeforeValidator(_checked_aliases)] = Field([])
    """What to read some printed characters as. ``capitals``: small letters as capitals. ``small_letters``:
    capitals as small letters. ``half_width``: full-width forms as ASCII. A mapping such as ``{ſ: s}``: the
    long s as s. One of these, or a list of them. By default, every character is read as itself."""
    seed: int = 0
    """Seed of all random draws of the training, an integer."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Processor that trains. ``auto``, the default: a GPU if there is one."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Precision of the training. ``auto``, the default: bf16 if the processor supports it, else fp32."""
    loggers: Annotated[list[Literal["wandb", "mlflow", "trackio"]], BeforeValidator(as_list)] = Field([])
    """Programs that get the figures of the run, besides its journal and TensorBoard's files: ``wandb``,
    ``mlflow`` or ``trackio``, or a list of them. None by default."""
    data: Data
    synth: Synth | None = None
    """Settings of the rendered crops. Required if a stage has ``data: synth``."""
    stages: Annotated[list[Stage], Field(min_length=1)]
    """The stages in order, at least one."""

    @property
    def aliases(self) -> Aliases:
        """The characters that ``read_as`` reads as others."""
        return Aliases.parse(self.read_as)

    @field_validator("charset", mode="before")
    @classmethod
    def _resolve_charset(cls, value: Any, info: ValidationInfo) -> Any:
        return "auto" if value == "auto" else resolve(value, info)

    @field_validator("reading_rule", mode="before")
    @classmethod
    def _resolve_rule(cls, value: Any, info: ValidationInfo) -> Any:
        return value if value in ("synth", None) else resolve(value, info)

    @field_validator("base_model", mode="before")
    @classmethod
    def _resolve_base_model(cls, value: Any, info: ValidationInfo) -> Any:
        looks_like_path = isinstance(value, str) and (
            "/" in value or "\\" in value or Path(value).suffix in MODEL_SUFFIXES
        )
        return str(resolve(value, info)) if looks_like_path else value

    def _unlabelled_stage(self) -> Stage:
        """Return the stage that learns from the crops without labels: the last one on training crops, with
        these."""
        if self.teacher:
            raise ValueError("data.unlabelled is set, but no stage has data: unlabelled; add it to one")
        for stage in reversed(self.stages):
            if "train" in stage.data and "backbone" not in stage.freeze:
                own = {"name": "unlabelled", "data": [*stage.data, "unlabelled"]}
                return stage.model_copy(update=own)
        raise ValueError(
            "data.unlabelled is set, but no stage trains its backbone on training crops; leave it out"
        )

    @model_validator(mode="after")
    def _compare_sections(self) -> Config:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError(f"two stages have the same name: {', '.join(names)}; rename one")
        if self.synth is None and any("synth" in stage.data for stage in self.stages):
            raise ValueError("a stage has data: synth, but the file has no synth section; add one")
        if self.teacher and all("backbone" in stage.freeze for stage in self.stages):
            raise ValueError("a teacher needs a stage whose backbone trains; freeze less, or remove it")
        used = any("unlabelled" in stage.data for stage in self.stages)
        if used and self.data.unlabelled is None:
            raise ValueError("a stage has data: unlabelled; set data.unlabelled to a folder of crops")
        if self.data.unlabelled and not used:
            object.__setattr__(self, "stages", [*self.stages, self._unlabelled_stage()])
        if self.synth is None and self.reading_rule == "synth":
            raise ValueError("reading_rule is synth, but the file has no synth section; name a file")
        if self.synth and self.synth.texts == "like_labels" and self.synth.labels is None:
            # The manifest of rendered crops has this section only. The section therefore names the labels.
            synth = self.synth.model_copy(update={"labels": self.data.train})
            object.__setattr__(self, "synth", synth)
        return self
