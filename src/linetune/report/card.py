"""The model card of a run, in the form of Hugging Face: what the model reads, how well, and how to use it.

It names no folder of the machine, and has no content of a crop.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from linetune.config.load import as_yaml
from linetune.core import atomic
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.reading_order import is_right_to_left
from linetune.core.untrusted import parse_json
from linetune.evaluation.metrics import Score
from linetune.evaluation.promise import Promise
from linetune.formats import store
from linetune.formats.header import read_header
from linetune.formats.origin import records
from linetune.report import breakdown
from linetune.report.facts import Facts
from linetune.report.inspection import lines_of, origin, printable, shortened
from linetune.report.page import rendered
from linetune.report.recorded import Recorded
from linetune.report.sentences import calibration, model_name
from linetune.report.verdict import verdict
from linetune.report.words import Words
from linetune.training.repeat import as_text

CARD = "MODEL_CARD.md"
"""The card in the run folder."""
CHARSET = "charset.txt"
TASK = "image-to-text"
"""Hugging Face's name of the task."""
CHARACTERS, CONFUSIONS, MISREAD, PATTERNS = 300, 10, 10, 20
"""Most characters of the charset, confusions, misread characters, and patterns of a rule in a card."""
_MARK = re.compile(r"<!-- linetune ([0-9a-f]+) -->\n")
"""The last line of a card. It has the hash of all before it."""
_SPLITS = {"val": "validation", "test": "test"}
_ENGLISH = Words("en")


def write_card(run: Recorded) -> bool:
    """Write the model card into a run folder, unless a person has changed the card there.

    Returns:
        whether the card was written.

    Raises:
        LinetuneError: the model file is damaged, or the card cannot be written.
    """
    path = run.folder / CARD
    text = card(run)
    with os_errors("cannot write the model card", path):
        if is_changed(path):
            return False
        atomic.write_text(path, f"{text}<!-- linetune {_hash(text)} -->\n")
        return True


def is_changed(path: Path) -> bool:
    """Return whether there is a card that is not as linetune wrote it.

    Raises:
        OSError: the card cannot be read.
    """
    if not path.exists():
        return False
    text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    end = _MARK.search(text)
    return end is None or end.end() < len(text) or end[1] != _hash(text[: end.start()])


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def card(run: Recorded) -> str:
    """Return the model card of a run. What the run did not record, it leaves out or names.

    Raises:
        LinetuneError: the model file is damaged.
    """
    said, kept, tested = _Said.of(run.folder), run.kept.get(run.split), run.split == "test"
    facts = Facts.of(run)
    base = said.base_model or run.results["rows"][0]["name"].rpartition(", ")[0]
    base = re.sub(r"[^\w.-]", "", base)
    characters = breakdown.by_character(kept) if kept else []
    return rendered(
        "card.md",
        _ENGLISH,
        metadata=as_yaml(_metadata(run, base)),
        name=run.folder.resolve().name,
        base=base,
        version=run.results.get("software", {}).get("linetune", version("linetune")),
        characters=said.charset,
        complete=len(said.charset) <= CHARACTERS,
        charset=shortened(said.charset, CHARACTERS),
        rule="\n".join(_patterns(said.record["rule"])),
        both_ways=said.both_ways,
        read_as=", ".join(map(as_text, run.config.read_as)),
        right_to_left=is_right_to_left("".join(said.charset)),
        data=list(_data(run, said.record["provenance"])),
        tested=tested,
        rows=list(_rows(run)),
        verdict=verdict(facts, _ENGLISH),
        helped=facts.outcome != "unhelped",
        general=facts.general,
        kept=kept,
        split=_SPLITS[run.split],
        crops=len(kept.lines) if kept else 0,
        misread=len(kept.misread) if kept else 0,
        confusions=kept.confusions[:CONFUSIONS] if kept else [],
        characters_wrong=[each for each in characters if each.wrong][:MISREAD],
        calibrated=bool(said.record["calibration"]),
        calibration=calibration(kept, _ENGLISH) if kept else "",
        promise=_promise(said.record["promise"]),
        onnx=(run.folder / store.ONNX).is_file(),
        origin="\n".join(lines_of(origin(said.record["provenance"]))),
    )


