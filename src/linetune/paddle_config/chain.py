"""Convert several PaddleOCR configurations, one for each stage, to one run."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from linetune.paddle_config.document import Document, Note
from linetune.paddle_config.official import named, network, official_model
from linetune.paddle_config.paths import Paths, normalised
from linetune.paddle_config.settings import note_unused
from linetune.paddle_config.stage import PaddleStage
from linetune.paddle_config.write import run_text

_ADD = "add a label file"


@dataclass(frozen=True)
class Conversion:
    """A run file that is not written yet."""

    text: str
    notes: list[Note]
    """Settings that mean something else in linetune. The text has them as comments."""
    missing: list[Path]
    """Files that the run will read and that do not exist yet."""


def convert(paths: Sequence[Path], output: Path, root: Path, repair: bool = False) -> Conversion:
    """Convert PaddleOCR recognition configurations to a run file.

    Args:
        paths: the configurations, one for each stage, in order.
        output: the run file to write. Paths in it are relative to its folder.
        root: the folder that PaddleOCR ran in. PaddleOCR's paths are relative to it.
        repair: read odd white space in the configurations as plain spaces.

    Raises:
        LinetuneError: a file cannot be read, is not YAML or not a recognition configuration, or the value of
            a setting is not valid. The error names file, line and column.
    """
    unique = len({path.name for path in paths}) == len(paths)
    documents = [Document.read(path, path.name if unique else str(path), repair) for path in paths]
    stages = [PaddleStage(document, number) for number, document in enumerate(documents, 1)]
    last, locations = stages[-1], Paths(root, output)
    if not last.val:
        raise last.document.error(
            "missing, and the run needs validation crops", "Eval.dataset.label_file_list", _ADD
        )
    for stage in stages:
        _note_dictionary(stage, last)
        _note_data(stage, last)
        _note_first_evaluation(stage, locations)
    for before, stage in pairwise(stages):
        _note_start(before, stage)
    _note_common_labels(stages)
    official = official_model(documents[0], stages[0].pretrained)
    folder, base_model = _output(last, locations), _base_model(stages[0], official, locations)
    without_effect = sorted(
        {key for document in documents for key in note_unused(document, network(official))}
    )
    notes = _merged([note for document in documents for note in document.notes])
    needed = [path for stage in stages for path in stage.train] + last.val
    needed += [path for path in (last.dictionary, _weights(stages[0])) if path]
    missing = [path for path in dict.fromkeys(map(locations.absolute, needed)) if not path.is_file()]
    text = run_text(stages, locations, folder, base_model, notes, without_effect)
    return Conversion(text, notes, missing)


def _base_model(stage: PaddleStage, official: str, locations: Paths) -> str:
    """Return the base model of the run, from its first stage.

    Args:
        stage: the first stage.
        official: the official model of its network.
        locations: converts paths.
    """
    key = "Global.pretrained_model"
    if stage.pretrained is None:
        stage.document.note(key, f"empty: PaddleOCR starts from random weights, linetune from {official}")
    weights = _weights(stage)
    if weights is None:
        return official
    if "://" in weights:
        raise stage.document.error("an address of other weights", key, "download the file and give its path")
    return locations.for_run_file(weights)


def _weights(stage: PaddleStage) -> str | None:
    """Return the weights file that the first stage starts from, or None for the official model."""
    path = stage.pretrained
    if path is None or named(path):
        return None
    return path if path.endswith(".pdparams") else f"{path}.pdparams"  # PaddleOCR takes both


def _output(last: PaddleStage, locations: Paths) -> str:
    """Return the run folder: PaddleOCR's, or a new one if PaddleOCR has filled that."""
    key, folder = "Global.save_model_dir", last.output or "output/linetune"
    path = locations.absolute(folder)
    if path.is_dir() and any(path.iterdir()) and not (path / "config.yaml").exists():
        folder = f"{folder.rstrip('/')}_linetune"
        last.document.note(key, f"the folder already has files; the run folder is {folder}")
    return locations.for_run_file(folder)


def _note_dictionary(stage: PaddleStage, last: PaddleStage) -> None:
    document, key = stage.document, "Global.character_dict_path"
    if stage.dictionary is None:
        document.note(key, "empty: PaddleOCR takes 0-9 and a-z, linetune the characters of the labels")
    elif last.dictionary and normalised(stage.dictionary) != normalised(last.dictionary):
        document.note(
            key,
            f"{stage.dictionary}, but {last.dictionary} in the last stage: if the dictionary changes, "
            "PaddleOCR drops the head with only a warning; linetune uses the last stage's for all stages",
        )
    if stage.use_space != last.use_space:
        document.note(
            "Global.use_space_char",
            f"{stage.use_space}, but linetune uses {last.use_space}, as in the last stage",
        )


def _note_data(stage: PaddleStage, last: PaddleStage) -> None:
    for split, folder, files in (("Train", stage.images, stage.train), ("Eval", stage.val_images, stage.val)):
        elsewhere = [
            path
            for path in files
            if folder and normalised(posixpath.dirname(normalised(path)) or ".") != normalised(folder)
        ]
        if elsewhere:
            stage.document.note(
                f"{split}.dataset.data_dir",
                f"PaddleOCR looks for images in {folder}; linetune looks beside the label file: move "
                f"{', '.join(elsewhere)} there",
            )
    if stage.val and set(map(normalised, stage.val)) != set(map(normalised, last.val)):
        stage.document.note(
            "Eval.dataset.label_file_list",
            f"PaddleOCR validates on {', '.join(stage.val)}; linetune validates all stages on the last one's",
        )


def _note_first_evaluation(stage: PaddleStage, locations: Paths) -> None:
    evaluation, lines = stage.first_evaluation, locations.count_lines(stage.train)
    text = f"PaddleOCR evaluates from step {evaluation} on"
    if lines is not None and stage.steps(lines) < evaluation:
        text = (
            f"PaddleOCR's run has {stage.steps(lines)} steps and would first evaluate in step {evaluation}, "
            "so it never writes best_accuracy"
        )
    text += "; linetune validates after each epoch, or after a few if epochs are short"
    stage.document.note("Global.eval_batch_step", text)


def _note_start(before: PaddleStage, stage: PaddleStage) -> None:
    path = stage.pretrained
    if path is None:
        text = "empty: PaddleOCR starts from random weights, unless its command line names others"
    elif before.output and normalised(path).startswith(normalised(f"{before.output}/best_accuracy")):
        return
    else:
        text = f"PaddleOCR starts from {path}"
    stage.document.note("Global.pretrained_model", f"{text}; linetune starts from the best model so far")


def _note_common_labels(stages: Sequence[PaddleStage]) -> None:
    """Note that stages name the same files, since users swap their content between two trainings."""
    if len(stages) > 1 and len({frozenset(map(normalised, stage.train)) for stage in stages}) == 1:
        for stage in stages:
            stage.document.note(
                "Train.dataset.label_file_list",
                "all stages name the same files; if you swapped their content between the stages, name "
                "different files for each stage",
            )


def _merged(notes: Sequence[Note]) -> list[Note]:
    """Return the notes with one in place of several that say the same of different stages."""
    places: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        places.setdefault((note.key, note.text), []).extend(note.places)
    return [Note(tuple(dict.fromkeys(at)), key, text) for (key, text), at in places.items()]
