"""Distillation: the run of a small model that a finished run of a larger one teaches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from linetune.config.fields import FromShell
from linetune.config.load import load
from linetune.config.schema import Config, Stage
from linetune.core.errors import LinetuneError
from linetune.formats.store import NAME as MODEL
from linetune.training.folder import resume_command
from linetune.training.unlabelled import NAME as UNLABELLED

BASE_MODEL = "PP-OCRv6_tiny_rec"
"""The model that learns, unless the user names another one."""


def distilled(
    run: Path,
    output: Path,
    base_model: str = BASE_MODEL,
    unlabelled: Path | None = None,
    overrides: Sequence[str] = (),
) -> Config:
    """Return the run of a smaller model that a finished run teaches. It has the same data and stages.

    Args:
        run: the folder of the finished run.
        output: the new run folder.
        base_model: the model that learns: an official name, a file or a folder.
        unlabelled: folder of crops without labels. The stages on training crops learn from them too.
        overrides: settings as ``key.path=value`` that replace those of the finished run.

    Raises:
        LinetuneError: the run has no model or is not finished, or a setting cannot be used.
    """
    settings = run / "config.yaml"
    if not settings.is_file():
        raise LinetuneError("the folder has no run", run, "name the run folder of the teacher")
    if not (run / MODEL).is_file() or not (run / "results.json").is_file():
        raise LinetuneError("the run has no finished model yet", run, f"{resume_command(run)} finishes it")
    config = load(settings, overrides)
    own = {"output": FromShell(output), "base_model": FromShell(base_model), "teacher": FromShell(run)}
    if config.charset == "auto":  # other stages or crops could give other characters
        own["charset"] = FromShell((run / "charset.txt").absolute())
    tree = config.model_dump() | own
    if unlabelled is not None:
        tree["data"]["unlabelled"] = FromShell(unlabelled)
        tree["stages"] = [_with_unlabelled(stage) for stage in config.stages]
        if not any(UNLABELLED in stage["data"] for stage in tree["stages"]):
            what, hint = "no stage trains its backbone on training crops", "name a run that has one"
            raise LinetuneError(f"{what}, and unlabelled crops would teach nothing", settings, hint)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        problem = error.errors()[0]
        raise LinetuneError(problem["msg"].removeprefix("Value error, "), settings) from None


def _with_unlabelled(stage: Stage) -> dict[str, Any]:
    """Return the settings of a stage. If its backbone trains on training crops, unlabelled ones are added."""
    settings = stage.model_dump()
    if "train" in stage.data and "backbone" not in stage.freeze and UNLABELLED not in stage.data:
        settings["data"] = [*stage.data, UNLABELLED]
    return settings
