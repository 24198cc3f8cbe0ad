"""The folder a run fills: never another one's, and truthful about the model in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linetune.errors import LinetuneError
from linetune.training.reporter import Reporter
from linetune.weights.store import load_model

OWN_FILES = ("config.yaml", "charset.txt", "journal.jsonl", "results.json", "model.safetensors", "model.onnx")
OWN_FOLDERS = ("tensorboard", "stages")


def refuse_taken(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that holds a run, unless it may be replaced, or anything else.

    Raises:
        LinetuneError: with the way out.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise LinetuneError("the run's folder is a file", folder, "choose another output=")
    there = {path.name for path in folder.iterdir()}
    if there and "config.yaml" not in there:
        raise LinetuneError("the folder holds files but no run", folder, "choose another output=")
    if there and not overwrite:
        raise LinetuneError(
            "the folder holds a run already",
            folder,
            "choose another output= or pass --overwrite",
        )


def claim(folder: Path) -> Path:
    """The run's folder, without an earlier run's files; what else lies there stays.

    Raises:
        LinetuneError: it cannot be made or cleared.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in OWN_FILES:
            (folder / name).unlink(missing_ok=True)
        for name in OWN_FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
    except OSError as error:
        raise LinetuneError(f"cannot use the run's folder ({error.strerror})", folder) from None
    return folder


@contextmanager
def interruption_told(model: Path, untrained: str, reporter: Reporter) -> Iterator[None]:
    """When the block is interrupted, say what its model file holds by then.

    Args:
        model: the file.
        untrained: what the history calls the model that the run starts from.
        reporter: told.
    """
    try:
        yield
    except KeyboardInterrupt:
        if model.exists():
            name = load_model(model).history["name"]
            what = (
                "the base model: no stage was better yet" if name == untrained else f"the best so far: {name}"
            )
            reporter.say(f"{model} holds {what}")
        raise
