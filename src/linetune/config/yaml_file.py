"""Parse YAML files into trees that know their lines, with errors that name file, line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from linetune.core.errors import LinetuneError


def parse(text: str, path: Path, hint: str | None = None) -> Any:
    """Parse a YAML text. The mappings and lists of the result know their lines and columns.

    Args:
        text: the content of the file.
        path: the file, for messages.
        hint: how to fix a text without keys.

    Raises:
        LinetuneError: the text is not YAML, or is not a mapping.
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
        raise LinetuneError("not valid YAML: a control character", where, "delete it") from None
    except YAMLError as error:
        raise LinetuneError(f"not valid YAML: {str(error).splitlines()[0]}", path) from None
    except ValueError:  # ruamel raises it without a place, for example for `!!int x`
        what = "not valid YAML: a value that does not fit its tag"
        raise LinetuneError(what, path, "remove words that start with !") from None
    if not isinstance(tree, dict):
        raise LinetuneError("no keys in this configuration", path, hint)
    return tree


def _invisible(text: str, index: int) -> str | None:
    """Return a hint if line ``index`` (from 0) or the line before has a tab or a non-breaking space."""
    for number, line in list(enumerate(text.split("\n"), 1))[max(0, index - 1) : index + 1]:
        if "\u00a0" in line:
            return f"line {number} contains a non-breaking space, write a plain space"
        if line.lstrip(" ").startswith("\t"):
            return f"line {number} is indented with a tab, write spaces"
    return None
