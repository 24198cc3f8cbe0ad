"""The run file that repeats the run of a model, from the model's provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from linetune.config.load import as_yaml
from linetune.config.schema import MODEL_SUFFIXES
from linetune.core.errors import LinetuneError
from linetune.formats.model import Model
from linetune.training.provenance import BASE_FILE, FILE, NUMBER, PARTS

OUTPUT = "repeated"
"""The run folder in the run file."""
_SEVERAL = "Several files have the name"
_FOLDERS = "they are in the folders 1, 2 and so on, in the order of the settings"


def run_file(model: Model) -> str:
    """Return the text of a run file that repeats the run of a model.

    Its paths are names of files in the folder of the run file. Files that have one name are in folders called
    1, 2 and so on. Comments name the hashes of the data.

    Raises:
        LinetuneError: the model does not say the settings of its run.
    """
    record = model.provenance
    settings = record.get("settings")
    if not isinstance(settings, dict):
        what = "the file does not say with which settings the model was trained"
        raise LinetuneError(what, model.source, "name a model that linetune has trained")
    base = record.get(BASE_FILE, str(record.get("base_model", model.base_model)))
    names = _shared_names([base, settings])
    path = _with_paths(base, names)
    if path != base and "/" not in path and Path(path).suffix not in MODEL_SUFFIXES:
        path = f"./{path}"  # a bare word would be an official name
    first = {"output": OUTPUT, "base_model": path}
    tree = {**first, **_with_paths(settings, names), **first}  # a stranger's settings name no run folder
    comments = [*_comments(record), *(f"{_SEVERAL} {name}: {_FOLDERS}." for name in sorted(names))]
    return "".join(f"# {_line(text)}\n" for text in comments) + as_yaml(tree)


def as_text(value: Any) -> str:
    """Return a part of a record in one line, such as ``lines 8, labels 9f``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {as_text(item)}" for key, item in value.items())
    return str(value)


def _comments(record: Mapping[str, Any]) -> Iterator[str]:
    yield "The settings of the run that trained the model. Put the files of the same names beside this file."
    yield "With the same data, software and machine, linetune train gives the same weights."
    yield f"weights of the base model: {as_text(record.get('weights', 'not known'))}"
    if teacher := record.get("teacher"):
        yield f"weights of the teacher: {as_text(teacher)}"
    for key in ("data", "software", "machine"):
        part = record.get(key)
        if isinstance(part, dict):
            yield f"{key}:"
            yield from (f"  {name}: {as_text(value)}" for name, value in part.items())
    options = record.get("options")
    options = options if isinstance(options, dict) else {}
    if options.get("skip_bad"):
        yield "The run had the option --skip-bad, which leaves out lines that cannot be used."
    if options.get("within"):
        yield f"The run had {as_text(options['within'])} seconds (--within). Its weights depend on the speed."


def _line(text: str) -> str:
    """Return a text that cannot leave the line of its comment."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and FILE in value and value.keys() <= {FILE, NUMBER}


def _shared_names(value: Any) -> set[str]:
    """Return the names that several files of a record have."""
    if _is_file(value):
        return {_name(value)} if NUMBER in value else set()
    inside = [item for key, item in value.items() if key != PARTS] if isinstance(value, dict) else value
    return set[str]().union(*map(_shared_names, inside)) if isinstance(inside, list) else set()


def _with_paths(value: Any, shared: set[str]) -> Any:
    """Return settings with a path for each file."""
    if _is_file(value):
        name = _name(value)
        if name in shared:
            return f"{as_text(value.get(NUMBER, 1))}/{name}"
        return name if Path(name).suffix and not name.startswith("~") else f"./{name}"
    if isinstance(value, dict):
        return {key: item if key == PARTS else _with_paths(item, shared) for key, item in value.items()}
    return [_with_paths(item, shared) for item in value] if isinstance(value, list) else value


def _name(value: Mapping[str, Any]) -> str:
    """Return the name of a file. A record of a stranger may name folders, and they are left out."""
    return PureWindowsPath(str(value[FILE])).name
