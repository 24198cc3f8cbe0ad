"""Write the text of the run file, with the notes as its comments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from linetune.paddle_config.document import Note
from linetune.paddle_config.stage import PaddleStage

_PLAIN = re.compile(r"[A-Za-z_.][A-Za-z0-9_./-]*")
"""Texts that need no quotes in YAML, unless they are one of these words."""
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", ".nan", ".inf"}


@dataclass(frozen=True)
class RunSettings:
    """The values of a run file. Lists with one entry for each stage are in the order of the stages."""

    sources: list[str]
    """The configurations, one for each stage."""
    output: str
    base_model: str
    charset: str
    charset_space: bool
    seed: int | None
    on_cpu: bool
    train: list[str]
    val: list[str]
    names: list[str]
    """Name of each stage."""
    data: list[list[str]]
    """Training data of each stage."""
    stages: list[PaddleStage]


def run_text(run: RunSettings, notes: Sequence[Note], without_effect: Sequence[str]) -> str:
    """Return the text of a run file.

    Args:
        run: its values.
        notes: settings that mean something else in linetune.
        without_effect: keys that are left out and do not change what is learned.
    """
    left_out = _comment(", ".join(without_effect))
    lines = [
        f"# From PaddleOCR: {_comment(', '.join(run.sources))}. Paths are relative to this file.",
        "#",
        "# Settings that mean something else in linetune:",
        *(f"# - {note}" for note in notes),
        *([f"# Left out, without effect on what is learned: {left_out}"] if left_out else []),
        "",
        f"output: {_scalar(run.output)}",
        f"base_model: {_scalar(run.base_model)}",
        f"charset: {_scalar(run.charset)}",
        *(["charset_space: true # use_space_char"] if run.charset_space else []),
        *([f"seed: {run.seed}"] if run.seed is not None else []),
        *(["device: cpu"] if run.on_cpu else []),
        "",
        "data:",
        f"  train: {_list(run.train)}",
        f"  val: {_list(run.val)}",
        "  # test: a label file for the report only; PaddleOCR has no test crops",
        "",
        "stages: # each starts from the best model so far",
    ]
    for source, name, data, stage in zip(run.sources, run.names, run.data, run.stages, strict=True):
        lines += _stage_lines(source, name, data, stage)
    return "\n".join(lines) + "\n"


def _stage_lines(source: str, name: str, data: list[str], stage: PaddleStage) -> list[str]:
    augment: dict[str, float | list[int]] = {**stage.augment}
    if stage.sizes.heights != [48]:
        augment["heights"] = stage.sizes.heights
    operations = ", ".join(f"{operation}: {value}" for operation, value in augment.items())
    return [
        f"  - name: {_scalar(name)} # {_comment(source)}",
        f"    data: {_list(data)}",
        *(["    freeze: backbone # PaddleOCR ignores it"] if stage.frozen else []),
        f"    epochs: {stage.epochs}",
        f"    learning_rate: {stage.learning_rate} # PaddleOCR's number, but relative to each tensor's size",
        f"    warmup_epochs: {_number(stage.warmup_epochs)}",
        f"    batch_size: {stage.sizes.batch_size}",
        f"    nrtr_weight: {_number(stage.nrtr_weight)}",
        *([f"    augment: {{{operations}}}"] if augment else []),
    ]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _list(values: Sequence[str]) -> str:
    return _scalar(values[0]) if len(values) == 1 else f"[{', '.join(map(_scalar, values))}]"


def _scalar(value: str) -> str:
    """Return a text as a YAML value, with quotes where YAML may need them."""
    plain = _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
