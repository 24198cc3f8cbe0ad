"""Fine-tune PP-OCR text-line recognisers on a few hundred crops.

>>> import linetune
>>> result = linetune.train(linetune.load_config("linetune.yaml"))
>>> linetune.Recogniser.load(result.folder).read(["crop.jpg"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linetune.config.load import load as load_config
    from linetune.core.errors import LinetuneError
    from linetune.recogniser import Recogniser
    from linetune.training.run import train

__all__ = ["LinetuneError", "Recogniser", "load_config", "train"]

_HOMES = {
    "LinetuneError": ("linetune.core.errors", "LinetuneError"),
    "Recogniser": ("linetune.recogniser", "Recogniser"),
    "load_config": ("linetune.config.load", "load"),
    "train": ("linetune.training.run", "train"),
}


def __getattr__(name: str) -> Any:
    # Importing torch takes seconds; `linetune --help` should not.
    if name not in _HOMES:
        raise AttributeError(f"module 'linetune' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    from linetune.core.install import needs_train

    with needs_train():
        return getattr(import_module(module), attribute)
