"""The reference pages of the site, as Markdown. They are made from the code: they cannot differ from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import typer

import linetune
from linetune.cli import app
from linetune.config.schema import Config

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
        "reference/configuration.md": configuration(),
        "reference/commands.md": commands(),
        "reference/python.md": python(),
    }


def configuration() -> str:
    """Return the page of the run file: type, default and description of each key."""
    schema = Config.model_json_schema()
    return "\n".join([_CONFIGURATION, *_section("", schema, schema["$defs"])])


def _section(place: str, section: dict[str, Any], sections: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a section and of the sections in it."""
    yield f"## `{place}`\n" if place else "## The run\n"
    yield f"{section['description']}\n"
    inner: list[tuple[str, str]] = []
    for name, key in section["properties"].items():
        path = f"{place}.{name}" if place else name
        inner += [(path, found) for found in re.findall(r"#/\$defs/(\w+)", json.dumps(key))]
        default = _default(key, required=name in section.get("required", ()))
        yield f"### `{path}`\n"
        yield f"*{_type(key, path)}; {default}*\n"
        yield f"{key.get('description') or sections[inner[-1][1]]['description']}\n"
    for path, found in inner:
        yield from _section(path, sections[found], sections)


def _type(key: dict[str, Any], path: str) -> str:
    """Return the words for the type of a key's JSON schema."""
    match key:
        case {"$ref": _}:
            return f"section [{path}](#{path.replace('.', '')}_1)"
        case {"anyOf": several}:
            names = [_type(each, path) for each in several if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(names))
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": item}:
            return f"list of: {_type(item, path)}"
        case {"type": "object"}:
            return "mapping of names to texts"
        case {"format": "path"}:
            return "path"
    plain = {"boolean": "`true` or `false`", "string": "text", "integer": "integer", "number": "number"}
    return plain[key["type"]] + _range(key)


def _range(key: dict[str, Any]) -> str:
    """Return the words for the bounds of a number."""
    low, above, high = key.get("minimum"), key.get("exclusiveMinimum"), key.get("maximum")
    if above == 0 and key["type"] == "integer":
        low, above = 1, None
    words = f" above {above}" if above is not None else f" from {low}" if low is not None else ""
    return f"{words} to {high}" if high is not None else words


def _default(key: dict[str, Any], required: bool) -> str:
    """Return the words for the default of a key."""
    match key.get("default"):
        case None:
            return "required" if required else "no default"
        case empty if empty in ([], {}):
            return "empty by default"
        case dict():  # the augmentation that is off
            return "default `none`"
        case [one]:
            return f"default `{one}`"
        case [*several]:
            return f"default `[{', '.join(map(str, several))}]`"
        case bool(value):
            return f"default `{str(value).lower()}`"
        case value:
            return f"default `{value}`"


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
