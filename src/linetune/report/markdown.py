"""Texts of strangers in Markdown: they show as they are, and do nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from linetune.core.charset import show
from linetune.evaluation import intervals

NOTHING = "nothing"
"""What is shown for a missing character."""


def plain(text: object) -> str:
    """Return a text in which Markdown finds no marks, for a line or a cell of a table."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return re.sub(r"([\\`*<>|\[\]#])", r"\\\1", line)


def code(text: object) -> str:
    """Return a text as code, for a line or a cell of a table."""
    shown = "".join(c if c.isprintable() else f" {show(c)} " for c in str(text))
    if not shown:
        return NOTHING
    if shown.isspace():
        return " ".join("space" if c == " " else show(c) for c in shown)
    if not set(shown) & set("`|\\"):
        return f"`{shown}`"
    escaped = "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in shown)
    return f"<code>{escaped}</code>"


def fenced(text: str) -> str:
    """Return lines of text as a block of code."""
    longest = max(map(len, re.findall("~+", text)), default=0)
    fence = "~" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "md": plain,
    "code": code,
    "fenced": fenced,
    "interval": intervals.as_text,
}
"""The filters of templates."""
