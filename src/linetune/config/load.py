"""Read a run file, apply overrides, and report all mistakes at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from linetune.config.fields import FromShell
from linetune.config.schema import Augment, Config, Data, Pattern, Stage, Synth
from linetune.config.stage import STAGE_NAME
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

Location = tuple[str | int, ...]
"""The keys and list indices that lead to a value."""


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read and check a run file.

    Args:
        path: the file. Paths in it are relative to its folder.
        overrides: settings that replace those of the file, each as ``key.path=value``. A stage is addressed
            by its name or its number from 0. Paths are relative to the current folder.

    Raises:
        LinetuneError: the file is missing or is not YAML, or an override cannot be applied.
        ManyErrors: keys are unknown, missing or wrong; one error with file and line for each.
    """
    path = Path(path)
    text = textfile.read(path, "configuration", "linetune init DIR writes one")
    run_file = _RunFile(path, parse(text, path, "linetune init DIR writes an example"))
    for override in overrides:
        run_file.apply(override)
    try:
        config = Config.model_validate(run_file.tree, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise ManyErrors([run_file.explain(problem) for problem in error.errors()]) from None
    for number, pattern in enumerate(config.synth.rule if config.synth else ()):
        # The pattern is only parsed when texts are drawn.
        pattern.set_place(run_file.place(("synth", "rule", number, "pattern")))
    return config


def save(config: Config, path: Path) -> None:
    """Write a configuration with all its defaults. :func:`load` gives an equal one."""
    atomic.write_text(path, as_yaml(config.model_dump(mode="json")))


def as_yaml(settings: Any) -> str:
    """Return settings as the text of a run file, in their order."""
    text = StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.dump(settings, text)
    return text.getvalue()


class _RunFile:
    """The content of a run file, with the overrides that were applied to it.

    Args:
        path: the file, for messages.
        tree: its content, which knows its lines.
    """

    def __init__(self, path: Path, tree: Any) -> None:
        self.path, self.tree = path, tree
        self._overrides: dict[Location, str] = {}

    def apply(self, override: str) -> None:
        """Set the value of one ``key.path=value``.

        Raises:
            LinetuneError: it has another form, its value is not YAML, or the key cannot be set.
        """
        keys, equals, text = override.partition("=")
        names = keys.split(".")
        where = f"override {override!r}"
        if not equals or not all(names):
            raise LinetuneError("expected key.path=value", where, "for example seed=1")
        try:
            value = YAML(typ="safe").load(text)
        except YAMLError:
            hint = "quote it, as in 'key=\"value\"'"
            raise LinetuneError("the value is not valid YAML", where, hint) from None
        node, location = self.tree, tuple[str | int, ...]()
        for number, name in enumerate(names, 1):
            if not isinstance(node, (dict, list)):
                above = ".".join(names[: number - 1])
                raise LinetuneError(f"{above} is a single value", where, f"set {above}=VALUE")
            key: Any = _index(node, name, where) if isinstance(node, list) else name
            location += (key,)
            if number == len(names):
                node[key] = _from_shell(value)
            elif isinstance(node, dict) and not isinstance(node.get(key), (dict, list)):
                node[key] = {}
                self._overrides[location] = override  # what the section lacks is not the file's mistake
            node = node[key]
        self._overrides[location] = override

    def explain(self, problem: Any) -> LinetuneError:
        """Return pydantic's problem as one line: the place, the key, and what is wrong."""
        location = tuple(part for part in problem["loc"] if isinstance(part, int) or not _is_tag(part))
        key, where = self._key(location), self.place(location)
        if problem["type"] == "extra_forbidden":
            parents = [part for part in location[:-1] if isinstance(part, str)]
            section = _SECTIONS.get(parents[-1], Config) if parents else Config
            hint = did_you_mean(str(location[-1]), section.model_fields)
            return LinetuneError(f"unknown key {key!r}", where, hint)
        if problem["type"] == "missing":
            return LinetuneError(f"missing key {key!r}", where)
        message = problem["msg"].removeprefix("Value error, ")
        message = message[0].lower() + message[1:]
        return LinetuneError(f"{key}: {message}" if key else message, where)

    def place(self, location: Location) -> str:
        """Return the override that set a value, or the file and line of its key or of the nearest key
        above."""
        for length in range(len(location), 0, -1):
            if override := self._overrides.get(location[:length]):
                return f"override {override!r}"
        line, node = None, self.tree
        for part in location:
            lc = getattr(node, "lc", None)
            try:
                position = (lc.item(part) if isinstance(node, list) else lc.key(part)) if lc else None
                node = node[part]
            except (KeyError, IndexError, TypeError, AttributeError):
                break
            if position:
                line = position[0] + 1
        return f"{self.path}:{line}" if line else str(self.path)

    def _key(self, location: Location) -> str:
        """Return a location in the form of an override. A stage is called by its name if it has a valid
        one."""
        parts = [str(part) for part in location]
        if len(location) > 1 and location[0] == "stages":
            with suppress(KeyError, IndexError, TypeError):
                name = str(self.tree["stages"][location[1]]["name"])
                parts[1] = name if re.fullmatch(STAGE_NAME, name) else parts[1]
        return ".".join(parts)


def _index(items: list[Any], name: str, where: str) -> int:
    """Return the index of the item with that name or number.

    Raises:
        LinetuneError: no item has it.
    """
    names = [str(item.get("name")) if isinstance(item, dict) else "" for item in items]
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(items):
        return int(name)
    kind = "stage" if any(names) else "item"
    known = [n for n in names if n] or map(str, range(len(items)))
    raise LinetuneError(f"no {kind} {name!r}", where, did_you_mean(name, known))


def _from_shell(value: Any) -> Any:
    """Mark texts as coming from the command line."""
    if isinstance(value, str):
        return FromShell(value)
    if isinstance(value, list):
        return [_from_shell(item) for item in value]
    return value


def _is_tag(part: str) -> bool:
    """Return whether a part of pydantic's location is a branch of a union and not a key."""
    return part.startswith(("function-", "literal[", "list[", "constrained-"))
