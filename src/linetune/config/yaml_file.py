"""YAML files as trees that know their lines; what is no YAML is one line with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from linetune.core.errors import LinetuneError


def parse(text: str, path: Path, hint: str | None = None) -> Any:
    """The tree of a YAML text; its mappings and lists know their lines and columns.

    Args:
        text: what stands in the file.
        path: the file, for messages.
        hint: the way out where the text holds no keys.

    Raises:
        LinetuneError: the text is no YAML, or no mapping.
    """
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        invisible = _invisible(text, mark.line) if mark else None
        raise LinetuneError(f"not valid YAML: {error.problem or error.context}", where, invisible) from None
    except ReaderError as error:
        before = text[: error.position].split("\n")
        where = f"{path}:{len(before)}:{len(before[-1]) + 1}"
        raise LinetuneError("not valid YAML: a control character", where) from None
    except YAMLError as error:
        raise LinetuneError(f"not valid YAML: {str(error).splitlines()[0]}", path) from None
    except ValueError:  # ruamel's own, of a tag such as !!int, without its place
        raise LinetuneError("not valid YAML: a value that does not fit its tag", path) from None
    if not isinstance(tree, dict):
        raise LinetuneError("no keys in this configuration", path, hint)
    return tree


def _invisible(text: str, at: int) -> str | None:
    """The hint for what looks like a space but is none, in line ``at`` (from 0) or the one before."""
    for number, line in list(enumerate(text.split("\n"), 1))[max(0, at - 1) : at + 1]:
        if "\u00a0" in line:
            return f"line {number} holds a non-breaking space, write a plain one"
        if line.lstrip(" ").startswith("\t"):
            return f"line {number} is indented with a tab, write spaces"
    return None
