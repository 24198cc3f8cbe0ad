"""What a model file says about its model: its network, its charset, and its origin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.untrusted import deeper
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.origin import KEYS, add_origin
from linetune.formats.registry import FORMATS, PRECISIONS
from linetune.formats.sources import Progress
from linetune.models.families import OFFICIAL, to_settings
from linetune.models.network import empty_folded

OWN = "safetensors"
"""The name of linetune's own format, which is no export."""
LEVELS = 20
"""Most levels of mappings and lists inside each other in a record. linetune writes at most six."""


@dataclass(frozen=True)
class Inspection:
    """A model and its file."""

    model: Model
    precision: str
    """One of :data:`~linetune.formats.registry.PRECISIONS`. The network of a rounded file has no weights."""

    @property
    def path(self) -> Path:
        """The file, or the folder of formats that are folders."""
        return Path(self.model.source)

    @property
    def format(self) -> str:
        """The name of the format."""
        return next((name for name, form in FORMATS.items() if form.module.recognises(self.path)), OWN)

    @property
    def bytes(self) -> int:
        """The size of the file, or of all files in the folder."""
        files = self.path.iterdir() if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())

    @property
    def parameters(self) -> int:
        """Number of parameters of the folded network, without the guide."""
        named = self.model.network.named_parameters()
        return sum(tensor.numel() for name, tensor in named if not name.startswith("nrtr."))

    @property
    def trained_charset(self) -> bool:
        """Whether the charset is still that of the training, or nothing is known of it."""
        now = self.model.charset.sha256
        return bool(self.model.provenance.get("charset", now) == now)

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        model = self.model
        settings = to_settings(model.network.architecture)
        return {
            "path": str(self.path),
            "format": self.format,
            "precision": self.precision,
            "bytes": self.bytes,
            "base_model": model.base_model,
            "family": settings.pop("backbone"),
            "size": settings,
            "parameters": self.parameters,
            "characters": len(model.charset.distinct),
            "charset": list(model.charset.characters),
            "charset_sha256": model.charset.sha256,
            "trained_charset": self.trained_charset,
            "both_ways": model.both_ways,
            "rule": model.rule,
            "history": model.history,
            "provenance": model.provenance,
            "calibration": model.calibration,
            "promise": model.promise,
        }


def inspect(reference: str, progress: Progress = lambda done, total: None) -> Inspection:
    """Load a model and return what its file says.

    Args:
        reference: an official name, a model file, or a folder that has one.
        progress: called with the bytes done and the bytes in total during a download.

    Raises:
        LinetuneError: the name or file does not exist, or cannot be used.
    """
    try:
        found = Inspection(load_base(reference, progress), PRECISIONS[0])
    except LinetuneError:
        # A rounded file has lost its weights, but it has all the rest.
        rounded = next(_rounded(Path(reference)), None)
        if rounded is None:
            raise
        found = rounded
    _refuse_deep(found.model)
    return found


def _refuse_deep(model: Model) -> None:
    """Refuse a record that is too deep to print."""
    if any(deeper(getattr(model, key), LEVELS) for key in KEYS):
        what, hint = "its history or provenance is damaged", "copy the file again from where it was trained"
        raise LinetuneError(what, model.source, hint)


def _rounded(path: Path) -> Iterator[Inspection]:
    """Yield the inspection of a rounded ONNX file that linetune wrote. Yield nothing of other files."""
    if path.suffix != ".onnx" or not path.is_file():
        return
    try:
        content = onnx.load(str(path), load_external_data=False)
    except Exception:  # protobuf has its own errors
        return
    metadata = {entry.key: entry.value for entry in content.metadata_props}
    base, precision = metadata.get("base_model", ""), metadata.get("precision")
    if base in OFFICIAL and precision in PRECISIONS[1:] and "character" in metadata:
        charset = Charset.from_dictionary(metadata["character"].split("\n"))
        if charset.sha256 != metadata.get("charset_sha256"):
            charset = Charset(charset.characters[:-1])  # the model has no space
        network = empty_folded(OFFICIAL[base].architecture, charset.classes)
        model = Model(network, charset, base, str(path), both_ways=metadata.get("both_ways") == "true")
        yield Inspection(add_origin(model, metadata, path), precision)
