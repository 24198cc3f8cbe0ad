"""Our own model files: safetensors with everything needed to rebuild the model in the header."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from linetune.core import atomic, image, reading_order
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.decode import Decoder, default_decoder
from linetune.models.both_ways import BothWays
from linetune.models.network import Architecture, Network, empty_folded
from linetune.models.reparam import fold

FORMAT = "2"
T = TypeVar("T")


@dataclass
class Model:
    """A recogniser: its folded network, its characters, and where it came from."""

    network: Network
    charset: Charset
    base_model: str
    """The official model it descends from."""
    source: str
    """What it was loaded from, for people."""
    history: dict[str, Any] = field(default_factory=dict)
    """What was measured when it was trained."""
    both_ways: bool = False
    """Whether every crop is read upside down as well, and the surer reading kept."""

    @property
    def decoder(self) -> Decoder:
        """Turns the class probabilities of this model into readings."""
        return default_decoder(self.charset)

    @property
    def reader(self) -> Network | BothWays:
        """What reads packed images: its ``run`` gives class probabilities."""
        return BothWays(self.network) if self.both_ways else self.network


def save_model(model: Model, path: Path) -> None:
    """Write a model file; it appears whole or not at all. The NRTR guide stays behind."""
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.network.state_dict().items()
        if not name.startswith("nrtr.")
    }
    header = {
        "format": "linetune",
        "version": FORMAT,
        "architecture": json.dumps(dataclasses.asdict(model.network.architecture)),
        "charset": json.dumps(model.charset.characters, ensure_ascii=True),
        "charset_sha256": model.charset.sha256,
        "preprocessing": json.dumps({"height": image.HEIGHT, "min_width": image.MIN_WIDTH, "order": "BGR"}),
        "base_model": model.base_model,
        "history": json.dumps(model.history),
        "both_ways": json.dumps(model.both_ways),
        "text_order": reading_order.VISUAL,
    }
    with atomic.written(path) as partial:
        # Not save_file: some of its releases write files that only their owner can read.
        partial.write_bytes(save(tensors, header))


def load_model(path: Path) -> Model:
    """Load a model file.

    Raises:
        LinetuneError: the file is missing, no linetune model, or disagrees with its own header.
    """
    if not path.is_file():
        raise LinetuneError("model file not found", path)
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise LinetuneError(f"not a safetensors file ({error})", path) from None
    if header.get("format") != "linetune" or header.get("version") != FORMAT:
        raise LinetuneError("not a linetune model of a known version", path)
    charset = _rebuilt(header, "charset", path, lambda characters: Charset(tuple(characters)))
    if charset.sha256 != header.get("charset_sha256"):
        raise LinetuneError("the charset in the header does not have the hash that stands beside it", path)
    network = _rebuilt(
        header, "architecture", path, lambda keys: empty_folded(Architecture(**keys), charset.classes)
    )
    refuse_logical_order(charset, header, path)
    fill(network, tensors, path)
    history = _rebuilt(header, "history", path, lambda figures: dict(figures))
    if "base_model" not in header:
        raise LinetuneError("the header's 'base_model' is missing or damaged", path)
    both_ways = _rebuilt({"both_ways": "false", **header}, "both_ways", path, bool)
    return Model(network, charset, header["base_model"], str(path), history, both_ways)


def refuse_logical_order(charset: Charset, told: Mapping[str, str], where: object) -> None:
    """Refuse one of our models that has learnt right-to-left text against the order of its frames.

    Raises:
        LinetuneError: the charset has right-to-left letters, and the file says nothing of visual order.
    """
    if charset.right_to_left and told.get("text_order") != reading_order.VISUAL:
        raise LinetuneError(
            "an earlier linetune taught this model right-to-left text in the wrong order",
            where,
            "train it again",
        )


def fill(network: Network, tensors: Mapping[str, torch.Tensor], where: object) -> None:
    """Give a network its values: every tensor placed, every place filled.

    Raises:
        LinetuneError: naming what is missing, left over or of another shape.
    """
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    missing = sorted(wanted.keys() - tensors.keys())
    extra = sorted(tensors.keys() - wanted.keys())
    odd = [
        f"{name} is {tuple(tensors[name].shape)}, not {tuple(shape)}"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    problems = [
        f"{label}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
        for label, names in (("missing", missing), ("without a place", extra), ("of another shape", odd))
        if names
    ]
    if problems:
        raise LinetuneError(f"these weights do not fit the network; {'; '.join(problems)}", where)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    network.requires_grad_(True)


def folded_model(network: Network, charset: Charset, base_model: str, source: str) -> Model:
    """A model from an unfolded network, which is folded first; its NRTR guide is kept for training."""
    return Model(fold(network).eval(), charset, base_model, source)


def _rebuilt(header: Mapping[str, str], key: str, path: Path, make: Callable[[Any], T]) -> T:
    """What ``make`` makes of the JSON under a header's key."""
    try:
        return make(json.loads(header[key]))
    except LinetuneError as error:
        raise LinetuneError(error.what, path) from None
    except (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError):
        raise LinetuneError(f"the header's {key!r} is missing or damaged", path) from None
