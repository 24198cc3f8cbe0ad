"""Read a run's file, apply overrides, and report every mistake at once, with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from linetune.config.schema import STAGE_NAME, Augment, Config, Data, FromShell, Pattern, Stage, Synth
from linetune.config.yaml_file import parse
from linetune.core import atomic, textfile
from linetune.core.errors import LinetuneError, ManyErrors, did_you_mean

_SECTIONS: dict[str, type[BaseModel]] = {
    "data": Data,
    "synth": Synth,
    "rule": Pattern,
    "stages": Stage,
    "augment": Augment,
}


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration in a YAML file.

    Args:
        path: the file; paths in it are relative to its folder.
        overrides: ``key.path=value``; a stage is addressed by name or number, paths are relative
            to the current folder.

    Raises:
        LinetuneError: the file is missing or no YAML; an ``ManyErrors`` of every key that is
            unknown, missing or wrong, each with its line.
    """
    path = Path(path)
    tree = _parse(path)
    set_by = {_override(tree, override): override for override in overrides}
    try:
        config = Config.model_validate(tree, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise ManyErrors([_explain(path, tree, problem, set_by) for problem in error.errors()]) from None
    for number, pattern in enumerate(config.synth.rule if config.synth else ()):
        # Whether texts can be drawn from it shows later.
        pattern.stands(_where(path, tree, ["synth", "rule", number, "pattern"], set_by))
    return config


def save(config: Config, path: Path) -> None:
    """Write the resolved configuration, every default spelled out; it loads to the same one."""
    text = StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.dump(config.model_dump(mode="json"), text)
    atomic.write_text(path, text.getvalue())


def _parse(path: Path) -> Any:
    text = textfile.read(path, "configuration", "linetune init DIR writes one")
    return parse(text, path, "linetune init DIR writes an example")


def _override(tree: Any, override: str) -> tuple[str | int, ...]:
    """Set one key; returns where it stands."""
    keys, equals, text = override.partition("=")
    where = f"override {override!r}"
    if not equals or not all(keys.split(".")):
        raise LinetuneError("expected key.path=value", where)
    try:
        value = YAML(typ="safe").load(text)
    except YAMLError:
        raise LinetuneError("the value is not valid YAML", where, "quote it, as in 'key=\"value\"'") from None
    *parents, last = keys.split(".")
    location: list[str | int] = []
    node = tree
    for key in parents:
        location.append(_position(node, key, where) if isinstance(node, list) else key)
        node = _child(node, key, where)
    if isinstance(node, list):
        location.append(_position(node, last, where))
    elif isinstance(node, dict):
        location.append(last)
    else:
        raise LinetuneError(f"{'.'.join(parents)} has no keys to set", where)
    node[location[-1]] = _mark(value)
    return tuple(location)


def _child(node: Any, key: str, where: str) -> Any:
    if isinstance(node, list):
        return node[_position(node, key, where)]
    if not isinstance(node, dict):
        raise LinetuneError(f"there is nothing below {key!r}", where)
    if not isinstance(node.get(key), (dict, list)):
        node[key] = {}
    return node[key]


def _position(stages: list[Any], key: str, where: str) -> int:
    names = [str(s.get("name")) if isinstance(s, dict) else "" for s in stages]
    if key in names:
        return names.index(key)
    if key.isdecimal() and int(key) < len(stages):
        return int(key)
    raise LinetuneError(f"no stage {key!r}", where, did_you_mean(key, [n for n in names if n]))


def _mark(value: Any) -> Any:
    if isinstance(value, str):
        return FromShell(value)
    if isinstance(value, list):
        return [_mark(item) for item in value]
    return value


def _explain(
    path: Path, tree: Any, problem: Any, set_by: Mapping[tuple[str | int, ...], str]
) -> LinetuneError:
    """A pydantic problem as one line: the file and line, or the override, and the key."""
    location = [part for part in problem["loc"] if isinstance(part, int) or not _is_tag(part)]
    key, where = _named(tree, location), _where(path, tree, location, set_by)
    if problem["type"] == "extra_forbidden":
        parents = [part for part in location[:-1] if isinstance(part, str)]
        model = _SECTIONS.get(parents[-1], Config) if parents else Config
        return LinetuneError(
            f"unknown key {key!r}", where, did_you_mean(str(location[-1]), model.model_fields)
        )
    if problem["type"] == "missing":
        return LinetuneError(f"missing key {key!r}", where)
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return LinetuneError(f"{key}: {message}" if key else message, where)


def _where(
    path: Path, tree: Any, location: Sequence[str | int], set_by: Mapping[tuple[str | int, ...], str]
) -> str:
    """The file and line of a key, or of what it stands in; the override that set it."""
    for length in range(len(location), 0, -1):
        if tuple(location[:length]) in set_by:
            return f"override {set_by[tuple(location[:length])]!r}"
    line = None
    node = tree
    for part in location:
        lc = getattr(node, "lc", None)
        try:
            position = (lc.item(part) if isinstance(node, list) else lc.key(part)) if lc else None
            node = node[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
        if position:
            line = position[0] + 1
    return f"{path}:{line}" if line else str(path)


def _named(tree: Any, location: Sequence[str | int]) -> str:
    """A place as an override addresses it: a stage by its name, where it has one."""
    parts = [str(part) for part in location]
    if len(location) > 1 and location[0] == "stages":
        try:
            name = str(tree["stages"][location[1]]["name"])
        except (KeyError, IndexError, TypeError):
            name = ""
        if re.fullmatch(STAGE_NAME, name):
            parts[1] = name
    return ".".join(parts)


def _is_tag(part: str) -> bool:
    """Whether a location part names a union's branch rather than a key."""
    return part.startswith(("function-", "literal[", "list[", "constrained-"))
