"""A run folder without a training: drawn crops, and readings with errors that a real model makes.

``python tests/demo.py FOLDER PICTURE.png`` writes such a run, its report, and a screenshot of the report.
"""

from __future__ import annotations

import json
import math
import random
import re
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from linetune.config.load import load
from linetune.core import image, labelfile
from linetune.core.labelfile import Line
from linetune.decode import Reading
from linetune.evaluation.general import General
from linetune.evaluation.metrics import Score
from linetune.evaluation.result import Evaluation
from linetune.evaluation.stored import BASE, FOLDER, KEPT, write_evaluations
from linetune.synth.generate import stream
from linetune.training.journal import JsonLines
from linetune.training.result import Row, RunResult

RUN = """\
output: run
base_model: PP-OCRv6_small_rec
data: {{train: train.txt, val: val.txt, test: test.txt}}
synth:
  rule: '(LOT|SN|EXP) [A-Z0-9]{{2}}[0-9]{{3,5}}'
  fonts: {font}
  count: 2000
stages:
  - {{name: head, data: synth, freeze: backbone}}
  - {{name: real, data: train}}
"""
LOOKS_LIKE = {"0": "O", "O": "0", "1": "I", "I": "1", "5": "S", "S": "5", "8": "B", "B": "8", "2": "Z"}
MB = 10**6


