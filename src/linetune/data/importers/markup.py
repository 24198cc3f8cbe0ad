"""XML files as other tools write them: safe to read, and every complaint with its line."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from lxml import etree

from linetune.core.errors import LinetuneError

_SAFE = {"resolve_entities": False, "no_network": True, "huge_tree": False, "load_dtd": False}
_SNIFFED_BYTES = 1 << 16
_SNIFFED_NAMES = 20
_PLACE = re.compile(r", line \d+, column \d+.*")


def opening(path: Path) -> list[str]:
    """The names of a file's first elements, without their namespaces; none where it is no XML."""
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
        for _, element in parser.read_events():
            names.append(etree.QName(element).localname)
            if len(names) == _SNIFFED_NAMES:
                break
    return names


def parse(path: Path) -> Any:
    """The root element of an XML file, comments left out.

    Raises:
        LinetuneError: it cannot be read or is no XML, with the line; or it has a DOCTYPE.
    """
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, **_SAFE)
    # A few lines of it can stand for gigabytes, and entities that are not expanded leave gaps in texts.
    own_entities = LinetuneError(
        "has a DOCTYPE, which may define entities",
        path,
        "remove it, and write characters in place of entities",
    )
    try:
        data = path.read_bytes()
        if b"<!DOCTYPE" in data:
            raise own_entities
        root = etree.fromstring(data, parser)
    except OSError as error:
        raise LinetuneError(f"cannot be read ({error.strerror})", path) from None
    except etree.XMLSyntaxError as error:
        line = error.position[0] if error.position else 1
        reason = " ".join((error.msg or "empty").split())
        what = f"not valid XML ({_PLACE.sub('', reason)})"
        raise LinetuneError(what, f"{path}:{max(1, line or 1)}") from None
    if root.getroottree().docinfo.doctype:
        # In an encoding of two bytes a character.
        raise own_entities
    return root


def place(path: Path, element: Any) -> str:
    """``file:line`` of an element."""
    return f"{path}:{element.sourceline}"


def text(element: Any) -> str:
    """What stands in an element, without what its children hold."""
    return element.text or "" if element is not None else ""
