"""Is one model read alike everywhere? Exports it for every client, lets each read all crops, prints a table.

    make interop [MODEL=runs/mine LABELS=crops/test.txt]

Each client runs in an environment of its own, which the target makes. Crops are rendered when no label
file is given. The exit status is 1 when a client reads another text than linetune.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from linetune.config import Synth
from linetune.core.labelfile import read_labels
from linetune.synth import generate

CLIENTS = {
    "linetune": "rapidocr",
    "linetune, crops as they stand": "rapidocr",
    "RapidOCR": "rapidocr",
    "linetune, .pdparams": "rapidocr",
    "linetune, inference folder": "paddleocr",
    "paddleocr": "paddleocr",
    "paddleocr, oneDNN": "paddleocr",
    "transformers after OpenCV": "transformers",
    "transformers": "transformers",
    "transformers in eights after OpenCV": "transformers",
    "transformers in eights": "transformers",
}
"""By name, as client.py has them: the environment each runs in."""
AS_THEY_STAND = {"linetune, .pdparams", *(client for client in CLIENTS if client.startswith("transformers"))}
"""Held to crops as they stand: these load weights alone, and nothing that reads both ways up."""
NOT_PROMISED = {
    "transformers": "its image processor resizes otherwise",
    "transformers in eights": "it squeezes them to the widest",
}
RENDERED = 120


def main() -> int:
    """Print the table; 1 when a text differs that should not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="PP-OCRv5_mobile_rec")
    parser.add_argument("--labels", type=Path, help="label file; crops are rendered without one")
    parser.add_argument("--environments", type=Path, default=Path(".interop"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        labels = options.labels or rendered(Path(folder))
        answers = {
            client: ask(client, options.environments / environment, options.model, labels, Path(folder))
            for client, environment in CLIENTS.items()
        }
    model = answers.pop("linetune")["readings"]
    once = answers.pop("linetune, crops as they stand")["readings"]
    table = Table("client", "crops", "texts equal", "largest confidence difference", "versions")
    failed = False
    for client, answer in answers.items():
        expected, found = once if client in AS_THEY_STAND else model, answer["readings"]
        equal = sum(mine == theirs for (mine, _), (theirs, _) in zip(expected, found, strict=True))
        worst = max(abs(mine - theirs) for (_, mine), (_, theirs) in zip(expected, found, strict=True))
        versions = ", ".join(f"{package} {number}" for package, number in answer["versions"].items())
        note = f" ({NOT_PROMISED[client]})" if client in NOT_PROMISED else ""
        table.add_row(client + note, str(len(expected)), str(equal), f"{worst:.1e}", versions)
        if equal < len(expected) and client not in NOT_PROMISED:
            failed = True
            for line, (mine, _), (theirs, _) in zip(read_labels(labels), expected, found, strict=True):
                if mine != theirs:
                    print(f"{client}: {line.image}: {theirs!r} where linetune reads {mine!r}")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return int(failed)


def ask(client: str, environment: Path, model: str, labels: Path, folder: Path) -> dict[str, Any]:
    """What a client reads, in its environment."""
    print(f"{client} ...", flush=True)
    script, answers = Path(__file__).with_name("client.py"), folder / "answers.json"
    python = environment / "bin" / "python"
    if not python.exists():
        sys.exit(f"{environment}: no environment for {client}; make interop makes it")
    done = subprocess.run([python, "-W", "ignore", script, client, model, labels, answers], check=False)
    if done.returncode:
        sys.exit(f"{client} failed, see above")
    answer: dict[str, Any] = json.loads(answers.read_text("utf-8"))
    return answer


def rendered(folder: Path) -> Path:
    """Labels of crops of every length, drawn anew, the same each time."""
    fonts = resources.files("font_roboto") / "files"
    rule = "[A-Z]{1,4}[0-9]{1,5}|[A-Z][a-z]{3,12} [0-9]{1,3}|[0-9]{2}-[0-9]{2}-[A-Z0-9]{4,24}"
    settings = {"rule": rule, "fonts": str(fonts), "count": RENDERED, "output": str(folder / "crops")}
    return generate(Synth.model_validate(settings), lambda done: None, workers=1)


if __name__ == "__main__":
    sys.exit(main())
