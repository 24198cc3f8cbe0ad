"""What a run's file may say. Unknown keys are refused on every level."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)


def _switch(value: Any) -> Any:
    """A switch that may be left to the run, as one error instead of one for each kind of value."""
    named = {"auto": "auto", "true": True, "false": False}
    if str(value).lower() not in named:
        raise ValueError("expected auto, true or false")
    return named[str(value).lower()]


class FromShell(str):
    """A value given on the command line, where paths are relative to the current folder."""


def _resolve(value: Any, info: ValidationInfo) -> Any:
    """Paths in a file are relative to that file, so that it runs from anywhere."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("expected a path")
    folder = Path.cwd() if isinstance(value, FromShell) else (info.context or {}).get("folder", Path.cwd())
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder for {value}") from None
    return Path(folder, path).resolve()


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _source(value: Any, info: ValidationInfo) -> Any:
    """A stage's data: one of the names, or what looks like a label file, so that a mistyped name is none."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError(f"expected {SOURCES}")
    if str(value) in ("synth", "train"):
        return str(value)
    if isinstance(value, str) and not ("/" in value or "\\" in value or Path(value).suffix):
        raise ValueError(f"{str(value)!r} is not {SOURCES}")
    return _resolve(value, info)


def _named_once(values: list[Any]) -> list[Any]:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"{value} is named twice, and its crops would count twice")
    return values


SOURCES = "synth, train, or a label file such as crops/more.txt"
STAGE_NAME = r"^[A-Za-z0-9_-]+$"
FilePath = Annotated[Path, BeforeValidator(_resolve)]
FilePaths = Annotated[list[FilePath], BeforeValidator(_as_list), Field(min_length=1)]
LabelFiles = Annotated[FilePaths, AfterValidator(_named_once)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Augment(Strict):
    """Probability of each operation, per crop and epoch; 0 leaves it out."""

    warp: Probability = Field(0, description="smooth distortion, perspective, slant and rotation")
    crop: Probability = Field(0, description="up to 8 px off the top or the bottom")
    clip: Probability = Field(0, description="up to 6 px off the left or the right end")
    blur: Probability = Field(0, description="Gaussian blur, sigma 0.3 to 1.5 px")
    brightness: Probability = Field(0, description="brightness and contrast")
    colours: Probability = Field(0, description="colour channels swapped, colours drained")
    noise: Probability = Field(0, description="Gaussian noise, sigma up to 20 grey levels")
    invert: Probability = Field(0, description="negative image")
    join: Probability = Field(0, description="append another crop and its text, as far as 320 px allow")
    half_turn: Probability = Field(0, description="turn the whole crop upside down, text unchanged")
    heights: Annotated[list[Literal[32, 48, 64]], Field(min_length=1)] = Field(
        [48], description="heights in px, one drawn per batch"
    )

    @property
    def is_off(self) -> bool:
        """Whether images pass unchanged."""
        return self == Augment()


STANDARD = Augment(warp=0.5, crop=0.4, clip=0.2, blur=0.3, brightness=0.5, noise=0.3, invert=0.1, join=0.1)
"""What ``augment: standard`` means."""


def _augment(value: Any) -> Any:
    if isinstance(value, str):
        named = {"none": Augment(), "standard": STANDARD}
        if value not in named:
            raise ValueError("expected none, standard, or a mapping of operations")
        return named[value]
    return value


class Stage(Strict):
    """One training run of the chain; it starts from the best model so far."""

    name: Annotated[str, Field(pattern=STAGE_NAME)]
    data: Annotated[
        list[Annotated[Literal["synth", "train"] | Path, BeforeValidator(_source)]],
        BeforeValidator(_as_list),
        AfterValidator(_named_once),
        Field(min_length=1, description="synth (rendered crops), train (real crops), label files"),
    ]
    freeze: Annotated[
        list[Literal["backbone", "neck", "head"]],
        BeforeValidator(_as_list),
        Field(description="parts that stay bit-identical"),
    ] = []
    steps: Annotated[
        PositiveInt | None,
        Field(
            description="batches to train on; by default as long as validation gets better, or where the "
            "backbone is frozen as many as four epochs have"
        ),
    ] = None
    epochs: Annotated[PositiveInt | None, Field(description="the same as times that every crop is seen")] = (
        None
    )
    learning_rate: Annotated[
        float | None,
        Field(
            gt=0,
            description="peak, relative to each tensor's size; by default the best of a few in a short trial",
        ),
    ] = None
    batch_size: Annotated[
        PositiveInt, Field(description="crops a step; fewer of crops wider than 320 px, for the same area")
    ] = 32
    warmup_epochs: Annotated[float, Field(ge=0, description="of a rising rate, where `epochs` are given")] = (
        0.5
    )
    augment: Annotated[Augment, BeforeValidator(_augment)] = Augment()
    views: Annotated[
        PositiveInt,
        Field(description="augmented views stored of each crop where the backbone is frozen"),
    ] = 4
    trial: Annotated[
        PositiveInt | None,
        Field(
            description="rendered crops to train on first, to see whether they help to read the real ones; "
            "where they do harm the stage is skipped, and the rest are not rendered. Without effect on "
            "fewer than three times as many crops"
        ),
    ] = None
    patience: Annotated[
        PositiveInt | None, Field(description="stop after so many epochs without a better validation")
    ] = None
    nrtr_weight: Annotated[
        float, Field(ge=0, description="weight of the NRTR guidance loss; 0 leaves it out")
    ] = 0

    @property
    def stored_views(self) -> int:
        """Views of each crop that a frozen backbone sees; without augmentation they would all be one."""
        return 1 if self.augment.is_off else min(self.views, self.epochs or self.views)

    @model_validator(mode="after")
    def _one_length(self) -> Stage:
        if self.steps and self.epochs:
            raise ValueError("steps and epochs both say how long it trains; give one of them")
        if self.patience and not self.epochs:
            raise ValueError("patience counts epochs; give epochs as well, or leave it out")
        if self.trial and self.data != ["synth"]:
            raise ValueError("trial is for a stage on rendered crops alone; leave it out")
        return self

    @field_validator("freeze")
    @classmethod
    def _something_trains(cls, freeze: list[str]) -> list[str]:
        if set(freeze) == {"backbone", "neck", "head"}:
            raise ValueError("everything is frozen, so nothing would train")
        return freeze


class Data(Strict):
    """Label files of the user's own crops."""

    train: LabelFiles
    val: LabelFiles
    test: LabelFiles | None = None


