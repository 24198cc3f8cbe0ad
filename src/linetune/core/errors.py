"""The one error a user sees: what is wrong, where, and how to fix it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches


def place(where: object) -> str:
    """Return a path, or ``file:line``, as short as it is clear.

    Detours such as ``labels/../`` are left out. A path below the current folder starts there.
    """
    text = str(where)
    if "/../" in text.replace(os.sep, "/"):
        folder, name = os.path.split(text)
        straight = os.path.normpath(folder)
        # After a link, .. means the parent of the folder that the link points to.
        real = os.path.realpath(folder)
        text = os.path.join(straight if os.path.realpath(straight) == real else real, name)  # noqa: PTH118
    try:
        return text.removeprefix(os.path.join(os.getcwd(), "")) or text  # noqa: PTH109, PTH118
    except OSError:  # the current folder was deleted
        return text


class LinetuneError(Exception):
    """A mistake in the input. Its text is one line. The command line prints it and exits with code 2.

    Args:
        what: what is wrong: a clause without a full stop.
        where: the file, line or key.
        hint: how to fix it.
    """

    def __init__(self, what: str, where: object = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        before = f"{place(self.where)}: " if self.where is not None else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{before}{self.what}{hint}"

    def at(self, where: object) -> LinetuneError:
        """Return the same mistake at another place."""
        return LinetuneError(self.what, where, self.hint)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM where more is to say of it. The command line prints its text.

    Its text says what is kept, and how to go on: clauses without a full stop.
    """


class ManyErrors(LinetuneError):
    """Several mistakes found together. Each has its own line.

    Args:
        errors: the mistakes to list.
        summary: a last line.
    """

    def __init__(self, errors: Sequence[LinetuneError], summary: str | None = None) -> None:
        self.errors = errors
        self.summary = summary
        super().__init__(errors[0].what, errors[0].where, errors[0].hint)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.errors), *filter(None, [self.summary])])


def many_errors(
    errors: Sequence[LinetuneError], what: str, limit: int = 10, hint: str | None = None
) -> ManyErrors:
    """Return one error that lists the first mistakes, and counts them all if there are several.

    Args:
        errors: all mistakes.
        what: words for the last line that follow the number: "lines that are not labels".
        limit: how many to list.
        hint: how to fix them.
    """
    if len(errors) == 1 and not hint:
        return ManyErrors(errors, "")
    summary = f"{len(errors)} {what}" + (f", the first {limit} above" if len(errors) > limit else "")
    return ManyErrors(errors[:limit], f"{summary}; {hint}" if hint else summary)


@contextmanager
def os_errors(what: str, where: object, hint: str | None = None) -> Iterator[None]:
    """Report an operating system's error inside the block as the user's: what failed, where, and the reason.

    Raises:
        LinetuneError: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise LinetuneError(f"{what} ({error.strerror or error})", where, hint) from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint for a mistyped name: the nearest known name, or all known names."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
