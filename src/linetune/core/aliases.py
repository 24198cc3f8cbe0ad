"""Aliases: printed characters that a model reads as others, such as small letters as capitals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from linetune.core.charset import SPACE, show
from linetune.core.errors import LinetuneError, did_you_mean, many_errors
from linetune.core.labelfile import Line

_TO_ASCII = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
"""The full-width forms of printable ASCII. U+3000 is not among them, because the space has no aliases."""
NAMED: dict[str, Callable[[str], str]] = {
    "half_width": lambda character: character.translate(_TO_ASCII),
    "capitals": str.upper,
    "small_letters": str.lower,
}
"""What ``read_as`` can name, in the order in which it applies."""
_FORMS = f"write {', '.join(NAMED)}, or {{PRINTED: READ}} with two characters"


@dataclass(frozen=True)
class Aliases:
    """The characters that a model reads as others.

    Args:
        names: keys of :data:`NAMED`.
        pairs: other printed characters, and what each is read as.

    Raises:
        ValueError: a name is unknown; the names contradict each other; a pair is not two characters, has a
            space, or leads to a character that is an alias itself.
    """

    names: tuple[str, ...] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in NAMED:
                raise ValueError(f"unknown name {name!r}; {did_you_mean(name, NAMED)}")
        if {"capitals", "small_letters"} <= {*self.names}:
            raise ValueError("capitals and small_letters contradict each other; remove one")
        for printed, read in self.pairs.items():
            if len(printed) != 1 or len(read) != 1 or printed == read:
                raise ValueError(f"{printed!r} and {read!r} are not two characters; {_FORMS}")
            if SPACE in (printed, read):
                raise ValueError("the space has no aliases; remove it")
            if self.of(read) != read:
                raise ValueError(f"{show(read)} is read as {show(self.of(read))} itself; name that one")

    @classmethod
    def parse(cls, items: Iterable[object]) -> Aliases:
        """Return the aliases of a run file: names, and mappings of printed characters.

        Raises:
            ValueError: an item is something else, or as in the class.
        """
        names, pairs = list[str](), dict[str, str]()
        for item in items:
            if isinstance(item, str):
                names.append(item)
            elif isinstance(item, Mapping) and all(isinstance(c, str) for c in (*item, *item.values())):
                pairs |= item
            else:
                raise ValueError(f"unknown value {item!r}; {_FORMS}, and put digits in quotes")
        return cls(tuple(names), pairs)

    def of(self, character: str) -> str:
        """Return what an entry of a dictionary is read as. It is the entry itself if that is no alias."""
        read = self.pairs.get(character, character)
        for name, change in NAMED.items():
            # The capital of some letters is two letters, such as SS.
            if name in self.names and len(changed := change(read)) == 1:
                read = changed
        return read

    def objection(self, characters: Iterable[str]) -> str | None:
        """Return why no reading has all of some characters, as a clause, or None if one can."""
        gone = [c for c in dict.fromkeys(characters) if self.of(c) != c]
        return ", ".join(f"read_as reads {show(c)} as {show(self.of(c))}" for c in gone) or None

    def refuse(self, lines: Iterable[Line]) -> None:
        """Refuse labels that have aliases.

        Raises:
            ManyErrors: there are such labels; one error with file and line for each.
        """
        found = [
            LinetuneError(f"{line.text!r}: {objection}", line.source)
            for line in lines
            if (objection := self.objection(line.text))
        ]
        if found:
            what = f"label{'s have' if len(found) > 1 else ' has'} characters that no reading has"
            raise many_errors(found, what, hint="change the labels, or remove read_as from the run file")


NONE = Aliases()
"""Every character is read as itself."""