Style = Literal["print", "outline", "dots", "peened", "engraved"]
Material = Literal["plastic", "paper", "metal", "concrete"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
CheckName = Literal["iso6346", "vin", "luhn", "ean"]


@dataclass(frozen=True)
class _Place:
    """Where something stands; settings are equal wherever they do."""

    where: str | None = field(default=None, compare=False)


class Pattern(Strict):
    """Texts of one form."""

    _place: _Place = PrivateAttr(_Place())

    pattern: Annotated[str, Field(min_length=1, description="regular expression that the whole text follows")]
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="how often, relative to the other patterns; left to `texts` when absent"
    )
    check: CheckName | None = Field(
        None,
        description="the check digit that every text carries: iso6346 (containers), vin (vehicles), "
        "luhn (cards, IMEI) or ean (EAN, UPC, GTIN); spaces and hyphens do not count",
    )

    @property
    def where(self) -> str | None:
        """``file:line`` of the pattern, or the override, for messages; None where it comes from no file."""
        return self._place.where

    def stands(self, where: str) -> None:
        """Note where the pattern stands, which changes nothing about it."""
        self._place = _Place(where)


def _patterns(value: Any) -> Any:
    """A pattern by itself, or several, each with or without its settings."""
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(item, (str, dict, Pattern)) and item for item in several):
        raise ValueError("expected a regular expression, or a list of them")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        # What YAML makes of `rule: [A-Z]`, which would give the text A-Z.
        raise ValueError(f"a list of one pattern; quote it, as '[{value[0]}]' for one of these characters")
    return [{"pattern": item} if isinstance(item, str) else item for item in several]


