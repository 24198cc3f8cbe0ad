"""The run folder: it never mixes two runs, and an earlier run is not lost before a better one exists."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linetune.core import atomic, outputs, signals
from linetune.core.errors import Interrupted, LinetuneError, os_errors
from linetune.core.progress import Reporter, duration
from linetune.evaluation import stored
from linetune.formats.store import load_model
from linetune.training import checkpoint, loggers
from linetune.training.journal import JOURNAL, TENSORBOARD
from linetune.training.result import UNTRAINED

# The model comes first: as long as it is there, nothing was moved.
OWN_FILES = (
    "model.safetensors",
    "model.onnx",
    "config.yaml",
    "charset.txt",
    JOURNAL,
    "results.json",
    "report.html",
    "MODEL_CARD.md",
)
EXAMPLES = "rendered"
"""Folder in the run folder with a few rendered crops and their labels."""
OWN_FOLDERS = (TENSORBOARD, stored.FOLDER, EXAMPLES, checkpoint.FOLDER, loggers.FOLDER)
EARLIER = "earlier-run"
"""Folder in the run folder for an earlier run that will be replaced."""
WORTH = {"model.safetensors", "model.onnx", "results.json", checkpoint.FOLDER, EARLIER}
"""Files and folders that make an earlier run worth keeping."""
NOTHING = "there was no checkpoint yet, and nothing of the run is kept"
"""What an interruption leaves before the first checkpoint."""


def refuse_taken(folder: Path, overwrite: bool) -> None:
    """Refuse a folder with a run that must not be replaced, or with other files.

    Raises:
        LinetuneError: the folder cannot be used.
    """
    if not outputs.is_filled(folder, ("config.yaml", EARLIER), "a run", "choose another output="):
        return
    if overwrite or _came_to_nothing({path.name for path in folder.iterdir()}):
        return
    if checkpoint.exist(folder):
        hint = f"{resume_command(folder)} continues it, and --overwrite starts a new run"
        raise LinetuneError("the folder has an interrupted run", folder, hint)
    raise LinetuneError("the folder already has a run", folder, "choose another output=, or pass --overwrite")


def refuse_incomplete(folder: Path) -> None:
    """Refuse a folder without a complete run.

    Raises:
        LinetuneError: there is no such folder, or it has no complete run.
    """
    if (folder / "results.json").is_file():
        return
    hint = "name a folder that linetune train has written"
    if not folder.is_dir():
        raise LinetuneError("not a folder" if folder.exists() else "no such run folder", folder, hint)
    if (folder / "config.yaml").is_file():
        hint = f"{resume_command(folder)} completes an interrupted run"
    raise LinetuneError("the folder has no complete run", folder, hint)


def resume_command(folder: Path) -> str:
    """Return the command that continues an interrupted run."""
    return f"linetune train --resume {shlex.quote(str(folder))}"


@contextmanager
def claimed(
    folder: Path, overwrite: bool, untrained: str, reporter: Reporter, resumed: bool = False
) -> Iterator[Path]:
    """Give the run folder to the block, without the files of an earlier run. Other files stay.

    The earlier run is set aside inside the folder. It comes back if the block fails or is interrupted before
    a stage was better than the base model. Otherwise it is deleted. After an error, the reporter says what
    the folder contains, and which command continues the run.

    Args:
        folder: the run folder.
        overwrite: whether an earlier run may be replaced.
        untrained: the name of the limited base model in the history of a model file.
        reporter: gets messages.
        resumed: whether the run in the folder continues. Its files stay.

    Raises:
        LinetuneError: the folder cannot be created or cleared, or another run took it in the meantime.
        Interrupted: Ctrl-C or SIGTERM. It says what the folder contains, and how to go on.
    """
    if not resumed:
        refuse_taken(folder, overwrite)  # again, because from now on no other run can take it
    with os_errors("cannot use the run folder", folder):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_partial(folder)
        if not resumed:
            _recover(folder, reporter)
    try:
        with os_errors("cannot use the run folder", folder):
            if not resumed:
                if _came_to_nothing({path.name for path in folder.iterdir()}):
                    _clear(folder)
                _move(folder, folder / EARLIER)
        yield folder
    except KeyboardInterrupt:
        with signals.ignored():
            kept = _leave(folder, untrained)
        raise Interrupted(kept or f"{NOTHING}; the same command starts the run again") from None
    except BaseException:
        with signals.ignored():
            for line in _leave(folder, untrained).splitlines():
                reporter.say(line)
        raise
    # No `finally`: if the earlier run cannot be put back, it stays aside.
    shutil.rmtree(folder / EARLIER, ignore_errors=True)


def _leave(folder: Path, untrained: str) -> str:
    """Keep the better of two runs after an interruption or an error.

    Returns:
        What the folder contains, and in a second line the command that continues the run. Empty if nothing of
        the run is worth keeping.
    """
    model, age = folder / "model.safetensors", checkpoint.age(folder)
    history: Mapping[str, Any] = load_model(model).history if model.exists() else {"name": untrained}
    if (folder / EARLIER).exists() and history["name"] == untrained:
        _restore(folder)
        return f"{folder} still has the earlier run, because no stage was better yet"
    shutil.rmtree(folder / EARLIER, ignore_errors=True)
    if age is None:
        if history["name"] == untrained:
            model.unlink(missing_ok=True)  # the command that made it makes it again
        return ""
    best = f"{model} is the base model, because no stage was better yet"
    if history["name"] != untrained:
        best = f"the best model so far is {model} ({history['val']['exact_match']:.1%} of validation)"
    return f"{best}; the last checkpoint is {duration(age)} old\ncontinue with: {resume_command(folder)}"


def _came_to_nothing(there: set[str]) -> bool:
    """Return whether a folder has only the files of a run that was interrupted before it had a model.

    Such a run has a journal. A config.yaml without a journal belongs to the user.
    """
    return JOURNAL in there and not there & WORTH


def _recover(folder: Path, reporter: Reporter) -> None:
    """Clean up after a killed run: keep its model if it trained one, else put the earlier run back."""
    if not (folder / EARLIER).is_dir():
        return
    model = folder / "model.safetensors"
    if model.exists() and not load_model(model).history["name"].endswith(UNTRAINED):
        shutil.rmtree(folder / EARLIER)
        return
    _restore(folder)
    reporter.say(f"{folder} has the earlier run again, which a killed run had set aside")


def _restore(folder: Path) -> None:
    """Put the earlier run back in its place."""
    _clear(folder)
    _move(folder / EARLIER, folder)
    (folder / EARLIER).rmdir()


def _remove_partial(folder: Path) -> None:
    """Delete the half-written files of a killed run."""
    for name in OWN_FILES:
        for path in folder.glob(f"{name}.*{atomic.PART}"):
            path.unlink(missing_ok=True)
    for name in OWN_FOLDERS:
        for path in (folder / name).glob(f"*{atomic.PART}"):
            path.unlink(missing_ok=True)


def _move(source: Path, target: Path) -> None:
    """Move the existing files of a run into another folder, which is created if necessary."""
    there = [source / name for name in (*OWN_FILES, *OWN_FOLDERS) if (source / name).exists()]
    if there:
        target.mkdir(exist_ok=True)
    for path in there:
        path.rename(target / path.name)


def _clear(folder: Path) -> None:
    for name in OWN_FILES:
        (folder / name).unlink(missing_ok=True)
    for name in OWN_FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
