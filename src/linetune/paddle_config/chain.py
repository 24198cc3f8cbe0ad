"""Several PaddleOCR configurations, one a stage, as one run."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from linetune.paddle_config.document import Document, Note
from linetune.paddle_config.places import Places, plain
from linetune.paddle_config.settings import account_for_the_rest
from linetune.paddle_config.stage import PaddleStage, read_stage
from linetune.paddle_config.write import RunSettings, run_text

OFFICIAL = "PP-OCRv5_mobile_rec"
_LABELS = "Train.dataset.label_file_list"


@dataclass(frozen=True)
class Conversion:
    """A run's file, not yet written."""

    text: str
    notes: list[Note]
    """What changes meaning; the text holds it too."""
    missing: list[Path]
    """Files that the run will read and that are not there yet."""


def convert(paths: Sequence[Path], output: Path, root: Path, repair: bool = False) -> Conversion:
    """Turn PaddleOCR recognition configurations into a run's file.

    Args:
        paths: the configurations, one a stage, in their order.
        output: where the run's file will stand; paths in it are relative to its folder.
        root: the folder that PaddleOCR ran in, which its paths are relative to.
        repair: take odd white space in the files for plain spaces.

    Raises:
        LinetuneError: a file cannot be read, is no YAML or no recognition configuration, or a setting
            has no sensible value; names file, line and column.
    """
    short = len({path.name for path in paths}) == len(paths)
    documents = [Document.read(path, path.name if short else str(path), repair) for path in paths]
    stages = [read_stage(document, number) for number, document in enumerate(documents, 1)]
    last, places = stages[-1], Places(root, output)
    if not last.val:
        raise last.document.error(
            "missing, so that nothing would be validated", "Eval.dataset.label_file_list"
        )
    for stage in stages:
        _note_data(stage, last, places)
    for before, stage in pairwise(stages):
        _note_start(before, stage)
    _note_common_labels(stages)
    run = RunSettings(
        sources=[stage.document.label for stage in stages],
        output=_output(last, places),
        base_model=_base_model(stages[0], places),
        charset=places.written(last.dictionary) if last.dictionary else "auto",
        charset_space=bool(last.dictionary) and last.use_space,
        seed=stages[0].seed,
        on_cpu=all(stage.on_cpu for stage in stages),
        train=[places.written(path) for path in last.train],
        val=[places.written(path) for path in last.val],
        names=_names(stages),
        data=[_sources(stage, last, places) for stage in stages],
        stages=stages,
    )
    idle = sorted({key for document in documents for key in account_for_the_rest(document)})
    notes = _together([note for document in documents for note in document.notes])
    needed = [path for stage in stages for path in stage.train] + last.val
    needed += [path for path in (last.dictionary, _weights(stages[0])) if path]
    missing = [path for path in dict.fromkeys(map(places.there, needed)) if not path.is_file()]
    return Conversion(run_text(run, notes, idle), notes, missing)


def _base_model(first: PaddleStage, places: Places) -> str:
    key, path = "Global.pretrained_model", first.pretrained
    if path is None:
        first.document.note(key, f"empty, so that PaddleOCR trains from nothing; here from {OFFICIAL}")
    weights = _weights(first)
    if weights is None:
        return OFFICIAL
    if "://" in weights:
        raise first.document.error("an address of other weights", key, "download them and name the file")
    return places.written(weights)


def _weights(first: PaddleStage) -> str | None:
    """The weights' file that the first stage starts from; None where they are the official ones."""
    path = first.pretrained
    if path is None or posixpath.basename(path.replace("\\", "/")).startswith(OFFICIAL):
        return None
    return path if path.endswith(".pdparams") else f"{path}.pdparams"  # PaddleOCR takes both


