"""A whole run: base model, charset, data, the stages in order, and the best of them all."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from linetune import atomic
from linetune.charset import Charset, show
from linetune.config.load import save
from linetune.config.schema import Config
from linetune.data.dataset import Dataset, load_dataset
from linetune.errors import LinetuneError
from linetune.evaluation.metrics import Score
from linetune.records import Line, read_labels
from linetune.synth.generate import generate, is_current
from linetune.training.journal import Journal
from linetune.training.reporter import Reporter, Silent, count
from linetune.training.stage import Setting, train_stage, validate
from linetune.weights.official import load_base
from linetune.weights.store import Model, save_model
from linetune.weights.transfer import with_charset

OWN_FILES = ("config.yaml", "charset.txt", "journal.jsonl", "results.json", "model.safetensors", "model.onnx")
OWN_FOLDERS = ("tensorboard", "stages")


@dataclass(frozen=True)
class Row:
    """One line of the result table."""

    name: str
    val: Score
    test: Score | None
    seconds: float
    """Spent training; 0 for a model that was not trained."""


@dataclass
class RunResult:
    """What a run came to."""

    folder: Path
    rows: list[Row] = field(default_factory=list)
    best: str = ""
    """The row whose model the run ends with."""
    unknown_characters: list[str] = field(default_factory=list)
    """Characters of the charset that the base model did not have."""
    skipped: int = 0
    """Lines left out because they could not be used."""
    seconds: float = 0

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / "model.safetensors"

    @property
    def helped(self) -> bool:
        """Whether training gave a better model on validation than the one it started from."""
        return self.best != self.rows[1].name

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        rows = [
            {
                "name": row.name,
                "val": row.val.as_dict(),
                "test": row.test.as_dict() if row.test else None,
                "seconds": round(row.seconds, 1),
            }
            for row in self.rows
        ]
        return {
            "folder": str(self.folder),
            "best": self.best,
            "rows": rows,
            "unknown_characters": self.unknown_characters,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 1),
        }


def train(
    config: Config, *, overwrite: bool = False, skip_bad: bool = False, reporter: Reporter | None = None
) -> RunResult:
    """Run all stages of a configuration.

    Each stage starts from the best epoch of the one before. The run ends with the best of all
    stages and the untouched base model on validation, exact match before character error rate, and
    leaves ``model.safetensors``, ``results.json``, the resolved configuration and its journal in
    its folder. The test set is scored, never chosen on.

    Args:
        config: the run.
        overwrite: replace an earlier run in the same folder.
        skip_bad: go on without lines that cannot be used.
        reporter: told what happens; nobody by default.

    Raises:
        LinetuneError: anything in the configuration or the data that cannot be used.
    """
    reporter = reporter or Silent()
    started = time.perf_counter()
    base = load_base(config.base_model, lambda done, total: reporter.progress("weights", done, total))
    reporter.say(f"base model {base.base_model} from {base.source}")
    real, val_lines, test_lines = (
        _read(paths) for paths in (config.data.train, config.data.val, config.data.test)
    )
    synth_lines = _synthetic(config, reporter)
    device, dtype = _device(config), _precision(config)

    charset = (
        Charset.collect(line.text for line in real + synth_lines)
        if config.charset == "auto"
        else Charset.read(config.charset)
    )
    start = with_charset(base, charset)
    kept = len(charset) - len(start.unknown)
    reporter.say(f"charset of {len(charset)} characters, {kept} of them known to the base model")
    if start.unknown:
        reporter.say(f"the base model has never seen {show(*start.unknown)}; training must teach them")

    def load(what: str, lines: list[Line], known: Charset | None) -> Dataset:
        return load_dataset(lines, known, skip_bad, count(reporter, what, len(lines)))

    uses = {name for stage in config.stages for name in stage.data}
    data = {
        "train": load("train crops", real, charset) if "train" in uses else None,
        "synth": load("synth crops", synth_lines, charset) if "synth" in uses else None,
    }
    val = load("val crops", val_lines, None)
    test = load("test crops", test_lines, None) if test_lines else None
    for what, held_out in (("val", val), ("test", test)):
        _tell_unreadable(what, held_out, charset, reporter)

    folder = _claim(config.output, overwrite)
    save(config, folder / "config.yaml")
    charset.write(folder / "charset.txt")
    result = RunResult(folder, unknown_characters=start.unknown)
    result.skipped = sum(d.skipped for d in (*data.values(), val, test) if d is not None)
    if result.skipped:
        reporter.say(f"going on without {result.skipped} lines that cannot be used")

    with Journal(folder) as journal:
        setting = Setting(charset, val, config.seed, device, dtype, journal, reporter)

        def row(name: str, model: Model, val_score: Score | None = None, seconds: float = 0) -> Row:
            model.network.to(device)
            on_val = val_score or validate(model.network, val, model.charset)
            on_test = validate(model.network, test, model.charset) if test else None
            tested = on_test.as_dict() if on_test else None
            journal.record("result", name=name, val=on_val.as_dict(), test=tested, training_seconds=seconds)
            result.rows.append(Row(name, on_val, on_test, seconds))
            return result.rows[-1]

        reporter.progress("base model", 0, 2)
        row(f"{base.base_model}, untouched", base)
        reporter.progress("base model", 1, 2)
        model = start.model
        best = row(f"{base.base_model}, limited to the charset", model)
        reporter.progress("base model", 2, 2)
        (folder / "stages").mkdir(exist_ok=True)
        _keep(model, best, folder / "model.safetensors")
        for number, stage in enumerate(config.stages):
            parts = [part for name in stage.data if (part := data[name]) is not None]
            mixed = parts[0] if len(parts) == 1 else parts[0] + parts[1]
            outcome = train_stage(model.network, stage, number, mixed, setting)
            stage_row = row(f"stage {stage.name}", model, outcome.score, outcome.seconds)
            reporter.say(
                f"stage {stage.name}: {outcome.score.exact_match:.1%} exact on validation "
                f"in epoch {outcome.best_epoch} of {outcome.epochs}, {outcome.seconds:.0f} s"
            )
            _keep(model, stage_row, folder / "stages" / f"{number + 1}-{stage.name}.safetensors")
            if stage_row.val > best.val:
                best = stage_row
                _keep(model, stage_row, folder / "model.safetensors")
        result.best, result.seconds = best.name, time.perf_counter() - started
        journal.record("end", best=result.best)
    atomic.write_text(
        folder / "results.json", json.dumps(result.as_dict(), indent=2, ensure_ascii=False) + "\n"
    )
    if not result.helped:
        reporter.say(
            "training did not help: no stage was better on validation than the base model, which is kept"
        )
    return result


def _read(paths: Sequence[Path] | None) -> list[Line]:
    return [line for path in paths or () for line in read_labels(path)]


def _synthetic(config: Config, reporter: Reporter) -> list[Line]:
    """The rendered crops, rendered now unless an earlier run left the same."""
    if config.synth is None or not any("synth" in stage.data for stage in config.stages):
        return []
    if is_current(config.synth):
        reporter.say(f"{config.synth.count} rendered crops in {config.synth.output} are up to date")
    else:
        generate(config.synth, count(reporter, "rendering", config.synth.count))
    return read_labels(config.synth.output / "labels.txt")


def _device(config: Config) -> torch.device:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if config.device == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if available[name]))
    if not available[config.device]:
        raise LinetuneError(f"this machine has no {config.device} device", "device", "use device: auto")
    return torch.device(config.device)


def _precision(config: Config) -> torch.dtype:
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if config.precision != "auto":
        return named[config.precision]
    # bf16 without AMX is slower than fp32 on CPUs; measured in the log.
    return (
        torch.bfloat16 if _device(config).type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    )


def _claim(folder: Path, overwrite: bool) -> Path:
    """The run's folder, empty of earlier runs; files that are not a run's are never touched."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.iterdir()}
        if there and not overwrite:
            hint = "choose another output=, or pass --overwrite to replace an earlier run"
            raise LinetuneError("the run's folder is not empty", folder, hint)
        if there and "config.yaml" not in there:
            raise LinetuneError(
                "the folder holds no run, so nothing in it is replaced", folder, "choose another output="
            )
        for name in OWN_FILES:
            (folder / name).unlink(missing_ok=True)
        for name in OWN_FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
    except OSError as error:
        raise LinetuneError(f"cannot use the run's folder ({error.strerror})", folder) from None
    return folder


def _tell_unreadable(what: str, data: Dataset | None, charset: Charset, reporter: Reporter) -> None:
    """Say which held-out lines can never be read right; they still count."""
    if data is None:
        return
    beyond = [line for line in data.lines if charset.missing(line.text)]
    if beyond:
        missing = dict.fromkeys(c for line in beyond for c in charset.missing(line.text))
        reporter.say(
            f"{len(beyond)} {what} lines hold characters outside the charset ({show(*missing)}), "
            f"which count as wrong; the first is {beyond[0].source}"
        )


def _keep(model: Model, row: Row, path: Path) -> None:
    figures = {"name": row.name, "val": row.val.as_dict(), "test": row.test.as_dict() if row.test else None}
    save_model(Model(model.network, model.charset, model.base_model, model.source, figures), path)