@dataclass(frozen=True)
class _Said:
    """What the model file of a run says. Everything is empty if the run has none."""

    header: Mapping[str, str]
    record: Mapping[str, Mapping[str, Any]]
    """The objects of :data:`linetune.formats.origin.KEYS`."""
    where: Path

    @classmethod
    def of(cls, folder: Path) -> _Said:
        """Read the header of the model file in a run folder.

        Raises:
            LinetuneError: the file is damaged.
        """
        path = folder / store.NAME
        with os_errors("cannot read the model", path):
            header = read_header(path) if path.is_file() else {}
        empty = {key: dict[str, Any]() for key in ("rule", "calibration", "promise", "provenance")}
        return cls(header, empty | records(header, path), path)

    @property
    def base_model(self) -> str:
        """The official model that the model was trained from."""
        return self.header.get("base_model", "")

    @property
    def both_ways(self) -> bool:
        """Whether the model reads every crop both ways up."""
        return self.header.get("both_ways") == "true"

    @cached_property
    def charset(self) -> list[str]:
        """The characters that the model can output, each once."""
        beside = self.where.with_name(CHARSET)
        if "charset" in self.header:
            found = parse_json(self.header["charset"], self.where)
            return list(dict.fromkeys(map(str, found))) if isinstance(found, list) else []
        try:
            return list(Charset.read(beside).distinct)
        except LinetuneError:
            return []


def _metadata(run: Recorded, base: str) -> dict[str, Any]:
    """Return the values for the head of the card, which Hugging Face's pages and search use.

    The form is from https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
    """
    found = {
        "license": "apache-2.0",
        "library_name": "linetune",
        "pipeline_tag": TASK,
        "base_model": f"PaddlePaddle/{base}",
        "base_model_relation": "finetune",
        "tags": ["ocr", "text-recognition", "pp-ocr", "onnx"],
        "metrics": ["exact_match", "cer"],
    }
    if run.split != "test":
        return found
    score = Score.of(run.kept_row["test"])
    low, high = (f"{100 * end:.1f}" for end in score.interval)
    result = {
        "task": {"type": TASK, "name": "Reading of text lines"},
        "dataset": {"type": "test-crops", "name": f"{score.lines} test crops of the run"},
        "metrics": [
            {
                "type": "exact_match",
                "name": f"Exact match (95 % interval {low} to {high} %)",
                "value": round(score.exact_match, 4),
            },
            {"type": "cer", "name": "Character error rate", "value": round(score.cer, 4)},
        ],
    }
    return found | {"model-index": [{"name": run.folder.resolve().name, "results": [result]}]}


def _data(run: Recorded, provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield kinds of crops and how many the run had."""
    recorded = provenance.get("data")
    recorded = recorded if isinstance(recorded, dict) else {}
    lines = {name: each.get("lines") for name, each in recorded.items() if isinstance(each, dict)}
    if "train" not in lines:
        yield "training", "not recorded"
    for name, number in lines.items():
        if name not in (*_SPLITS, "synth"):
            yield {"train": "training"}.get(name, name), f"{number:,}" if isinstance(number, int) else "?"
    row = run.results["rows"][0]
    for split, name in _SPLITS.items():
        yield name, f"{row[split]['lines']:,}" if row[split] else "none"
    if run.config.synth and any("synth" in stage.data for stage in run.config.stages):
        yield "rendered, for training", f"at most {run.config.synth.count:,}"


def _rows(run: Recorded) -> Iterator[dict[str, Any]]:
    for row in run.rows:
        yield {
            "name": model_name(row["name"], _ENGLISH),
            "kept": row["name"] == run.results["best"],
            **{split: Score.of(row[split]) if row[split] else None for split in _SPLITS},
        }


def _patterns(rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that show a rule. The texts of a list stay out of the card: they may be private."""
    texts, patterns = rule.get("texts"), rule.get("patterns")
    if isinstance(texts, list):
        yield f"a list of {len(texts):,} texts"
    several = [str(each.get("pattern")) for each in patterns or () if isinstance(each, dict)]
    yield from map(printable, several[:PATTERNS])
    if len(several) > PATTERNS:
        yield f"and {len(several) - PATTERNS} more"


def _promise(record: Mapping[str, Any]) -> str:
    """Return the promise of a model in words. Empty if it has none that can be read."""
    try:
        return Promise(*(record[each.name] for each in fields(Promise))).as_text()
    except (LookupError, TypeError, ValueError):
        return ""
