"""Write the text of a new run file: the default preset with other values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

from linetune.config.schema import Pattern

_LINE = re.compile(r"(?P<key> *(?:# )?\w+):(?P<value>[^#]*)(?P<comment>#.*)?")
"""A line of the preset with a key. The key may be commented out."""
_STAGE = re.compile(r"  (?:# )?- name:")
_RENDERED = re.compile(r"(?m)^[ #]*data:[^#\n]*synth")
"""The key of a stage that trains on rendered crops."""
_PLAIN_PATH = re.compile(r"[\w./-]+\.\w+")
"""Paths that need no quotes in YAML."""


def preset() -> str:
    """Return the text of the default preset."""
    return (resources.files("linetune.config") / "presets" / "default.yaml").read_text("utf-8")


def filled(values: Mapping[str, str | Sequence[str] | None], rendered: bool) -> str:
    """Return the preset with other values. Comments and all other values stay.

    Args:
        values: values by key, such as ``data.train``. A text replaces the value after the colon, a list gives
            lines below the key, None removes the key. A key that is commented out becomes active.
        rendered: whether the run renders crops. If not, the synth section and its stages are left out.
    """
    lines, section = list[str](), ""
    for line in preset().split("\n"):
        match = _LINE.fullmatch(line)
        if match and not line.startswith(" "):
            section = match["key"].removeprefix("# ")
        if section == "synth" and not rendered:
            continue
        name = match["key"].strip(" #") if match else ""
        key = name if name == section else f"{section}.{name}"
        if match is None or key not in values:
            lines.append(line)
        elif (value := values[key]) is not None:
            lines += _with_value(match, value)
    text = "\n".join(lines)
    return text if rendered else _without_rendered_stages(text)


def rule_value(patterns: Sequence[Pattern]) -> str | list[str]:
    """Return the value of ``rule`` in the synth section: one pattern as a text, or lines below the key.

    A single pattern without a check needs no list.
    """
    if len(patterns) == 1 and not patterns[0].check:
        return _quoted(patterns[0].pattern)
    return [
        f"    - {{pattern: {_quoted(each.pattern)}, weight: {each.weight:.0f}"
        f"{f', check: {each.check}' if each.check else ''}}}"
        for each in patterns
    ]


def path_value(path: str) -> str:
    """Return a path as a YAML value, with quotes where YAML may need them."""
    return path if _PLAIN_PATH.fullmatch(path) else _quoted(path)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _with_value(match: re.Match[str], value: str | Sequence[str]) -> Iterator[str]:
    """Yield the line of a key with another value and the comment in its old column, then the lines below."""
    below = [] if isinstance(value, str) else value
    key = match["key"].replace("# ", "")
    line = f"{key}: {value}" if isinstance(value, str) else f"{key}:"
    if comment := match["comment"]:
        line = f"{line.ljust(match.start('comment') - 2)}  {comment}"
    yield line
    yield from below


def _without_rendered_stages(text: str) -> str:
    before, stages = re.split(r"(?<=\n)(?=stages:)", text)
    head, *blocks = re.split(rf"(?m)^(?={_STAGE.pattern})", stages)
    return before + head + "".join(block for block in blocks if not _RENDERED.search(block))