def _output(last: PaddleStage, places: Places) -> str:
    key, folder = "Global.save_model_dir", last.output or "output/linetune"
    there = places.there(folder)
    if there.is_dir() and any(there.iterdir()) and not (there / "config.yaml").exists():
        folder = f"{folder.rstrip('/')}_linetune"
        last.document.note(key, f"holds files already, so that the run goes to {folder}")
    return places.written(folder)


def _sources(stage: PaddleStage, last: PaddleStage, places: Places) -> list[str]:
    """What the stage trains on: the last stage's crops are the run's own, others are named by path."""
    own, shared = {plain(p): p for p in stage.train}, {plain(p) for p in last.train}
    if not shared <= own.keys():
        return [places.written(path) for path in own.values()]
    return ["train", *(places.written(path) for name, path in own.items() if name not in shared)]


def _names(stages: Sequence[PaddleStage]) -> list[str]:
    names: list[str] = []
    for number, stage in enumerate(stages, 1):
        name = stage.name
        while name in names:
            name = f"{name}_{number}"
        names.append(name)
    return names


def _note_data(stage: PaddleStage, last: PaddleStage, places: Places) -> None:
    """What the stage's data and dictionary mean here."""
    document, key = stage.document, "Global.character_dict_path"
    if stage.dictionary is None:
        document.note(
            key, "empty, so that PaddleOCR takes 0-9 and a-z; here the characters of the labels count"
        )
    elif last.dictionary and plain(stage.dictionary) != plain(last.dictionary):
        document.note(
            key,
            f"{stage.dictionary}, but {last.dictionary} in the last stage: PaddleOCR throws the head away "
            "where it changes, with a warning only; here the last stage's serves all",
        )
    if stage.use_space != last.use_space:
        document.note(
            "Global.use_space_char", f"{stage.use_space} there, {last.use_space} here as in the last stage"
        )
    for split, folder, files in (("Train", stage.images, stage.train), ("Eval", stage.val_images, stage.val)):
        apart = [
            path for path in files if folder and plain(posixpath.dirname(plain(path)) or ".") != plain(folder)
        ]
        if apart:
            document.note(
                f"{split}.dataset.data_dir",
                f"images lie in {folder}; here they are looked for beside their label file, so put "
                f"{', '.join(apart)} there",
            )
    if stage.val and set(map(plain, stage.val)) != set(map(plain, last.val)):
        document.note(
            "Eval.dataset.label_file_list",
            f"validated on {', '.join(stage.val)} there, here as the last stage",
        )
    lines = places.lines(stage.train)
    text = f"evaluated from step {stage.first_evaluation} on there; here after every epoch"
    if lines is not None and stage.steps(lines) < stage.first_evaluation:
        text = (
            f"the run has {stage.steps(lines)} steps, the first evaluation would be step "
            f"{stage.first_evaluation}: PaddleOCR never writes best_accuracy; here every epoch is validated"
        )
    document.note("Global.eval_batch_step", text)


def _note_start(before: PaddleStage, stage: PaddleStage) -> None:
    path = stage.pretrained
    if path is None:
        text = "empty, so that PaddleOCR trains from nothing unless told otherwise"
    elif before.output and plain(path).startswith(plain(f"{before.output}/best_accuracy")):
        return
    else:
        text = f"{path} there"
    stage.document.note("Global.pretrained_model", f"{text}; here from the best of the stage before")


def _note_common_labels(stages: Sequence[PaddleStage]) -> None:
    """A chain may be run by swapping a label file's content between the stages; here all are read at once."""
    if len(stages) > 1 and len({frozenset(map(plain, stage.train)) for stage in stages}) == 1:
        for stage in stages:
            stage.document.note(
                _LABELS,
                "all stages name the same files; if their content was swapped between the stages there, name "
                "each stage's own here",
            )


def _together(notes: Sequence[Note]) -> list[Note]:
    """One note where several stages say the same."""
    places: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        places.setdefault((note.key, note.text), []).extend(note.places)
    return [Note(tuple(dict.fromkeys(at)), key, text) for (key, text), at in places.items()]
