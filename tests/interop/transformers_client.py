"""Does transformers read an exported directory as linetune reads the model? Prints a table of equal texts.

Not a test, since it needs transformers, torchvision and real crops:

    python tests/interop/transformers_client.py MODEL labels.txt [--limit N] [--charset auto]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from linetune import Recogniser
from linetune.charset import Charset
from linetune.data.dataset import load_dataset
from linetune.decode.read import read_crops
from linetune.evaluation.metrics import score
from linetune.export.hf import export_hf, load_in_transformers
from linetune.image import MIN_WIDTH, read, resize
from linetune.records import read_labels


def main() -> None:
    """Export, load in transformers, read every crop, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("labels", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--charset", choices=["auto"])
    options = parser.parse_args()
    lines = read_labels(options.labels)[: options.limit]
    truths = [line.text for line in lines]
    charset = Charset.collect(truths) if options.charset else None
    recogniser = Recogniser.load(options.model, charset)
    model = recogniser.model
    crops = load_dataset(lines, None).crops
    ours = [reading.text for reading in read_crops(model.network.run, crops, model.charset)]
    with tempfile.TemporaryDirectory() as folder:
        done = export_hf(model, Path(folder) / "hf", crops)
        print(f"on {done.crops} prepared crops: same texts, probabilities within {done.difference:.1e}")
        if done.notes:
            raise SystemExit(done.notes[0])
        theirs, processor = load_in_transformers(done.path)
        print(f"{'read in transformers':40} {'as linetune':>12} {'exact match':>12}")
        print(
            f"{'(linetune itself)':40} {len(ours):>5} of {len(ours)} {score(ours, truths).exact_match:>12.2%}"
        )
        crops = [read(line.image) for line in lines]
        for how, resized, size in (
            ("one by one", False, 1),
            ("one by one, resized with OpenCV", True, 1),
            ("in batches of 8, squeezed to the widest", False, 8),
            ("in batches of 8, resized with OpenCV", True, 8),
        ):
            images = [np.ascontiguousarray((resize(c) if resized else c)[..., ::-1]) for c in crops]
            found = [""] * len(images)
            for members in batches([i.shape[1] for i in images], size, resized):
                chosen = [images[i] for i in members]
                inputs = processor(images=chosen, do_resize=not resized, return_tensors="pt")
                with torch.inference_mode():
                    out = theirs(**inputs)
                for i, each in zip(members, processor.post_process_text_recognition(out), strict=True):
                    found[i] = each["text"]
            equal = sum(a == b for a, b in zip(found, ours, strict=True))
            print(f"{how:40} {equal:>5} of {len(ours)} {score(found, truths).exact_match:>12.2%}", flush=True)


def batches(widths: Sequence[int], size: int, resized: bool) -> Iterator[list[int]]:
    """Numbers of the images to read together; resized ones that are wider than the padding stay alone."""
    alone = [i for i, width in enumerate(widths) if resized and width > MIN_WIDTH]
    others = [i for i in range(len(widths)) if i not in alone]
    yield from ([i] for i in alone)
    for start in range(0, len(others), size):
        yield others[start : start + size]


if __name__ == "__main__":
    main()
