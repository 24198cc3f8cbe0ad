"""Where a model comes from: weights, data, settings, software and machine of its run.

A checkpoint keeps the same record. It shows whether a run that continues still has the data and settings it
began with.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from linetune.config.schema import Config
from linetune.core.errors import LinetuneError
from linetune.data.dataset import Dataset
from linetune.evaluation.calibration import hash_of_labels
from linetune.models.families import OFFICIAL
from linetune.models.network import Network, feed_weights
from linetune.training import plan
from linetune.training.context import device_of, precision_of
from linetune.training.gather import Inputs, uses_rendered

DIGEST = 16
"""Bytes of a hash."""
BASE_FILE = "base_file"
"""Key of the file of the base model. Official models have none."""
FILE = "file"
"""Key of a path in the settings. Only the name of the file is kept: a model must not tell the folders of the
machine that trained it."""
NUMBER = "number"
"""Key of a path whose file has the name of another file: 2 for the second one, and so on."""
PARTS = "parts"
"""Key of the named parts of a rule. It is a mapping of the user's own names, and has no paths."""


def record(config: Config, inputs: Inputs) -> dict[str, Any]:
    """Return the record of a run, as JSON values. Equal runs have equal records.

    The rendered crops count by the first ones. They show a changed font or another renderer.
    """
    data = {**inputs.data, "val": inputs.val, **({"test": inputs.test} if inputs.test else {})}
    if config.synth and uses_rendered(config):
        data["synth"] = inputs.render(min(plan.FEW, config.synth.count))
    device = device_of(config)
    # The base model may be a path, and its weights have a hash. A logger changes no result.
    left_out = {"output", "base_model", "loggers"}
    names = _Names()
    base_file = {} if config.base_model in OFFICIAL else {BASE_FILE: names.of(Path(config.base_model))}
    return {
        "base_model": inputs.base.base_model,
        **base_file,
        "weights": _hash_of_weights(inputs.base.network),
        "charset": inputs.start.charset.sha256,
        **({"teacher": _hash_of_weights(inputs.teacher.model.network)} if inputs.teacher else {}),
        **({"rule": _hash_of_rule(inputs.start.rule)} if inputs.start.rule else {}),
        # By name, or by the number of the file that a stage names.
        "data": {
            f"file {number}" if Path(name).is_absolute() else name: _hash_of_crops(crops)
            for number, (name, crops) in enumerate(data.items(), 1)
        },
        "settings": _settings(config.model_dump(exclude=left_out), names),
        "software": {
            "linetune": f"{version('linetune')} ({code()})",
            **{name: version(name) for name in ("torch", "numpy", "opencv-python-headless")},
            "python": platform.python_version(),
        },
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "precision": str(precision_of(config, device)).removeprefix("torch."),
            "threads": torch.get_num_threads(),
        },
    }


def refuse_changes(saved: Mapping[str, Any], now: Mapping[str, Any], run: Path) -> list[str]:
    """Compare the record of a checkpoint with that of the run that continues.

    Args:
        saved: the record of the checkpoint.
        now: the present record.
        run: the run folder.

    Returns:
        A sentence for each difference of software and machine. The result may then differ in its last digits.

    Raises:
        LinetuneError: settings, weights, characters, the rule or data differ.
    """
    start_anew = "or start a new run with --overwrite"
    for key, before, after in _differences(saved["settings"], now["settings"]):
        what = f"{key} is {after!r}, but was {before!r} when the run began"
        raise LinetuneError(what, run / "config.yaml", f"change it back, {start_anew}")
    for name, before in saved["data"].items():
        if now["data"].get(name) != before:
            what = f"the crops or labels of {name} have changed since the run began"
            raise LinetuneError(what, run / "config.yaml", f"restore them, {start_anew}")
    if saved.get("rule") != now.get("rule"):
        what = "the reading_rule has changed since the run began"
        raise LinetuneError(what, run / "config.yaml", f"restore its file, {start_anew}")
    if saved.get("teacher") != now.get("teacher"):
        what = "the teacher has changed since the run began"
        raise LinetuneError(what, run / "config.yaml", f"restore its file, {start_anew}")
    for key in ("weights", "charset"):
        if saved[key] != now[key]:
            what = f"the {key} of the base model changed since the run began"
            raise LinetuneError(what, run / "config.yaml", f"restore the file, {start_anew}")
    return [
        f"{key} was {before} when the run began, and is {after} now; the result may differ in its last digits"
        for part in ("software", "machine")
        for key, before, after in _differences(saved[part], now[part])
    ]


class _Names:
    """The names of files without their folders. Two files of one name get different numbers."""

    def __init__(self) -> None:
        self._paths: dict[str, list[Path]] = {}

    def of(self, path: Path) -> dict[str, Any]:
        """Return what the record says of a path."""
        same = self._paths.setdefault(path.name, [])
        if path not in same:
            same.append(path)
        number = same.index(path) + 1
        return {FILE: path.name, **({NUMBER: number} if number > 1 else {})}


def _settings(value: Any, names: _Names) -> Any:
    """Return settings as JSON values, without folders."""
    if isinstance(value, Path):
        return names.of(value)
    if isinstance(value, Mapping):
        return {key: _settings(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_settings(item, names) for item in value]
    return value


def _differences(before: Any, after: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (key, value before, value after) of all values that differ. Names of files may differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        if FILE in before and FILE in after and not key.endswith(PARTS):
            return
        for name in {**before, **after}:
            yield from _differences(before.get(name), after.get(name), f"{key}.{name}".lstrip("."))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(*pair, f"{key}.{_name(pair[0], number)}")
    elif before != after:
        yield key, before, after


def _name(item: Any, number: int) -> str:
    return str(item.get("name", number)) if isinstance(item, dict) else str(number)


def _hash_of_crops(data: Dataset) -> dict[str, Any]:
    crops = hashlib.blake2b(digest_size=DIGEST)
    data.columns.feed(crops.update)
    return {
        "lines": len(data),
        "labels": hash_of_labels(data.texts),
        "crops": crops.hexdigest(),
    }


def _hash_of_rule(rule: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(rule).encode(), digest_size=DIGEST).hexdigest()


def _hash_of_weights(network: Network) -> str:
    digest = hashlib.blake2b(digest_size=DIGEST)
    feed_weights(network, digest.update)
    return digest.hexdigest()


@cache
def code() -> str:
    """Return a hash of linetune's own source, since a version number does not show local changes."""
    digest = hashlib.blake2b(digest_size=4)
    for path in sorted(Path(str(resources.files("linetune"))).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
