"""PaddleOCR's training weights: unfolded, under its names, with dictionary and settings beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from linetune.core import atomic
from linetune.core.charset import SPACE, Charset, show
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.decode.read import deployed_batches
from linetune.export.parity import Exported, check_parity, sample_crops
from linetune.models.network import Architecture, Network
from linetune.models.unfold import unfold
from linetune.weights.pdparams import read_pdparams, write_pdparams
from linetune.weights.pdparams_names import from_state, to_state
from linetune.weights.store import Model, fill

SUFFIX = ".pdparams"
MEASURED_ON = 64
"""Most crops that the batch norms' statistics are measured on; more change them by little."""

_NO_GUIDE = (
    "it holds no weights of the NRTR branch, which PaddleOCR then starts at random; with use_guide: True "
    "only that branch trains the backbone, so set use_guide: False in the CTC head's neck"
)
_UNSEEN = "it was read back by linetune; PaddleOCR's training itself was not run"


def export_pdparams(model: Model, path: Path, crops: Sequence[Crop] = ()) -> Exported:
    """Write ``NAME.pdparams`` for PaddleOCR's ``Global.pretrained_model``.

    Beside it stand ``NAME.txt``, the dictionary without the space, and ``NAME.yml``, the settings that
    go with both. PaddlePaddle is not needed.

    Args:
        model: what to export.
        path: the file; it appears only when it computes what the model computes.
        crops: real crops to compare on and to measure the batch norms' statistics on; drawn ones when
            there are none.

    Raises:
        LinetuneError: the path has another suffix, a character cannot stand in a dictionary file, or the
            file reads another text.
    """
    if path.suffix != SUFFIX:
        raise LinetuneError("PaddleOCR looks for another suffix", path, f"name it {path.stem}{SUFFIX}")
    _refuse_line_ends(model.charset, path)
    compared = list(crops) or sample_crops(model.charset)
    measured = deployed_batches(spread(compared, MEASURED_ON))
    unfolded = unfold(model.network, [batch for _, batch in measured])
    guided = unfolded.nrtr is not None
    with os_errors("cannot write", path), atomic.files_written(path.parent) as partial:
        weights = partial / path.name
        write_pdparams(weights, from_state(unfolded.state_dict(), model.network.architecture))
        letters = [c for c in model.charset.characters if c != SPACE]
        atomic.write_text(weights.with_suffix(".txt"), "".join(f"{c}\n" for c in letters))
        atomic.write_text(weights.with_suffix(".yml"), _settings(path.stem, model.charset, guided))
        back = _read_back(weights, model.network.architecture, model.network.classes, guided)
        charset = _as_paddleocr_reads(weights.with_suffix(".txt"), SPACE in model.charset)
        difference = check_parity(model.network.run, back.run, model.charset, charset, compared, path)
    notes = (_UNSEEN,) if guided else (_NO_GUIDE, _UNSEEN)
    return Exported(path, len(compared), difference, notes)


def _read_back(path: Path, architecture: Architecture, classes: int, guide: bool) -> Network:
    """The network of the file with all its branches, as PaddleOCR would build it."""
    network = Network(architecture, classes, guide).eval()
    state = to_state(read_pdparams(path))
    state |= {n: torch.zeros(()) for n in network.state_dict() if n.endswith("num_batches_tracked")}
    fill(network, state, path)
    return network


def _as_paddleocr_reads(path: Path, use_space_char: bool) -> Charset:
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n") if path.stat().st_size else []
    characters = [line.decode() for line in lines]
    return Charset((*characters, SPACE) if use_space_char else tuple(characters))


def _settings(name: str, charset: Charset, guided: bool) -> str:
    lines = [
        "# What a configuration of PaddleOCR's recognition training has to say to start from these weights.",
        "# Paths are relative to this file; PaddleOCR takes them relative to where it is started.",
        "Global:",
        f"  pretrained_model: ./{name}{SUFFIX}",
        f"  character_dict_path: ./{name}.txt",
        f"  use_space_char: {str(SPACE in charset).lower()}",
    ]
    if not guided:
        lines.append(f"# {_NO_GUIDE[0].upper()}{_NO_GUIDE[1:]}.")
    return "".join(f"{line}\n" for line in lines)


def _refuse_line_ends(charset: Charset, path: Path) -> None:
    """A dictionary has one character a line."""
    breaking = [c for c in charset.characters if "\n" in c or "\r" in c]
    if breaking:
        raise LinetuneError(
            f"the charset holds {show(*breaking)}, which cannot stand in a line of a dictionary",
            path,
            "take it out of the charset",
        )
