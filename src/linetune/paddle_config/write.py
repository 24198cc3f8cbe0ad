"""The run's file as text, with what changed meaning as its comments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from linetune.paddle_config.document import Note
from linetune.paddle_config.stage import PaddleStage

_PLAIN = re.compile(r"[A-Za-z_.][A-Za-z0-9_./-]*")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", ".nan", ".inf"}


@dataclass(frozen=True)
class RunSettings:
    """A run's settings, in the words of its file."""

    sources: list[str]
    """The files it comes from."""
    output: str
    base_model: str
    charset: str
    charset_space: bool
    seed: int | None
    on_cpu: bool
    train: list[str]
    val: list[str]
    names: list[str]
    """The stages' names."""
    data: list[list[str]]
    """What each stage trains on."""
    stages: list[PaddleStage]


def run_text(run: RunSettings, notes: Sequence[Note], idle: Sequence[str]) -> str:
    """The file.

    Args:
        run: the settings.
        notes: what changes meaning.
        idle: settings left out that do not change what is learned.
    """
    lines = [
        f"# From PaddleOCR: {_comment(', '.join(run.sources))}. Paths are relative to this file.",
        "#",
        "# What means something else here than there:",
        *(f"# - {note}" for note in notes),
        *([f"# Left out, without effect on what is learned: {_comment(', '.join(idle))}"] if idle else []),
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
        "  # test: a label file that nothing is trained or chosen on; PaddleOCR has none",
        "",
        "stages: # each starts from the best model so far",
    ]
    for source, name, data, stage in zip(run.sources, run.names, run.data, run.stages, strict=True):
        lines += _stage(source, name, data, stage)
    return "\n".join(lines) + "\n"


def _stage(source: str, name: str, data: list[str], stage: PaddleStage) -> list[str]:
    augment: dict[str, float | list[int]] = {**stage.augment}
    if stage.sizes.heights != [48]:
        augment["heights"] = stage.sizes.heights
    operations = ", ".join(f"{operation}: {value}" for operation, value in augment.items())
    return [
        f"  - name: {_scalar(name)} # {_comment(source)}",
        f"    data: {_list(data)}",
        *(["    freeze: backbone # PaddleOCR ignores it"] if stage.frozen else []),
        f"    epochs: {stage.epochs}",
        f"    learning_rate: {stage.learning_rate} # PaddleOCR's number; here relative to each tensor's size",
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
    """A text as YAML reads it back."""
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
