"""A run as its folder has it: results, journal, settings, and readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from linetune.config import Config
from linetune.config.load import load
from linetune.core import textfile
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels, spread
from linetune.core.progress import Reporter, Silent, count
from linetune.core.untrusted import parse_json
from linetune.evaluation.result import Evaluation
from linetune.evaluation.stored import BASE, FOLDER, KEPT, read_evaluations, write_evaluations
from linetune.report.page import read_crop
from linetune.training.folder import refuse_incomplete

RESULTS, JOURNAL, CONFIG, EXAMPLES = "results.json", "journal.jsonl", "config.yaml", "rendered"
"""Files of a run folder, and the folder of its rendered examples."""
SHOWN = 12
"""Most real and rendered crops that are shown side by side."""


@dataclass(frozen=True)
class Recorded:
    """What the folder of a complete run says."""

    folder: Path
    results: Mapping[str, Any]
    journal: list[dict[str, Any]]
    settings: str
    """The text of the run file."""
    config: Config
    base: Mapping[str, Evaluation] = field(default_factory=dict)
    """The readings of the limited base model by split, ``val`` or ``test``. Empty if they are not known."""
    kept: Mapping[str, Evaluation] = field(default_factory=dict)
    """The readings of the kept model by split."""
    problem: str = ""
    """Why there are no readings."""

    @property
    def split(self) -> str:
        """The split that the report is about: ``test`` if the run has test crops, or else ``val``."""
        return "test" if self.results["rows"][0]["test"] else "val"

    @property
    def kept_row(self) -> Mapping[str, Any]:
        """The figures of the kept model."""
        return next(row for row in self.results["rows"] if row["name"] == self.results["best"])

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The figures of all models in the order of the table, those for comparison last."""
        beside = (self.results[name] for name in ("teacher", "by_rule") if name in self.results)
        return [*self.results["rows"], *beside]

    @property
    def moved_from(self) -> str:
        """The folder of the run when it ended. Empty if the run is still there, or if this is not known."""
        before = Path(self.results.get("folder", ""))
        moved = before.is_absolute() and before.resolve() != self.folder.resolve()
        return str(before) if moved else ""

    def labelled(self) -> list[tuple[Crop, str]]:
        """Return a few real training crops with their labels. Crops that cannot be read are left out."""
        try:
            lines = spread(read_labels(*self.config.data.train), SHOWN)
        except LinetuneError:
            return []
        crops = ((read_crop(line.image), line.text) for line in lines)
        return [(crop, text) for crop, text in crops if crop is not None]

    def rendered(self) -> list[tuple[Crop, str]]:
        """Return the rendered examples of the run with their texts. Empty if it rendered none."""
        labels = self.folder / EXAMPLES / "labels.txt"
        try:
            lines = read_labels(labels)[:SHOWN] if labels.is_file() else []
        except LinetuneError:
            return []
        crops = ((read_crop(line.image), line.text) for line in lines)
        return [(crop, text) for crop, text in crops if crop is not None]


def read_run(folder: Path, reporter: Reporter | None = None) -> Recorded:
    """Read the folder of a complete run. Where a run lacks readings, its models read again.

    Raises:
        LinetuneError: the folder has no complete run, or a file of it is damaged.
    """
    refuse_incomplete(folder)
    results = parse_json(textfile.read(folder / RESULTS, "results", None), folder / RESULTS)
    with os_errors("cannot read the journal", folder / JOURNAL):
        journal = (folder / JOURNAL).read_text("utf-8").splitlines()
    entries = [parse_json(line, f"{folder / JOURNAL}:{number}") for number, line in enumerate(journal, 1)]
    recorded = Recorded(
        folder,
        _checked(results, folder / RESULTS),
        [entry for entry in entries if isinstance(entry, dict)],
        textfile.read(folder / CONFIG, "run file", None),
        load(folder / CONFIG),
        read_evaluations(folder / FOLDER / BASE),
        read_evaluations(folder / FOLDER / KEPT),
    )
    return recorded if recorded.kept else _with_readings(recorded, reporter or Silent())


def _checked(results: Any, path: Path) -> dict[str, Any]:
    """Return results that have all that a report needs.

    Raises:
        LinetuneError: they do not.
    """
    try:
        names = [
            row["name"] for row in results["rows"] if row["val"]["interval"] and row["test"] is not False
        ]
        gains = [gain["only_a"] + gain["only_b"] < gain["lines"] + 1 for gain in results["gain"].values()]
        if results["best"] in names and len(names) == len(results["rows"]) > 1 and all(gains):
            return dict(results)
    except (LookupError, TypeError, AttributeError):
        pass
    raise LinetuneError("damaged results", path, "train the run again")


def _with_readings(recorded: Recorded, reporter: Reporter) -> Recorded:
    """Read the held-out crops of a run with the models whose readings are missing.

    The new readings are written into the run folder, unless crops are missing.
    """
    # These import torch, which takes seconds that other reports save.
    from linetune.data.dataset import load_dataset
    from linetune.decode.read import read_crops
    from linetune.formats.official import load_base
    from linetune.formats.store import load_model
    from linetune.formats.transfer import with_charset

    config, splits = recorded.config, {"val": recorded.config.data.val, "test": recorded.config.data.test}
    try:
        kept = load_model(recorded.folder)
        models, skipped = {KEPT: kept}, 0
        if not recorded.base:
            base = with_charset(load_base(config.base_model), kept.charset, config.aliases).model
            models[BASE] = replace(base, both_ways=kept.both_ways)
        read: dict[str, dict[str, Evaluation]] = {name: {} for name in models}
        for split, paths in splits.items():
            if not paths:
                continue
            lines = read_labels(*paths)
            data = load_dataset(lines, None, True, count(reporter, f"{split} crops", len(lines)))
            skipped += data.skipped
            for name, model in models.items():
                progress = count(reporter, f"reading {split}, {Path(name).stem} model", len(data))
                texts = read_crops(model.run, data.crops, model.decoder, progress=progress)
                read[name][split] = Evaluation(data.lines, texts)
    except LinetuneError as error:
        return replace(recorded, problem=str(error))
    if not skipped:
        for file, evaluations in read.items():
            write_evaluations(recorded.folder / FOLDER / file, evaluations)
    return replace(recorded, base=read.get(BASE, recorded.base), kept=read[KEPT])
