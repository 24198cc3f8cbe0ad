"""Evaluations in a file: what a report shows without reading the crops again. One JSON object a reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linetune.core import atomic, untrusted
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.labelfile import Line
from linetune.decode import Reading
from linetune.evaluation.result import Evaluation

DIGITS = 4
"""Decimal places of the confidences of characters in the file."""
FOLDER, BASE, KEPT = "readings", "base.jsonl", "kept.jsonl"
"""Folder in the run folder, and its files: the readings of the limited base model and of the kept model."""
OUTDATED = "kept-outdated.jsonl"
"""The readings of the kept model with confidences that it has no longer."""


def write_evaluations(path: Path, evaluations: Mapping[str, Evaluation]) -> None:
    """Write evaluations by the names of their splits. The folder is created. Replaces an existing file.

    Raises:
        LinetuneError: the file cannot be written.
    """
    rows = (
        {
            "split": split,
            "source": line.source,
            "image": str(line.image),
            "label": line.text,
            "text": reading.text,
            "confidence": reading.confidence,
            "characters": [round(each, DIGITS) for each in reading.characters],
        }
        for split, evaluation in evaluations.items()
        for line, reading in zip(evaluation.lines, evaluation.readings, strict=True)
    )
    # ASCII: the path of a crop may have bytes that are not UTF-8.
    text = "".join(json.dumps(row) + "\n" for row in rows)
    with os_errors("cannot write the readings", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, text)


def read_evaluations(path: Path) -> dict[str, Evaluation]:
    """Return the evaluations of a file by the names of their splits. Empty if there is no file.

    Raises:
        LinetuneError: the file cannot be read, or is damaged.
    """
    if not path.exists():
        return {}
    with os_errors("cannot read the readings", path):
        content = untrusted.read(path).decode("utf-8", "replace")
    rows: dict[str, list[tuple[Line, Reading]]] = {}
    for number, text in enumerate(content.splitlines(), 1):
        row = untrusted.parse_json(text, path, number, hint=None)
        try:
            rows.setdefault(str(row["split"]), []).append(_labelled(row))
        except (LookupError, TypeError, ValueError):
            raise LinetuneError("a damaged reading", f"{path}:{number}", "delete the file") from None
    return {
        split: Evaluation([line for line, _ in some], [reading for _, reading in some])
        for split, some in rows.items()
    }


def set_aside(folder: Path) -> bool:
    """Rename the readings of the kept model, whose confidences change. The next report reads the crops again.

    Args:
        folder: a run folder, or any other.

    Returns:
        whether the folder has such readings.

    Raises:
        LinetuneError: the file cannot be renamed.
    """
    kept = folder / FOLDER / KEPT
    if not kept.exists():
        return False
    with os_errors("cannot rename the readings", kept):
        kept.replace(kept.with_name(OUTDATED))
    return True


def _labelled(row: Mapping[str, Any]) -> tuple[Line, Reading]:
    line = Line(Path(row["image"]), str(row["label"]), str(row["source"]))
    characters = tuple(map(float, row["characters"]))
    return line, Reading(str(row["text"]), float(row["confidence"]), characters=characters)
