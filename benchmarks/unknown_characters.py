"""Characters that the base model never saw: how many of them a run reads in the end.

    python benchmarks/unknown_characters.py FOLDER [--stages head real] [--seed 0] [KEY=VALUE ...]

Texts of six out of twenty characters, two of which PP-OCRv6 does not know, are rendered as in real crops:
300 to train on, 100 to validate, 300 to test. `head` renders 2,000 more for the stage with a frozen backbone.
Prints the recall of the unknown characters and of the others on the test crops.
"""

from __future__ import annotations

import argparse
from collections import Counter
from importlib import resources
from pathlib import Path

from linetune.config import load
from linetune.config.schema import Synth
from linetune.core.labelfile import read_labels
from linetune.data.dataset import load_dataset
from linetune.decode.read import read_crops
from linetune.evaluation.metrics import aligned
from linetune.formats.store import load_model
from linetune.report.terminal import terminal
from linetune.synth.generate import LABELS, generate
from linetune.training.run import train

UNKNOWN = "ЖЯ"
RULE = f"[ABCDEHKM0-9{UNKNOWN}]{{6}}"
COUNTS = {"train": 300, "val": 100, "test": 300}
STAGES = {
    "head": "  - {name: head, data: synth, freeze: backbone, learning_rate: 1e-4}\n",
    "real": "  - {name: real, data: train, batch_size: 16, augment: standard}\n",
}


def main() -> None:
    """Render what is not there yet, train, print both recalls."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_intermixed_args()
    folder = options.folder.resolve()
    fonts = Path(str(resources.files("font_roboto") / "files"))
    for seed, (name, count) in enumerate(COUNTS.items(), 1):
        settings = Synth(rule=RULE, fonts=[fonts], count=count, output=folder / name, seed=seed)
        generate(settings, lambda done: None)
    file = folder / "run.yaml"
    paths = ", ".join(f"{name}: {name}/{LABELS}" for name in COUNTS)
    file.write_text(
        f"output: run\nseed: {options.seed}\ndata: {{{paths}}}\n"
        f"synth: {{rule: '{RULE}', fonts: {fonts}, count: 2000, output: synth, seed: 9}}\n"
        "stages:\n" + "".join(STAGES[name] for name in options.stages),
        encoding="utf-8",
    )
    with terminal() as reporter:
        result = train(load(file, options.overrides), overwrite=True, reporter=reporter)
    model = load_model(result.model)
    data = load_dataset(read_labels(folder / "test" / LABELS), None)
    asked, right = Counter[bool](), Counter[bool]()
    for text, reading in zip(
        data.texts, read_crops(model.reader.run, data.crops, model.decoder), strict=True
    ):
        for wanted, got in aligned(text, reading.text):
            if wanted:
                asked[wanted in UNKNOWN] += 1
                right[wanted in UNKNOWN] += wanted == got
    for unknown, name in ((True, "unknown characters"), (False, "the others")):
        print(f"{name}: {right[unknown] / asked[unknown]:.1%} of {asked[unknown]} read")
    for row in result.rows:
        print(f"{row.name}: {row.test.exact_match:.1%} exact on test" if row.test else row.name)


if __name__ == "__main__":  # rendering starts worker processes
    main()
