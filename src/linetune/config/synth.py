"""The ``synth`` section: texts, fonts and looks of the rendered crops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt, PrivateAttr, field_validator

from linetune.config.fields import FilePath, FilePaths, LabelFiles, Probability, Section, as_list

Style = Literal["print", "outline", "dots", "peened", "engraved"]
Material = Literal["plastic", "paper", "metal", "concrete"]
CheckName = Literal["iso6346", "vin", "luhn", "ean"]
PartName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]


@dataclass(frozen=True)
class _Place:
    """The place of a pattern. All places compare equal: equal patterns of two files are equal."""

    where: str | None = field(default=None, compare=False)


class Pattern(Section):
    """One pattern of the rule, with its weight and its check digit."""

    _place: _Place = PrivateAttr(_Place())

    pattern: Annotated[str, Field(min_length=1)]
    """Regular expression that the whole text matches. Required."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """How often texts of this pattern are drawn, relative to the other patterns: a number above 0. Without
    weights, ``texts`` decides. Give a weight to all patterns or to none."""
    check: CheckName | None = None
    """Check digit that each text gets: ``iso6346`` (containers), ``vin`` (vehicles), ``luhn`` (cards, IMEI)
    or ``ean`` (EAN, UPC, GTIN). Spaces and hyphens do not count. None by default."""

    @property
    def where(self) -> str | None:
        """``file:line`` of the pattern, or its override. None if it comes from neither."""
        return self._place.where

    def set_place(self, where: str) -> None:
        """Note where the pattern is written, for messages."""
        self._place = _Place(where)


def _patterns(value: Any) -> Any:
    """Return a list of mappings for a pattern or a list of patterns, each a text or a mapping."""
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(item, (str, dict, Pattern)) and item for item in several):
        raise ValueError("expected a regular expression, or a list of them")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        # YAML reads `rule: [A-Z]` as a list, and all texts would be "A-Z".
        raise ValueError(
            f"a list of one pattern; write it alone, or quote it, as '[{value[0]}]' for one character"
        )
    return [{"pattern": item} if isinstance(item, str) else item for item in several]


class Synth(Section):
    """Rendered crops, for the stages with ``data: synth``."""

    rule: Annotated[list[Pattern], BeforeValidator(_patterns)]
    """Rule that the texts follow: a regular expression, a list of them, or a list of mappings with
    ``pattern``, ``weight`` and ``check``. Required."""
    parts: dict[PartName, Annotated[str, Field(min_length=1)]] = Field({})
    """Named parts of the rule: a mapping such as ``month: '0[1-9]|1[0-2]'``. A pattern uses it as
    ``{month}``. Empty by default."""
    texts: Literal["balanced", "uniform", "like_labels"] = "balanced"
    """How texts are drawn. ``balanced``, the default: lengths, alternatives and characters about equally
    often. ``uniform``: each text of a pattern equally often; most texts are then long. ``like_labels``:
    lengths, alternatives and characters as often as in ``labels``."""
    labels: LabelFiles | None = None
    """Label file, or a list of them, for ``texts: like_labels``. By default those of ``data.train``."""
    fonts: FilePaths
    """Font file or folder, or a list of them. In folders, linetune takes all .ttf, .otf and .ttc files.
    Required."""
    backgrounds: FilePaths | None = None
    """Photo or folder of photos, or a list of them. Six crops in ten get a background from a photo. None by
    default."""
    looks: LabelFiles | None = None
    """Label file of real crops, or a list of them. Rendered crops copy the looks of these crops (sizes,
    colours, blur and so on) and not their texts. By default, looks are drawn from wide ranges."""
    style: Annotated[list[Style], BeforeValidator(as_list), Field(min_length=1)] = Field(["print"])
    """How the text is made: ``print`` (the default), ``outline``, ``dots``, ``peened`` (dots pressed in),
    ``engraved``, or a list of these. Each crop gets one of the list."""
    material: Annotated[list[Material], BeforeValidator(as_list), Field(min_length=1)] = Field(
        ["plastic", "paper", "metal", "concrete"]
    )
    """Texture of the surface: ``plastic``, ``paper``, ``metal``, ``concrete``, or a list of these; all four
    by default. Each crop gets one of the list."""
    count: PositiveInt = 5000
    """Number of crops to render, an integer from 1."""
    output: FilePath | None = None
    """Folder for the crops and their labels.txt. By default, linetune writes no files and renders in
    memory."""
    small_letters: Probability = 0
    """Share of the crops, from 0 to 1, that show small letters where the text has capitals. Use it if your
    labels are in capitals but some print is not."""
    half_turn: Probability = 0
    """Share of the crops, from 0 to 1, that are rendered upside down."""
    seed: int = 0
    """Seed of all random draws of the rendering, an integer."""

    @field_validator("rule")
    @classmethod
    def _refuse_some_weights(cls, rule: list[Pattern]) -> list[Pattern]:
        if len({pattern.weight is None for pattern in rule}) > 1:
            raise ValueError("some patterns have a weight and some have none; give it to all or to none")
        return rule
