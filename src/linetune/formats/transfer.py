"""Another charset for a model. It keeps the rows of the characters that both charsets have."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from linetune.core.aliases import NONE, Aliases
from linetune.core.charset import BLANK, SPACE, Charset
from linetune.formats.model import Model
from linetune.models.network import new_guide
from linetune.models.nrtr import FIRST_CHARACTER, NRTRHead


@dataclass(frozen=True, slots=True)
class Transfer:
    """A model with another charset, and its unknown characters."""

    model: Model
    unknown: list[str]
    """Characters without a row before. Their row is the mean of all rows, which is neutral."""


def with_charset(model: Model, charset: Charset, aliases: Aliases = NONE) -> Transfer:
    """Return a copy of ``model`` whose head reads ``charset``. The original stays unchanged.

    A character gets every row that the model has for it, and the rows of its aliases. The charset of the copy
    names it once for each row. A model with other characters is not calibrated, and has no promise.

    Args:
        model: the model. Its characters can have aliases already.
        charset: the characters to read. None of them is an alias.
        aliases: the characters to read as others.
    """
    network = copy.deepcopy(model.network)
    classes = _classes(model.charset, charset, aliases)
    rows = [BLANK] + [row for _, row in classes]
    charset = Charset(tuple(character for character, _ in classes))
    unknown = [character for character, row in classes if row < 0]
    with torch.no_grad():
        old = network.head.fc
        network.head.fc = nn.Linear(old.in_features, len(rows), device=old.weight.device)
        network.head.fc.weight.copy_(_carry(old.weight, rows))
        network.head.fc.bias.copy_(_carry(old.bias, rows))
        if network.nrtr is not None:
            network.nrtr = _carry_guide(network.nrtr, new_guide(network, len(charset)), rows[1:])
    moved = replace(model, network=network, charset=charset)
    if charset != model.charset:
        moved = replace(moved, calibration={}, promise={})
    return Transfer(moved, unknown)


def _classes(old: Charset, new: Charset, aliases: Aliases) -> list[tuple[str, int]]:
    """Return (character, old row) of every class: first one class of each character, then the others. The row
    of an unknown character is -1."""
    rows: dict[str, list[int]] = {}
    # A character's own rows come first.
    for own in (True, False):
        for row, character in enumerate(old.characters, 1):
            if ((read := aliases.of(character)) == character) is own:
                rows.setdefault(read, []).append(row)
    classes = [(character, rows.get(character, [-1])[0]) for character in new.distinct]
    classes += [(character, row) for character in new.distinct for row in rows.get(character, [])[1:]]
    return sorted(classes, key=lambda each: each[0] == SPACE)  # as in every charset


def _carry(values: Tensor, rows: list[int]) -> Tensor:
    """Return the chosen rows. -1 means the mean of the characters' rows, without the blank."""
    mean = values[1:].mean(0, keepdim=True)
    table = torch.cat((values, mean))
    return table[torch.tensor(rows, device=values.device)]


def _carry_guide(old: NRTRHead, new: NRTRHead, rows: list[int]) -> NRTRHead:
    kept = {k: v for k, v in old.state_dict().items() if not k.startswith(("embedding.", "classifier."))}
    new.load_state_dict(kept, strict=False)
    pairs = [(FIRST_CHARACTER + i, FIRST_CHARACTER + row - 1) for i, row in enumerate(rows) if row > 0]
    pairs += [(token, token) for token in range(FIRST_CHARACTER)]
    to, source = torch.tensor(pairs).T
    for mine, theirs in ((new.embedding, old.embedding), (new.classifier, old.classifier)):
        mine.weight[to] = theirs.weight[source]
    return new
