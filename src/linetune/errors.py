"""The one error a user sees: what is wrong, where, and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class LinetuneError(Exception):
    """A mistake in the input, told in one line; the command line exits with code 2.

    Args:
        what: what is wrong, a clause without a full stop.
        where: the file, line or key it was found in.
        hint: the way out.
    """

    def __init__(self, what: str, where: object = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where is not None else ""
        way_out = f"; {self.hint}" if self.hint else ""
        return f"{place}{self.what}{way_out}"


class ManyErrors(LinetuneError):
    """Several mistakes found together, one line each."""

    def __init__(self, errors: list[LinetuneError], summary: str | None = None) -> None:
        self.errors = errors
        self.summary = summary
        super().__init__(errors[0].what, errors[0].where, errors[0].hint)

    def __str__(self) -> str:
        lines = [str(error) for error in self.errors]
        return "\n".join(lines + ([self.summary] if self.summary else []))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint for a mistyped name: the nearest known one, or all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
