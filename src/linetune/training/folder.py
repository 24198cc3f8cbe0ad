"""The folder a run fills: never another one's, and truthful about the model in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linetune.core.errors import LinetuneError
from linetune.core.progress import Reporter
from linetune.formats.store import load_model

# The model first: where one is still there, nothing was moved yet.
OWN_FILES = ("model.safetensors", "model.onnx", "config.yaml", "charset.txt", "journal.jsonl", "results.json")
OWN_FOLDERS = ("tensorboard", "stages")
EARLIER = "earlier-run"
"""Where a run waits that may be replaced."""
WORTH = {"model.safetensors", "model.onnx", "results.json", "stages", EARLIER}
"""What a run may be kept for."""
UNTRAINED = "limited to the charset"
"""How the name of the model ends that a run starts from."""


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
    if there and not there & {"config.yaml", EARLIER}:
        raise LinetuneError("the folder holds files but no run", folder, "choose another output=")
    if there and not _came_to_nothing(there) and not overwrite:
        raise LinetuneError(
            "the folder holds a run already",
            folder,
            "choose another output= or pass --overwrite",
        )


@contextmanager
def claimed(folder: Path, overwrite: bool, untrained: str, reporter: Reporter) -> Iterator[Path]:
    """The run's folder while it is filled, without an earlier run's files; what else lies there stays.

    The earlier run is set aside inside the folder. When the block fails or is interrupted before a model
    was trained that is worth keeping, it comes back; otherwise it goes. An interruption is told what the
    folder holds by then.

    Args:
        folder: the folder.
        overwrite: whether an earlier run may be replaced.
        untrained: what the history calls the model that the run starts from.
        reporter: told.

    Raises:
        LinetuneError: the folder cannot be made or cleared, or was taken meanwhile.
    """
    refuse_taken(folder, overwrite)  # once more, now that no other run can take it
    aside, model = folder / EARLIER, folder / "model.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _recover(folder, reporter)
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        try:
            if _came_to_nothing({path.name for path in folder.iterdir()}):
                _clear(folder)
            _move(folder, aside)
        except OSError as error:
            raise _unusable(folder, error) from None
        yield folder
    except BaseException as error:
        name = load_model(model).history["name"] if model.exists() else untrained
        if aside.exists() and name == untrained:
            _restore(folder)
            reporter.say(f"{folder} holds the earlier run still: no stage was better yet")
            raise
        if isinstance(error, KeyboardInterrupt) and model.exists():
            what = (
                "the base model: no stage was better yet" if name == untrained else f"the best so far: {name}"
            )
            reporter.say(f"{model} holds {what}")
        shutil.rmtree(aside, ignore_errors=True)
        raise
    # No `finally`: where the earlier run cannot come back, it is still there.
    shutil.rmtree(aside, ignore_errors=True)


def _came_to_nothing(there: set[str]) -> bool:
    """Whether a folder holds what a run leaves that was interrupted before it had a model.

    Its journal tells: a config.yaml without one is the user's own.
    """
    return "journal.jsonl" in there and not there & WORTH


def _recover(folder: Path, reporter: Reporter) -> None:
    """Settle what a killed run left: its own model where one was trained, the run before it otherwise."""
    if not (folder / EARLIER).is_dir():
        return
    model = folder / "model.safetensors"
    if model.exists() and not load_model(model).history["name"].endswith(UNTRAINED):
        shutil.rmtree(folder / EARLIER)
        return
    _restore(folder)
    reporter.say(f"{folder} holds the run again that one that was killed had set aside")


def _restore(folder: Path) -> None:
    """Put the run that was set aside back in its place."""
    _clear(folder)
    _move(folder / EARLIER, folder)
    (folder / EARLIER).rmdir()


def _unusable(folder: Path, error: OSError) -> LinetuneError:
    return LinetuneError(f"cannot use the run's folder ({error.strerror})", folder)


def _move(source: Path, target: Path) -> None:
    """Move a run's files, those that there are, into a folder made for them."""
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
