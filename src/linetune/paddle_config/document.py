"""One PaddleOCR configuration, its settings addressed by dotted keys that know their places."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linetune.config.yaml_file import parse
from linetune.core import textfile
from linetune.core.errors import LinetuneError
from linetune.paddle_config.whitespace import odd_spaces, with_plain_spaces

_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""PaddleOCR reads YAML 1.1, where these are truth values."""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing whose meaning changes."""

    places: tuple[str, ...]
    """``file:line`` of every stage it holds for."""
    key: str
    text: str

    def __str__(self) -> str:
        line = f"{', '.join(self.places)}: {self.key}: {self.text}"
        return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    line: int
    column: int


class Document:
    """A configuration's settings. Lists of mappings, such as transforms, count as one mapping.

    What is asked for is taken off, so that in the end :meth:`left` tells what nobody asked for.

    Args:
        path: the file.
        label: what notes call it.
        tree: its parsed content.
    """

    def __init__(self, path: Path, label: str, tree: Any) -> None:
        self.path, self.label = path, label
        self.notes: list[Note] = []
        self._entries: dict[str, _Entry] = {}
        self._taken: set[str] = set()
        self._walk(tree, "", (), (0, 0))

    @classmethod
    def read(cls, path: Path, label: str, repair: bool = False) -> Document:
        """Read a configuration.

        Args:
            path: the file.
            label: what notes call it.
            repair: take odd white space for plain spaces instead of refusing it.

        Raises:
            LinetuneError: the file is missing, no YAML, or holds odd white space.
        """
        text = textfile.read(path, "configuration")
        odd = odd_spaces(text)
        if odd and not repair:
            more = f", and {len(odd) - 1} more like it" if len(odd) > 1 else ""
            raise LinetuneError(
                f"{odd[0]} where YAML wants a plain space{more}",
                f"{path}:{odd[0].line}:{odd[0].column}",
                "--repair reads the file with plain spaces in their place",
            )
        document = cls(path, label, parse(with_plain_spaces(text), path))
        if odd:
            spaces = f"{len(odd)} odd white spaces, the first {odd[0]}"
            document.notes.append(
                Note((f"{label}:{odd[0].line}",), "--repair", f"{spaces}, are read as plain ones")
            )
        return document

    def place(self, key: str) -> str:
        """``file:line:column`` of a key, or of the nearest one above it that is there."""
        entry = self._nearest(key)
        return f"{self.path}:{entry.line}:{entry.column}" if entry else str(self.path)

    def note(self, key: str, text: str) -> None:
        """Say that a setting's meaning changes."""
        entry = self._nearest(key)
        self.notes.append(Note((f"{self.label}:{entry.line}" if entry else self.label,), key, text))

    def error(self, what: str, key: str, hint: str | None = None) -> LinetuneError:
        """A mistake in a setting."""
        return LinetuneError(f"{key}: {what}", self.place(key), hint)

    def has(self, key: str) -> bool:
        """Whether a key is there, with a value or without."""
        return key in self._entries

    def below(self, key: str) -> list[str]:
        """The names directly below a key, in their order."""
        start = f"{key}."
        return [
            k.removeprefix(start) for k in self._entries if k.startswith(start) and "." not in k[len(start) :]
        ]

    def take(self, key: str) -> Any:
        """A setting's value as it stands; None where it is missing or empty."""
        self._taken.add(key)
        entry = self._entries.get(key)
        return entry.value if entry else None

    def take_below(self, key: str) -> None:
        """Take a key with everything below it."""
        self._taken |= {k for k in self._entries if k == key or k.startswith(f"{key}.")}

    def left(self) -> Iterator[tuple[str, Any]]:
        """Settings with a value that nobody took."""
        for key, entry in self._entries.items():
            if key not in self._taken and entry.value is not None and not _holds_mappings(entry.value):
                yield key, entry.value

    def number(self, key: str, default: float, least: float = 0, most: float = math.inf) -> float:
        """A number.

        Raises:
            LinetuneError: it is none, or not from ``least`` to ``most``.
        """
        value = self.take(key)
        return default if value is None else self.as_number(value, key, least, most)

    def as_number(self, value: Any, key: str, least: float = 0, most: float = math.inf) -> float:
        """A number that stands below a key.

        Raises:
            LinetuneError: it is none, or not from ``least`` to ``most``.
        """
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not (math.isfinite(number) and least <= number <= most):
            limits = f"a number from {least:g}" + (f" to {most:g}" if most < math.inf else "")
            raise self.error(f"expected {limits}, not {_shown(value)}", key)
        return number

    def count(self, key: str, default: int | None = None, least: int = 1) -> int:
        """A whole number from ``least``; without a default it has to be there.

        Raises:
            LinetuneError: it is none, or missing.
        """
        value = self.take(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise self.error("missing", key)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(f"expected a whole number from {least}, not {_shown(value)}", key)
        return int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false, in all spellings that PaddleOCR reads.

        Raises:
            LinetuneError: it is neither.
        """
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, str) and value.lower() in _FLAGS:
            return _FLAGS[value.lower()]
        if value in (0, 1):
            return bool(value)
        raise self.error(f"expected true or false, not {_shown(value)}", key)

    def text(self, key: str) -> str | None:
        """A text; None where it is missing or empty.

        Raises:
            LinetuneError: it is none, or holds control characters.
        """
        value = self.take(key)
        return self._checked(value, key) if value not in (None, "") else None

    def texts(self, key: str) -> list[str]:
        """A text or a list of them; empty where it is missing.

        Raises:
            LinetuneError: one of them is none, or holds control characters.
        """
        value = self.take(key)
        items = value if isinstance(value, list) else [] if value in (None, "") else [value]
        return [self._checked(item, key) for item in items]

    def _nearest(self, key: str) -> _Entry | None:
        while key and key not in self._entries:
            key = key.rpartition(".")[0]
        return self._entries.get(key)

    def _checked(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value.strip() or any(map(_is_control, value)):
            raise self.error(f"expected a text, not {_shown(value)}", key)
        return str(value)

    def _walk(self, node: Any, above: str, ancestors: tuple[int, ...], place: tuple[int, int]) -> None:
        if id(node) in ancestors:  # an anchor inside itself
            return
        ancestors += (id(node),)
        if isinstance(node, dict):
            for name, value in node.items():
                key = f"{above}.{name}" if above else str(name)
                try:
                    at = node.lc.key(name)  # type: ignore[attr-defined]
                except (AttributeError, KeyError, TypeError):  # merged in from an anchor
                    at = place
                self._entries[key] = _Entry(value, at[0] + 1, at[1] + 1)
                self._walk(value, key, ancestors, at)
        elif isinstance(node, list) and _holds_mappings(node):
            for item in node:
                if isinstance(item, str):
                    self._entries[f"{above}.{item}"] = _Entry(None, place[0] + 1, place[1] + 1)
                else:
                    self._walk(item, above, ancestors, place)


def _is_control(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith("C") or category in ("Zl", "Zp")


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict) for v in value))


def _shown(value: Any) -> str:
    """A value for a message, on one line and not endless."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:40]}…"
