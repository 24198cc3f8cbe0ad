"""Write the text of the run file, with the notes as its comments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from linetune.paddle_config.document import Note
from linetune.paddle_config.paths import Paths, normalised
from linetune.paddle_config.stage import PaddleStage

_PLAIN = re.compile(r"[A-Za-z_.][A-Za-z0-9_./-]*")
"""Texts that need no quotes in YAML, unless they are one of these words."""
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", ".nan", ".inf"}


def run_text(
    stages: Sequence[PaddleStage],
    locations: Paths,
    output: str,
    base_model: str,
    notes: Sequence[Note],
    without_effect: Sequence[str],
) -> str:
    """Return the text of a run file.

    Args:
        stages: the stages in order. The last one has the charset and the label files of the run.
        locations: converts paths.
        output: the run folder, as the run file names it.
        base_model: the base model, as the run file names it.
        notes: settings that mean something else in linetune.
        without_effect: keys that are left out and do not change what is learned.
    """
    first, last = stages[0], stages[-1]
    sources = ", ".join(stage.document.label for stage in stages)
    left_out = _comment(", ".join(without_effect))
    settings = {
        "output": _scalar(output),
        "base_model": _scalar(base_model),
        "charset": _scalar(locations.for_run_file(last.dictionary) if last.dictionary else "auto"),
        "charset_space": "true # use_space_char" if last.dictionary and last.use_space else None,
        "seed": None if first.seed is None else str(first.seed),
        "device": "cpu" if all(stage.on_cpu for stage in stages) else None,
    }
    lines = [
        f"# From PaddleOCR: {_comment(sources)}. Paths are relative to this file.",
        "#",
        "# Settings that mean something else in linetune:",
        *(f"# - {note}" for note in notes),
        *([f"# Left out, without effect on what is learned: {left_out}"] if left_out else []),
        "",
        *(f"{key}: {value}" for key, value in settings.items() if value is not None),
        "",
        "data:",
        f"  train: {_list([locations.for_run_file(path) for path in last.train])}",
        f"  val: {_list([locations.for_run_file(path) for path in last.val])}",
        "  # test: a label file for the report only; PaddleOCR has no test crops",
        "",
        "stages: # each starts from the best model so far",
    ]
    for name, stage in zip(_unique_names(stages), stages, strict=True):
        lines += _stage_lines(name, _stage_data(stage, last, locations), stage)
    return "\n".join(lines) + "\n"


def _stage_lines(name: str, data: list[str], stage: PaddleStage) -> list[str]:
    augment: dict[str, float | list[int]] = {**stage.augment}
    if stage.sizes.heights != [48]:
        augment["heights"] = stage.sizes.heights
    operations = ", ".join(f"{operation}: {value}" for operation, value in augment.items())
    return [
        f"  - name: {_scalar(name)} # {_comment(stage.document.label)}",
        f"    data: {_list(data)}",
        *(["    freeze: backbone # PaddleOCR ignores it"] if stage.frozen else []),
        f"    epochs: {stage.epochs}",
        f"    learning_rate: {stage.learning_rate} # PaddleOCR's number, but relative to each tensor's size",
        f"    warmup_epochs: {_number(stage.warmup_epochs)}",
        f"    batch_size: {stage.sizes.batch_size}",
        f"    nrtr_weight: {_number(stage.nrtr_weight)}",
        *([f"    augment: {{{operations}}}"] if augment else []),
    ]


def _stage_data(stage: PaddleStage, last: PaddleStage, locations: Paths) -> list[str]:
    """Return the data of a stage: ``train`` for the last stage's label files, paths for all others."""
    own, of_last = {normalised(path): path for path in stage.train}, {normalised(p) for p in last.train}
    if not of_last <= own.keys():
        return [locations.for_run_file(path) for path in own.values()]
    others = [locations.for_run_file(path) for key, path in own.items() if key not in of_last]
    return ["train", *others]


def _unique_names(stages: Sequence[PaddleStage]) -> list[str]:
    names: list[str] = []
    for number, stage in enumerate(stages, 1):
        name = stage.name
        while name in names:
            name = f"{name}_{number}"
        names.append(name)
    return names


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
