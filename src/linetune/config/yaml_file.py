"""Parse YAML files into trees that know their lines, with errors that name file, line and column."""

from __future__ import annotations

import re
from itertools import accumulate
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode
from ruamel.yaml.reader import ReaderError

from linetune.core import untrusted
from linetune.core.errors import LinetuneError

LONGEST = 500_000
"""Most characters of a YAML text. An inference.yml with 18,000 characters of a dictionary has 180,000."""
MOST_VALUES = 50_000
"""Most values of a text with aliases, each alias counted as what it stands for."""
SUFFIXES = (".yaml", ".yml")
_BRACKET = re.compile(r"[\[\]{}]")
_DEEP = re.compile(rf"(?:[-?] +){{{untrusted.DEEPEST}}}")
"""A list of a list of a list, and so on, in one line. ruamel takes seconds until it gives up."""
_ALIAS = re.compile(r"(?:^|[\s\[{,:-])\*[^\s\[\]{},'\"]", re.MULTILINE)
"""A possible alias, outside of quotes or inside."""


def parse(text: str, path: Path, hint: str | None = None) -> Any:
    """Parse a YAML text. The mappings and lists of the result know their lines and columns.

    Args:
        text: the content of the file.
        path: the file, for messages.
        hint: how to fix a text without keys, or a file whose name is not that of a YAML file.

    Raises:
        LinetuneError: the text is not YAML, or is not a mapping.
    """
    try:
        tree = _loaded(text, "rt")
    except LinetuneError as error:
        raise error.at(path) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        invisible = _invisible(text, mark.line) if mark else None
        way_out = invisible if path.suffix.lower() in SUFFIXES else hint  # another file was meant
        raise LinetuneError(f"not valid YAML: {error.problem or error.context}", where, way_out) from None
    except ReaderError as error:
        before = text[: error.position].split("\n")
        where = f"{path}:{len(before)}:{len(before[-1]) + 1}"
        raise LinetuneError("not valid YAML: a control character", where, "delete it") from None
    except YAMLError as error:
        raise LinetuneError(f"not valid YAML: {str(error).splitlines()[0]}", path) from None
    except ValueError:  # ruamel raises it without a place, for example for `!!int x`
        what = "not valid YAML: a value that does not fit its tag"
        raise LinetuneError(what, path, "remove words that start with !") from None
    except Exception as error:  # ruamel raises nearly any error for damaged texts
        what = f"not valid YAML ({type(error).__name__})"
        raise LinetuneError(what, path, "correct the file, or write it anew") from None
    if not isinstance(tree, dict):
        raise LinetuneError("no keys in this configuration", path, hint)
    return tree


def values(text: str, path: Path) -> Any:
    """Return the content of a YAML text as plain values.

    Raises:
        LinetuneError: the text is not YAML.
    """
    try:
        return _loaded(text, "safe")
    except LinetuneError as error:
        raise error.at(path) from None
    except Exception as error:  # ruamel raises nearly any error for damaged texts
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise LinetuneError(f"not valid YAML ({reason})", path, "export the file again") from None


def _loaded(text: str, kind: str) -> Any:
    """Return the content of a YAML text.

    A text of a few lines can contain an alias of an alias of an alias, and so on, for billions of values.
    Such a text is refused before they are made.

    Args:
        text: the content of a file.
        kind: ``rt`` for a tree that knows its lines, or ``safe`` for plain values.

    Raises:
        LinetuneError: the text is too long, is nested too deeply, or has too many values.
        YAMLError, ValueError: the text is not YAML.
    """
    if len(text) > LONGEST:
        raise LinetuneError(f"a YAML text of more than {LONGEST:,} characters", None, "make it shorter")
    if _DEEP.search(text) or _depth(text) > untrusted.DEEPEST:
        raise LinetuneError("not valid YAML: nested too deeply", None, "correct the file")
    try:
        if _ALIAS.search(text):
            _check_aliases(YAML(typ=kind).compose(text))
        return YAML(typ=kind).load(text)
    except RecursionError:
        raise LinetuneError("not valid YAML: nested too deeply", None, "correct the file") from None


def _depth(text: str) -> int:
    """Return how deeply brackets are nested, where those inside of quotes count too."""
    steps = (1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(text))
    return max(accumulate(steps), default=0)


def _check_aliases(node: Any) -> None:
    """Check that a composed text does not have too many values when each alias counts as what it stands for.

    Raises:
        LinetuneError: it has too many, or an alias contains itself.
    """
    waiting, count = [(node, 0)], 0
    while waiting:
        each, depth = waiting.pop()
        count += 1
        if count > MOST_VALUES or depth > untrusted.DEEPEST:
            what = "not valid YAML: its aliases (*name) stand for too many values"
            raise LinetuneError(what, None, "write the values instead of the aliases")
        members = each.value if isinstance(each, CollectionNode) else ()
        for member in members:
            waiting += [(part, depth + 1) for part in (member if isinstance(member, tuple) else (member,))]


def _invisible(text: str, index: int) -> str | None:
    """Return a hint if line ``index`` (from 0) or the line before has a tab or a non-breaking space."""
    for number, line in list(enumerate(text.split("\n"), 1))[max(0, index - 1) : index + 1]:
        if "\u00a0" in line:
            return f"line {number} contains a non-breaking space, write a plain space"
        if line.lstrip(" ").startswith("\t"):
            return f"line {number} is indented with a tab, write spaces"
    return None