def make_run(folder: Path, drawn: int = 40, tested: int = 600, wrong: float = 0.05, seed: int = 0) -> Path:
    """Write a run folder with its data beside it, and return it.

    Args:
        folder: where data and run go.
        drawn: number of pictures. Several labels share one if there are more.
        tested: number of test crops.
        wrong: share of the test crops that the kept model misreads.
        seed: of the pictures and the errors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    font = Path(str(resources.files("font_roboto"))) / "files" / "Roboto-Bold.ttf"
    (folder / "linetune.yaml").write_text(RUN.format(font=font.as_posix()), encoding="utf-8")
    config = load(folder / "linetune.yaml")
    assert config.synth
    drawing = config.synth.model_copy(update={"count": drawn, "seed": seed})
    lines, crops = stream(drawing, workers=1, store=False)
    for number, crop in enumerate(crops):
        (folder / "crops").mkdir(exist_ok=True)
        image.write(folder / "crops" / f"{number:02}.png", crop)
    pictures = [(f"crops/{number:02}.png", line.text) for number, line in enumerate(lines)]
    sizes = {"train": drawn, "val": max(20, tested // 4), "test": tested}
    for split, size in sizes.items():
        rows = [pictures[number % drawn] for number in range(size)]
        labelfile.write_labels(folder / f"{split}.txt", rows)
    run = folder / "run"
    (run / "rendered").mkdir(parents=True)
    for number, (name, _) in enumerate(pictures[:12]):
        (run / "rendered" / f"{number:02}.png").write_bytes((folder / name).read_bytes())
    labelfile.write_labels(
        run / "rendered" / "labels.txt",
        [(f"{number:02}.png", text) for number, (_, text) in enumerate(pictures[:12])],
    )
    settings = (folder / "linetune.yaml").read_text("utf-8").replace("output: run", "output: .")
    settings = re.sub(r"(train|val|test): (\1)", r"\1: ../\2", settings)
    (run / "config.yaml").write_text(settings, encoding="utf-8")
    (run / "model.onnx").touch()
    splits = {split: labelfile.read_labels(folder / f"{split}.txt") for split in ("val", "test")}
    models = {
        name: {split: readings(some, share, seed) for split, some in splits.items()}
        for name, share in (
            ("untouched", 3.2 * wrong),
            ("base", 2.8 * wrong),
            ("head", 1.6 * wrong),
            ("kept", wrong),
        )
    }
    for name, file in (("base", BASE), ("kept", KEPT)):
        write_evaluations(run / FOLDER / file, models[name])
    write_results(run, models)
    write_journal(run)
    return run


def readings(lines: Sequence[Line], wrong: float, seed: int) -> Evaluation:
    """Return readings, a share of which is wrong. A better model is right wherever a worse one is."""
    rng = random.Random(seed)
    read = []
    for line in lines:
        luck, place, fall = rng.random(), rng.randrange(len(line.text)), rng.random()
        doubt = 0.3 * fall**8 if luck >= wrong else 0.05 + 0.8 * fall
        text = line.text
        if luck < wrong:
            character = text[place]
            other = LOOKS_LIKE.get(character, "" if fall < 0.3 else "8")
            text = text[:place] + other + text[place + 1 :]
        characters = [1 - doubt if at == place else 0.9995 for at in range(len(text))]
        read.append(Reading(text, 1 - doubt, characters=tuple(characters)))
    return Evaluation(lines, read)


def write_results(run: Path, models: dict[str, dict[str, Evaluation]]) -> None:
    """Write ``results.json``."""
    names = {
        "untouched": "PP-OCRv6_small_rec, untouched",
        "base": "PP-OCRv6_small_rec, limited to the charset",
        "head": "stage head",
        "kept": "stage real",
    }
    rows = [
        Row(
            name,
            models[key]["val"].score,
            models[key]["test"].score,
            {"head": 95.0, "kept": 311.0}.get(key, 0),
            1234 * MB,
        )
        for key, name in names.items()
    ]
    everyday = Score(0.985, -0.002, 183), Score(0.98, -0.003, 183)
    result = RunResult(
        run,
        rows,
        "stage real",
        findings={"near-duplicate": 4, "rare-character": 2, "crowded": 1},
        surroundings={
            "options": {"skip_bad": False, "within": None},
            "software": {"linetune": "0.1.0", "torch": "2.9.0", "python": "3.12.3"},
            "machine": {"system": "Linux x86_64", "device": "cpu", "precision": "float32", "threads": 2},
        },
        general=General(
            *(
                Score(each.exact_match, each.negative_cer, 183, tuple([True] * 180 + [False] * 3))
                for each in everyday
            )
        ),
        seconds=480.0,
    )
    (run / "results.json").write_text(json.dumps(result.as_dict()), encoding="utf-8")


def write_journal(run: Path) -> None:
    """Write a journal of two stages, the second of which overfits."""
    journal = JsonLines(run / "journal.jsonl")
    rng = random.Random(1)
    for name, length, peak in (("head", 1200, 1200), ("real", 900, 400)):
        best = 0.0
        for step in range(10, length + 1, 10):
            noise = math.exp(rng.gauss(0, 0.25))
            loss = (0.05 + 1.5 * math.exp(-step / 200)) * noise
            rate = (
                1e-4 * min(1, step / 100) * (1 if step < 0.7 * length else (length - step) / (0.3 * length))
            )
            journal.record(name, step, {"step": step, "epoch": 1, "loss": loss, "learning_rate": rate})
            if step % 30 == 0:
                label = 0.93 - 0.1 * math.exp(-step / 150) - 0.00006 * max(0, step - peak)
                figures = {
                    "step": step,
                    "loss": loss,
                    "exact_match": label + 0.02 + rng.gauss(0, 0.003),
                    "label_probability": label,
                    "kept": label > best,
                }
                best = max(best, label)
                journal.record(f"{name} validation", step, figures)
    journal.close()


def main() -> None:
    """Write a run and its report, and a screenshot of the beginning."""
    from browser import empty_page, started

    from linetune.report.run_page import write_report
    from linetune.report.words import words

    folder, picture = map(Path, sys.argv[1:])
    run = make_run(folder)
    page = write_report(run.rename(run.with_name("lot-codes")), words("en"))
    with started() as browser, empty_page(browser, viewport={"width": 1100, "height": 1300}) as opened:
        opened.page.goto(page.as_uri())
        opened.page.screenshot(path=picture)


if __name__ == "__main__":
    main()
