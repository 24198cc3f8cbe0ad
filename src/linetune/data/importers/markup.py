"""XML files as other tools write them: safe to read, and every error with its line."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from lxml import etree

from linetune.core import untrusted
from linetune.core.errors import LinetuneError, os_errors

_SAFE = {"resolve_entities": False, "no_network": True, "huge_tree": False, "load_dtd": False}
_SNIFFED_BYTES = 1 << 16
_SNIFFED_NAMES = 20
_BLOCK = 1 << 16
"""Bytes that are parsed at a time."""
_ELEMENTS = 400_000
"""Most elements and attributes of a file. A newspaper page has 20,000."""
_POSITION = re.compile(r", line \d+, column \d+.*")


def opening(path: Path) -> list[str]:
    """Return the names of the first elements of a file, without namespaces. Empty if it is not XML."""
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED_BYTES)
    except OSError:
        return []
    parser = etree.XMLPullParser(events=("start",), **_SAFE)
    with suppress(etree.XMLSyntaxError):
        parser.feed(start)
    names: list[str] = []
    with suppress(etree.XMLSyntaxError):
        for _, element in islice(parser.read_events(), _SNIFFED_NAMES):
            names.append(name(element))
    return names


def parse(path: Path) -> Any:
    """Return the root element of an XML file, without comments.

    Raises:
        LinetuneError: the file cannot be read, is not XML (the error names the line), or has a DOCTYPE.
    """
    parser = etree.XMLPullParser(events=("start",), remove_comments=True, remove_pis=True, **_SAFE)
    with os_errors("cannot be read", path):
        data = untrusted.read(path)
    try:
        # A few lines of entities can expand to gigabytes, and texts lack the entities that are not expanded.
        root = None if b"<!DOCTYPE" in data else _root(data, parser, path)
    except etree.XMLSyntaxError as error:
        line = error.position[0] if error.position else 1
        reason = " ".join((error.msg or "empty").split())
        what = f"not valid XML ({_POSITION.sub('', reason)})"
        raise LinetuneError(what, f"{path}:{max(1, line or 1)}", "correct it, or export it again") from None
    # In UTF-16, the search above finds nothing.
    if root is None or root.getroottree().docinfo.doctype:
        hint = "remove the DOCTYPE, and write characters instead of entities"
        raise LinetuneError("has a DOCTYPE, which may define entities", path, hint)
    return root


def _root(data: bytes, parser: Any, path: Path) -> Any:
    """Return the root of a document that is parsed block by block, so that its elements can be counted.

    Raises:
        LinetuneError: it has too many elements and attributes.
    """
    count = 0
    for start in range(0, len(data), _BLOCK):
        parser.feed(data[start : start + _BLOCK])
        count += sum(1 + len(element.attrib) for _, element in parser.read_events())
        if count > _ELEMENTS:
            raise LinetuneError(f"more than {_ELEMENTS:,} elements and attributes", path, "split the file")
    return parser.close()


def place(path: Path, element: Any) -> str:
    """Return ``file:line`` of an element."""
    return f"{path}:{element.sourceline}"


def name(element: Any) -> str:
    """Return the name of an element without its namespace."""
    return str(etree.QName(element).localname)


def text(element: Any) -> str:
    """Return the text of an element before its first child. Without an element, return an empty text."""
    return element.text or "" if element is not None else ""
