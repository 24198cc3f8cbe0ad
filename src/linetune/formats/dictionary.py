"""The characters of a model file: inside it, or beside it in a ``.txt`` or in Paddle's ``inference.yml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from linetune.config import yaml_file
from linetune.core import textfile
from linetune.core.charset import Charset, show
from linetune.core.errors import LinetuneError
from linetune.models.architecture import Official

SETTINGS = "inference.yml"
"""The file with the dictionary beside Paddle's programs."""


class Settings(NamedTuple):
    """The contents of ``inference.yml`` that matter here."""

    name: str | None
    """The official model."""
    charset: Charset
    """The characters of the dictionary, and the space."""
    both_ways: bool
    """Whether the program reads every crop both ways up. Only exports of linetune say this."""
    entries: Mapping[str, Any]
    """The whole section ``Global``."""


def read_settings(folder: Path) -> Settings:
    """Read ``inference.yml`` in a folder.

    Raises:
        LinetuneError: the file is missing, is not YAML, or has no usable dictionary.
    """
    path = folder / SETTINGS
    try:
        tree = yaml_file.values(textfile.read(path, "settings"), path)
        characters = tree["PostProcess"]["character_dict"]
        settings = tree.get("Global", {})
        name, both_ways = settings.get("model_name"), settings.get("both_ways", False)
        if not isinstance(characters, list):
            raise TypeError
    except (TypeError, LookupError, AttributeError):
        raise LinetuneError(
            "PostProcess.character_dict is not a list of characters", path, "list one character a line"
        ) from None
    for entry in characters:
        if not isinstance(entry, str):
            raise LinetuneError(
                f"PostProcess.character_dict has {entry!r}, which is not text", path, "put it in quotes"
            )
    try:
        charset = Charset.from_dictionary(characters)
    except LinetuneError as error:
        raise error.at(path) from None
    return Settings(name, charset, both_ways is True, settings)


def charset_of_file(classes: int, official: Official, path: Path, embedded: str | None = None) -> Charset:
    """Return the charset of a model file.

    It is inside the file, beside it in a ``.txt`` or ``inference.yml``, or that of the official model.

    Raises:
        LinetuneError: there is no dictionary, or its number of characters does not fit the classes.
    """
    beside = path.with_suffix(".txt")
    hint = f"save its dictionary in the same folder as {beside.name}"
    known = official.charset
    if embedded is not None:
        charset = Charset.from_dictionary(embedded.removesuffix("\n").split("\n"))
    elif beside.is_file():
        charset = Charset.from_dictionary(Charset.read(beside, dictionary=True).characters)
    elif (path.parent / SETTINGS).is_file():
        charset = read_settings(path.parent).charset
        hint = f"correct {SETTINGS} in the same folder"
    elif known is not None:
        charset = known
    else:
        raise LinetuneError(f"linetune does not know the dictionary of {official.name}", path, hint)
    return matching(charset, classes, path, hint)


def matching(charset: Charset, classes: int, path: Path, hint: str) -> Charset:
    """Return the charset of a dictionary as the network has it.

    Raises:
        LinetuneError: the dictionary has another number of classes than the network.
    """
    if charset.classes == classes + 1:
        # The model has no class for the space. Readers append one that is never the most probable.
        charset = Charset(charset.characters[:-1])
    if charset.classes != classes:
        raise LinetuneError(
            f"the model has {classes} classes, but its dictionary gives {charset.classes}",
            path,
            hint,
        )
    return charset


def refuse(charset: Charset, breaks: Callable[[str], bool], why: str, path: Path) -> None:
    """Refuse a charset with characters that break the dictionary of an exported file.

    Args:
        charset: the charset to export.
        breaks: whether a character breaks the dictionary.
        why: what the dictionary cannot do, for the message.
        path: the file to write.

    Raises:
        LinetuneError: the charset has such a character.
    """
    if breaking := list(filter(breaks, charset.characters)):
        raise LinetuneError(f"the charset has {show(*breaking)}, {why}", path, "remove it from the charset")
