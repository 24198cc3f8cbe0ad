"""The code blocks of Markdown pages, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

PROGRAMS = ("linetune", "make", "torchrun")
"""What a block of commands begins with that names no language."""


@cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text("utf-8"))


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """The code blocks of a page in these languages."""
    return (each.content for each in tokens(page) if each.type == "fence" and each.info in languages)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each command on a page."""
    for text in blocks(page, "sh"):
        yield from command_lines(text)
    for text in blocks(page, ""):
        if text.split()[0] in PROGRAMS:
            yield from command_lines(text)


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of each command of a shell block: without comments, variables, pipes and redirections."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if not set(word) <= set(";|&<>()"):
                words.append(word)
                continue
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words.pop(0)
            if words:
                yield words
            words = [">"] if set(word) <= set("<>") else []