class Synth(Strict):
    """Rendered crops for the stages that use them."""

    rule: Annotated[
        list[Pattern],
        BeforeValidator(_patterns),
        Field(
            description="what the target's texts follow: a regular expression, a list of them, or a list "
            "of {pattern, weight, check}",
        ),
    ]
    parts: dict[Name, Annotated[str, Field(min_length=1)]] = Field(
        {}, description="named parts of the rule, such as month: '0[1-9]|1[0-2]', written {month} in it"
    )
    texts: Literal["balanced", "uniform", "like_labels"] = Field(
        "balanced",
        description="balanced (lengths, alternatives and characters about evenly), uniform (every text of "
        "a pattern equally likely, so mostly long ones), like_labels (all of them as often as in `labels`)",
    )
    labels: LabelFiles | None = Field(
        None, description="label files that like_labels goes by; the run's train labels when absent"
    )
    fonts: FilePaths = Field(description="font files, or folders searched for .ttf, .otf and .ttc")
    backgrounds: FilePaths | None = Field(
        None, description="photos to cut backgrounds from, for six crops in ten"
    )
    looks: LabelFiles | None = Field(
        None, description="label files of real crops whose sizes, colours, blur and so on are copied"
    )
    style: Annotated[list[Style], BeforeValidator(_as_list), Field(min_length=1)] = ["print"]
    material: Annotated[list[Material], BeforeValidator(_as_list), Field(min_length=1)] = [
        "plastic",
        "paper",
        "metal",
        "concrete",
    ]
    count: PositiveInt = Field(5000, description="crops to render")
    output: FilePath | None = Field(
        None,
        description="folder for the crops and their labels.txt; without it they go straight into training",
    )
    small_letters: Probability = Field(
        0,
        description="share of crops drawn with small letters where the text has capitals: for labels in "
        "capitals of print that is not",
    )
    half_turn: Probability = Field(0, description="share of crops rendered upside down")
    seed: int = 0

    @field_validator("rule")
    @classmethod
    def _all_weighed_or_none(cls, rule: list[Pattern]) -> list[Pattern]:
        if len({pattern.weight is None for pattern in rule}) > 1:
            raise ValueError("some patterns have a weight and some have none; give it to all or to none")
        return rule


class Config(Strict):
    """A run: where it starts, what it learns from, and its stages."""

    output: FilePath = Field(description="the run's folder")
    base_model: str = Field(
        "PP-OCRv6_small_rec", description="an official name, a model file, or a folder that holds one"
    )
    charset: Literal["auto"] | FilePath = Field(
        "auto", description="auto (of train labels and rule), or a file"
    )
    both_ways: Annotated[
        bool | Literal["auto"],
        BeforeValidator(_switch),
        Field(
            description="turn real crops that stand upside down upright for training, and read every crop "
            "both ways up, keeping the surer reading; auto: where 3 % or more of the real crops stand so"
        ),
    ] = "auto"
    charset_space: bool = Field(False, description="add the space, as PaddleOCR's use_space_char does")
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    data: Data
    synth: Synth | None = None
    stages: Annotated[list[Stage], Field(min_length=1)]

    @field_validator("charset", mode="before")
    @classmethod
    def _charset(cls, value: Any, info: ValidationInfo) -> Any:
        return "auto" if value == "auto" else _resolve(value, info)

    @field_validator("base_model", mode="before")
    @classmethod
    def _base_model(cls, value: Any, info: ValidationInfo) -> Any:
        looks_like_path = isinstance(value, str) and (
            "/" in value or "\\" in value or Path(value).suffix in MODEL_SUFFIXES
        )
        return str(_resolve(value, info)) if looks_like_path else value

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError(f"two stages share a name: {', '.join(names)}")
        if self.synth is None and any("synth" in stage.data for stage in self.stages):
            raise ValueError("a stage uses synth data, but there is no synth section")
        if self.synth and self.synth.texts == "like_labels" and self.synth.labels is None:
            # The section then says by itself all that its crops depend on.
            synth = self.synth.model_copy(update={"labels": self.data.train})
            object.__setattr__(self, "synth", synth)
        return self


MODEL_SUFFIXES = {".safetensors", ".onnx", ".pdparams"}
