"""The text of a new run's file: the default preset with values of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

from linetune.config.schema import Pattern

_KEY = re.compile(r"(?P<key> *(?:# )?\w+):(?P<value>[^#]*)(?P<comment>#.*)?")
_STAGE = re.compile(r"  (?:# )?- name:")
_PLAIN = re.compile(r"[\w./-]+\.\w+")
"""Paths that mean the same in YAML without quotes."""


def preset() -> str:
    """The default preset as it is written."""
    return (resources.files("linetune.config") / "presets" / "default.yaml").read_text("utf-8")


def filled(values: Mapping[str, str | Sequence[str] | None], rendered: bool) -> str:
    """The preset with other values; its comments and all other settings stay.

    Args:
        values: by key, such as ``data.train``: what stands after the colon, or lines that stand below the
            key. A key of None goes; one that stands in a comment comes out of it.
        rendered: whether crops are rendered; if not, the synth section and the stages that use it go.
    """
    lines, section = list[str](), ""
    for line in preset().split("\n"):
        found = _KEY.fullmatch(line)
        if found and not line.startswith(" "):
            section = found["key"]
        if section == "synth" and not rendered:
            continue
        name = found["key"].strip(" #") if found else ""
        key = name if name == section else f"{section}.{name}"
        if found is None or key not in values:
            lines.append(line)
        elif (value := values[key]) is not None:
            lines += _set(found, value)
    text = "\n".join(lines)
    return text if rendered else _without_rendered_stages(text)


def rule_lines(patterns: Sequence[Pattern]) -> list[str]:
    """Patterns as they stand below ``synth:``; one without a check needs no list."""
    if len(patterns) == 1 and not patterns[0].check:
        return [f"  rule: {quoted(patterns[0].pattern)}"]
    return ["  rule:", *map(_item, patterns)]


def quoted(text: str) -> str:
    """A text in YAML's single quotes."""
    return "'" + text.replace("'", "''") + "'"


def path_value(path: str) -> str:
    """A path, quoted where YAML could take it for something else."""
    return path if _PLAIN.fullmatch(path) else quoted(path)


def _item(pattern: Pattern) -> str:
    check = f", check: {pattern.check}" if pattern.check else ""
    return f"    - {{pattern: {quoted(pattern.pattern)}, weight: {pattern.weight:.0f}{check}}}"


def _set(found: re.Match[str], value: str | Sequence[str]) -> Iterator[str]:
    """A key's line with another value, and its comment where it stood."""
    below = [] if isinstance(value, str) else value
    key = found["key"].replace("# ", "")
    line = f"{key}: {value}" if isinstance(value, str) else f"{key}:"
    if comment := found["comment"]:
        line = f"{line.ljust(found.start('comment') - 2)}  {comment}"
    yield line
    yield from below


def _without_rendered_stages(text: str) -> str:
    """The file without the stages on rendered crops, those in comments included."""
    before, stages = re.split(r"(?<=\n)(?=stages:)", text)
    head, *blocks = re.split(rf"(?m)^(?={_STAGE.pattern})", stages)
    return before + head + "".join(block for block in blocks if not _is_rendered(block))


def _is_rendered(stage: str) -> bool:
    for line in stage.splitlines():
        key, _, value = line.strip().removeprefix("# ").strip().partition(":")
        if key == "data":
            return "synth" in value.partition("#")[0]
    return False
