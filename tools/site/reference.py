"""The reference pages of the site, as Markdown. They are made from the code: they cannot differ from it.

The Chinese ones say the English sentences in Chinese: ``zh.json`` has both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import linetune
from linetune.cli import app
from linetune.config.schema import Config
from linetune.report.words import Words

CHINESE = Words("zh", Path(__file__).parent)
RETURNED = ("linetune.decode.Reading", "linetune.training.result.RunResult", "linetune.training.result.Row")
"""What the public names return."""

_CONFIGURATION = """# Configuration

A run file is a YAML file with these keys. `linetune init` writes one. Paths are relative to the run file.

The command line can set each key: `linetune train mine/linetune.yaml seed=1 stages.real.epochs=5`. A stage is
addressed by its name. Paths on the command line are relative to the current folder.

linetune refuses unknown keys and names their lines.
"""
_COMMANDS = """# Commands

Each command explains itself with `--help`. A mistake gives one line on standard error and exit code 2.
`python -m linetune` is the same as `linetune`.
"""
_PYTHON = """# Python

These are the public names of the package. Other names can change in each release.
"""


def pages() -> dict[str, str]:
    """Return the Markdown of each page, by its path in the site."""
    return {
        "reference/configuration.md": configuration(Words()),
        "reference/configuration.zh.md": configuration(CHINESE),
        "reference/commands.md": commands(),
        "reference/python.md": python(),
    }


def configuration(say: Words) -> str:
    """Return the page of the run file: type, default and description of each key."""
    schema = Config.model_json_schema()
    lines = _section("", schema, schema["$defs"], say)
    return "\n".join([_said(_CONFIGURATION, say), *lines])


def _said(text: str, say: Words) -> str:
    """Return the paragraphs of a text in the language of a page. The code can wrap its lines anywhere."""
    return "\n\n".join(say(" ".join(each.split())) for each in text.strip().split("\n\n")) + "\n"


def _section(place: str, section: dict[str, Any], sections: dict[str, Any], say: Words) -> Iterator[str]:
    """Yield the lines of a section and of the sections in it."""
    yield f"## `{place}`\n" if place else f"## {say('The run')}\n"
    yield _said(section["description"], say)
    inner: list[tuple[str, str]] = []
    for name, key in section["properties"].items():
        path = f"{place}.{name}" if place else name
        inner += [(path, found) for found in re.findall(r"#/\$defs/(\w+)", json.dumps(key))]
        default = _default(key, name in section.get("required", ()), say)
        yield f"### `{path}`\n"
        yield f"*{_type(key, path, say)}{say('; ')}{default}*\n"
        yield _said(key.get("description") or sections[inner[-1][1]]["description"], say)
    for path, found in inner:
        yield from _section(path, sections[found], sections, say)


def _type(key: dict[str, Any], path: str, say: Words) -> str:
    """Return the words for the type of a key's JSON schema."""
    match key:
        case {"$ref": _}:
            return say("section {link}", link=f"[{path}](#{path.replace('.', '')}_1)")
        case {"anyOf": several}:
            names = [_type(each, path, say) for each in several if each.get("type") != "null"]
            return say(" or ").join(dict.fromkeys(names))
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            return say(" or ").join(f"`{value}`" for value in values)
        case {"type": "array", "items": item}:
            return say("list of: {item}", item=_type(item, path, say))
        case {"type": "object"}:
            return say("mapping of names to texts")
        case {"format": "path"}:
            return say("path")
        case {"type": "boolean"}:
            return say(" or ").join(["`true`", "`false`"])
        case {"type": "string"}:
            return say("text")
    return say(key["type"]) + _range(key, say)


def _range(key: dict[str, Any], say: Words) -> str:
    """Return the words for the bounds of a number."""
    low, above, high = key.get("minimum"), key.get("exclusiveMinimum"), key.get("maximum")
    if above == 0 and key["type"] == "integer":
        low, above = 1, None
    if low is not None and high is not None:
        return say(" from {low} to {high}", low=low, high=high)
    bounds = {" above {bound}": above, " from {bound}": low, " to {bound}": high}
    return "".join(say(words, bound=bound) for words, bound in bounds.items() if bound is not None)


def _default(key: dict[str, Any], required: bool, say: Words) -> str:
    """Return the words for the default of a key."""
    match key.get("default"):
        case None:
            return say("required") if required else say("no default")
        case empty if empty in ([], {}):
            return say("empty by default")
        case dict():  # the augmentation that is off
            value = "none"
        case [one]:
            value = one
        case [*several]:
            value = f"[{', '.join(map(str, several))}]"
        case bool(value):
            value = str(value).lower()
        case value:
            pass
    return say("default `{value}`", value=value)


def commands() -> str:
    """Return the page of the command line: each command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    # No command runs: the context only knows how to write usage and help.
    root = group.make_context("linetune", ["models"], resilient_parsing=True)
    lines, heading = [_COMMANDS], ""
    for name, command in group.commands.items():
        if command.rich_help_panel != heading:
            heading = command.rich_help_panel
            lines.append(f"## {heading}\n")
        lines += _command(command, type(root)(command, info_name=name, parent=root))
    return "\n".join(lines)


def _command(command: Any, context: Any) -> Iterator[str]:
    """Yield the lines of one command."""
    yield f"### linetune {context.info_name}\n"
    text, _, example = command.help.partition("\nExample: ")
    yield f"{_plain(text)}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{re.sub(r'[{}]', '', usage)}\n```\n"
    if example:
        yield f"For example:\n\n```sh\n{example}\n```\n"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[0] != "--help":
            # Some releases of typer write the type behind the name of an argument.
            name = re.sub(r" <[^>]*>$", "", record[0]) if record[0][0] != "-" else record[0]
            yield f"- `{name}`: {_plain(record[1])}"
    if command.epilog:
        head, _, table = command.epilog.partition("\n")
        yield f"\n{head}\n\n```text\n{table}\n```"
    yield ""


def _plain(text: str) -> str:
    """Return a text in which Markdown sees no markup."""
    return re.sub(r"([*_\[\]`])", r"\\\1", text.replace("<", "&lt;"))


def python() -> str:
    """Return the page of the Python interface. mkdocstrings puts the docstrings into it."""
    public = [f"::: linetune.{name}\n" for name in linetune.__all__]
    returned = [f"::: {name}\n" for name in RETURNED]
    return "\n".join([_PYTHON, *public, "## What they return\n", *returned])
