"""A rule as a model file has it: JSON with patterns and their checks, or with a list of known texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linetune.core import textfile, untrusted
from linetune.core.errors import LinetuneError
from linetune.rules.automaton import compiled
from linetune.rules.pattern import expand

if TYPE_CHECKING:
    from linetune.config.schema import Config
    from linetune.config.synth import Pattern

_FORMS = "a rule is a .txt file with one text a line, or a .yaml file with what linetune rule prints"


def of_patterns(patterns: Sequence[Pattern], parts: Mapping[str, str]) -> dict[str, Any]:
    """Return the rule of a run file. Parts are expanded, and weights left out: they only matter for
    drawing."""
    return {"patterns": [{"pattern": expand(p.pattern, parts), "check": p.check} for p in patterns]}


def of_config(config: Config) -> dict[str, Any]:
    """Return the rule that a run's model reads by. Empty if there is none.

    Raises:
        LinetuneError: a part of the rule is missing, or its file cannot be read.
    """
    if config.reading_rule is None:
        return {}
    if isinstance(config.reading_rule, Path):
        return read(config.reading_rule)
    assert config.synth is not None
    return of_patterns(config.synth.rule, config.synth.parts)


def read(path: Path) -> dict[str, Any]:
    """Read a rule from a file.

    Args:
        path: a .txt file of all texts that are possible, one a line; or a .yaml file with the keys ``rule``
            and
            ``parts``, by themselves or in a section ``synth``. A run file is such a file.

    Raises:
        LinetuneError: the file is missing or has another form.
    """
    if path.suffix.lower() not in (".txt", ".yaml", ".yml"):
        raise LinetuneError("not a file of a rule", path, _FORMS)
    text = textfile.read(path, "rule", _FORMS)
    if path.suffix.lower() == ".txt":
        untrusted.check_lines(text, path)
        texts = [line.removesuffix("\r") for line in text.split("\n") if line.strip()]
        if not texts:
            raise LinetuneError("the file has no texts", path, _FORMS)
        return {"texts": sorted(set(texts))}
    return _of_yaml(text, path)


def _of_yaml(text: str, path: Path) -> dict[str, Any]:
    """Return the rule in a YAML text."""
    # A list of texts is read without these packages.
    from pydantic import ValidationError

    from linetune.config import yaml_file
    from linetune.config.synth import Synth

    content = yaml_file.values(text, path)
    section = content.get("synth", content) if isinstance(content, dict) else None
    if not isinstance(section, dict) or "rule" not in section:
        raise LinetuneError("has no rule", path, _FORMS)
    try:
        settings = Synth.model_validate(
            {"rule": section["rule"], "parts": section.get("parts") or {}, "fonts": [path]}
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = str(first["msg"]).removeprefix("Value error, ")
        raise LinetuneError(f"{place}: {what}", path, _FORMS) from None
    try:
        rule = of_patterns(settings.rule, settings.parts)
        compiled(rule)
    except LinetuneError as error:
        raise error.at(f"{path}: {error.where}") from None
    return rule
