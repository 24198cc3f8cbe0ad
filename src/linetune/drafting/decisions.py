"""The decisions about a new run, and the files that contain them."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from linetune.config import Pattern
from linetune.config.new import filled, path_value, rule_value
from linetune.core import atomic, files
from linetune.core.charset import Charset
from linetune.core.errors import os_errors
from linetune.core.labelfile import Line
from linetune.core.outputs import refuse_existing
from linetune.data.split import NAMES, Division, write

CONFIG, CHARSET, LABELS = "linetune.yaml", "charset.txt", "labels"
"""Names of the files, and of the folder of label files."""
ELSEWHERE = "choose another folder for the run"
"""How to go on if one of them exists."""


@dataclass
class Draft:
    """The contents of the files of a new run."""

    folder: Path
    """The folder for the files."""
    splits: dict[str, list[Line]]
    division: Division | None = None
    """The division of one label file. None if the splits exist already."""
    patterns: list[Pattern] = field(default_factory=list)
    """The rule. Empty if no crops are rendered."""
    charset: Charset | None = None
    """The charset, if it has more characters than the training labels and the rule."""
    read_as: str | None = None
    """What to read some printed characters as, as the run file names it."""
    fonts: list[Path] = field(default_factory=list)
    small_letters: float = 0
    """Share of rendered crops that show small letters where their labels have capitals."""
    reasons: list[str] = field(default_factory=list)
    """One line for each decision."""

    @property
    def texts(self) -> list[str]:
        """All labels except the test labels, which nothing is chosen on."""
        return [line.text for name in NAMES[:2] for line in self.splits[name]]

    def set_charset(self, charset: Charset) -> None:
        """Write a charset file instead of ``charset: auto``."""
        refuse_existing(self.folder / CHARSET, hint=ELSEWHERE)
        self.charset = charset


def save(new: Draft) -> Path:
    """Write the files of a draft, all of them or none. Return the run file.

    Raises:
        LinetuneError: the folder cannot be written.
    """
    path, is_new = new.folder / CONFIG, not new.folder.exists()
    try:
        with os_errors("cannot write", new.folder):
            new.folder.mkdir(parents=True, exist_ok=True)
            # The files appear in reverse order. The run file is the last one: it shows that all are complete.
            with ExitStack() as stack:
                stack.enter_context(atomic.written(path)).write_text(_text(new), "utf-8", newline="\n")
                if new.charset:
                    new.charset.write(stack.enter_context(atomic.written(new.folder / CHARSET)))
                if new.division:
                    write(new.division, stack.enter_context(atomic.folder_written(new.folder / LABELS)))
    finally:
        if is_new and not path.exists():
            with contextlib.suppress(OSError):
                new.folder.rmdir()
    return path


def _text(new: Draft) -> str:
    """Return the content of the run file."""
    labels = {name: _label_file(new, name) for name in NAMES}
    return filled(
        {
            "charset": CHARSET if new.charset else "auto",
            **({"read_as": new.read_as} if new.read_as else {}),
            "data.train": labels["train"],
            "data.val": labels["val"],
            "data.test": labels["test"],
            "synth.rule": rule_value(new.patterns) if new.patterns else None,
            "synth.fonts": [f"    - {path_value(path.as_posix())}" for path in new.fonts],
            "synth.looks": labels["train"],
            **({"synth.small_letters": str(new.small_letters)} if new.small_letters else {}),
        },
        rendered=bool(new.patterns),
    )


def _label_file(new: Draft, name: str) -> str | None:
    """Return the label file of a split as the run file names it."""
    if name not in new.splits:
        return None
    if new.division:
        return f"{LABELS}/{name}.txt"
    path = Path(new.splits[name][0].source.rpartition(":")[0])
    return path_value(files.relative(path, new.folder))
