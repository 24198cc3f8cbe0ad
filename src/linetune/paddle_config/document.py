"""Read a PaddleOCR configuration: settings by dotted key, each with its line and column."""

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
"""Truth values of YAML 1.1, which PaddleOCR reads."""


@dataclass(frozen=True, slots=True)
class Note:
    """A setting that means something else in linetune."""

    places: tuple[str, ...]
    """``file:line`` of each configuration that the note is about."""
    key: str
    text: str

    def __str__(self) -> str:
        line = f"{', '.join(self.places)}: {self.key}: {self.text}"
        return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


class Document:
    """The settings of a configuration. A list of mappings, such as transforms, counts as one mapping.

    The document remembers which settings were taken. In the end, :meth:`unused` yields all others.

    Args:
        path: the file.
        label: the name of the file in notes.
        tree: its parsed content.
    """

    def __init__(self, path: Path, label: str, tree: Any) -> None:
        self.path, self.label = path, label
        self.notes: list[Note] = []
        self._values: dict[str, Any] = {}
        self._places: dict[str, tuple[int, int]] = {}
        """Line and column of each key, from 1."""
        self._taken: set[str] = set()
        self._add(tree, "", (), (1, 1))

    @classmethod
    def read(cls, path: Path, label: str, repair: bool = False) -> Document:
        """Read a configuration.

        Args:
            path: the file.
            label: the name of the file in notes.
            repair: read odd white space as plain spaces instead of refusing it.

        Raises:
            LinetuneError: the file is missing, is not YAML, or contains odd white space without ``repair``.
        """
        text = textfile.read(path, "configuration")
        odd = odd_spaces(text)
        if odd and not repair:
            more = f", and {len(odd) - 1} more like it" if len(odd) > 1 else ""
            raise LinetuneError(
                f"{odd[0]} where YAML needs a plain space{more}",
                f"{path}:{odd[0].line}:{odd[0].column}",
                "--repair reads it as plain spaces",
            )
        document = cls(path, label, parse(with_plain_spaces(text), path))
        if odd:
            spaces = f"{len(odd)} odd white spaces, the first {odd[0]}"
            document.notes.append(
                Note((f"{label}:{odd[0].line}",), "--repair", f"{spaces}, are read as plain spaces")
            )
        return document

    def place(self, key: str) -> str:
        """Return ``file:line:column`` of a key, or of the nearest key above that exists."""
        return ":".join(map(str, (self.path, *self._nearest(key))))

    def note(self, key: str, text: str) -> None:
        """Note that a setting means something else in linetune."""
        place = ":".join(map(str, (self.label, *self._nearest(key)[:1])))
        self.notes.append(Note((place,), key, text))

    def error(self, what: str, key: str, hint: str | None = None) -> LinetuneError:
        """Return an error about a setting, with its place."""
        return LinetuneError(f"{key}: {what}", self.place(key), hint)

    def has(self, key: str) -> bool:
        """Return whether a key exists, with or without a value."""
        return key in self._values

    def names_below(self, key: str) -> list[str]:
        """Return the names directly below a key, in order."""
        below = (k.removeprefix(f"{key}.") for k in self._values if k.startswith(f"{key}."))
        return [name for name in below if "." not in name]

    def value(self, key: str) -> Any:
        """Return the value of a setting, and do not mark it as used. None if it is missing or empty."""
        return self._values.get(key)

    def take(self, key: str) -> Any:
        """Return the value of a setting and mark it as used. None if it is missing or empty."""
        self._taken.add(key)
        return self._values.get(key)

    def take_all(self, key: str) -> None:
        """Mark a key and everything below it as used."""
        self._taken |= {k for k in self._values if k == key or k.startswith(f"{key}.")}

    def unused(self) -> Iterator[tuple[str, Any]]:
        """Yield key and value of each setting that has a value and was not taken."""
        for key, value in self._values.items():
            if key not in self._taken and value is not None and not _holds_mappings(value):
                yield key, value

    def number(self, key: str, default: float, least: float = 0, most: float = math.inf) -> float:
        """Return a number from ``least`` to ``most``, or the default if it is missing.

        Raises:
            LinetuneError: the value is not such a number.
        """
        value = self.take(key)
        return default if value is None else self.as_number(value, key, least, most)

    def as_number(self, value: Any, key: str, least: float = 0, most: float = math.inf) -> float:
        """Return a value of a key as a number from ``least`` to ``most``.

        Raises:
            LinetuneError: the value is not such a number.
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
        """Return an integer from ``least``, or the default if it is missing.

        Raises:
            LinetuneError: the value is not such an integer, or is missing and there is no default.
        """
        value = self.take(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise self.error("missing", key, "add it with a whole number")
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(f"expected a whole number from {least}, not {_shown(value)}", key)
        return int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """Return True or False, in any spelling that PaddleOCR reads.

        Raises:
            LinetuneError: the value is neither.
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
        """Return a text, or None if it is missing or empty.

        Raises:
            LinetuneError: the value is not a text, or contains control characters.
        """
        value = self.take(key)
        return self._checked(value, key) if value not in (None, "") else None

    def texts(self, key: str) -> list[str]:
        """Return a list of texts: one for a single text, none if it is missing.

        Raises:
            LinetuneError: a value is not a text, or contains control characters.
        """
        value = self.take(key)
        items = value if isinstance(value, list) else [] if value in (None, "") else [value]
        return [self._checked(item, key) for item in items]

    def _nearest(self, key: str) -> tuple[int, ...]:
        """Return line and column, from 1, of a key or of the nearest key above. Empty if none exists."""
        while key and key not in self._places:
            key = key.rpartition(".")[0]
        return self._places.get(key, ())

    def _checked(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value.strip() or any(map(_is_control, value)):
            raise self.error(f"expected a text, not {_shown(value)}", key)
        return str(value)

    def _add(self, node: Any, above: str, ancestors: tuple[int, ...], place: tuple[int, int]) -> None:
        if id(node) in ancestors:  # an anchor that contains itself
            return
        ancestors += (id(node),)
        if isinstance(node, dict):
            for name, value in node.items():
                key = f"{above}.{name}" if above else str(name)
                try:
                    line, column = node.lc.key(name)  # type: ignore[attr-defined]
                    own_place = (line + 1, column + 1)
                except (AttributeError, KeyError, TypeError):  # the key was merged in from an anchor
                    own_place = place
                self._values[key], self._places[key] = value, own_place
                self._add(value, key, ancestors, own_place)
        elif isinstance(node, list) and _holds_mappings(node):
            for item in node:
                if isinstance(item, str):
                    key = f"{above}.{item}"
                    self._values[key], self._places[key] = None, place
                else:
                    self._add(item, above, ancestors, place)


def _is_control(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith("C") or category in ("Zl", "Zp")


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict) for v in value))


def _shown(value: Any) -> str:
    """Return a value for a message: one line, at most 40 characters."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:40]}…"
