"""Models on the straight line between two others, and beyond the second (WiSE-FT, arXiv 2109.01903).

Usage: python benchmarks/interpolation.py BEFORE AFTER LABELS...

BEFORE and AFTER are models of one run, such as its stages/2-full.safetensors and stages/3-real.safetensors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from linetune.core.labelfile import read_labels
from linetune.data.dataset import load_dataset
from linetune.formats.store import load_model
from linetune.training.validation import score_of

SHARES = (0.0, 0.5, 0.7, 0.85, 1.0, 1.1)
"""Of the second model's weights."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("labels", type=Path, nargs="+")
    asked = parser.parse_args()
    model = load_model(asked.after)
    after = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    before = load_model(asked.before).network.state_dict()
    data = {path.name: load_dataset(read_labels(path), None) for path in asked.labels}
    for share in SHARES:
        model.network.load_state_dict(
            {name: torch.lerp(before[name].float(), tensor.float(), share) for name, tensor in after.items()}
        )
        scores = {name: score_of(model.network.run, crops, model.charset) for name, crops in data.items()}
        told = "   ".join(f"{name} {score.as_text()}, CER {score.cer:.1%}" for name, score in scores.items())
        print(f"{share:.2f} of the second: {told}", flush=True)


if __name__ == "__main__":
    main()
