"""Does transformers read an exported directory as linetune reads the model? Prints a table of equal texts.

Not a test, since it needs transformers, torchvision and real crops:

    python tests/interop/transformers_client.py MODEL labels.txt [--limit N] [--charset auto]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from linetune import Recogniser
from linetune.charset import Charset
from linetune.data.dataset import load_dataset
from linetune.decode.read import read_crops
from linetune.evaluation.metrics import score
from linetune.export.hf import export_hf, load_in_transformers
from linetune.image import read
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
        images = [np.ascontiguousarray(read(line.image)[..., ::-1]) for line in lines]
        for size in (1, 8):
            found = list[str]()
            for start in range(0, len(images), size):
                inputs = processor(images=images[start : start + size], return_tensors="pt")
                with torch.inference_mode():
                    out = theirs(**inputs)
                found += [each["text"] for each in processor.post_process_text_recognition(out)]
            equal = sum(a == b for a, b in zip(found, ours, strict=True))
            how = "one by one" if size == 1 else f"in batches of {size}, squeezed to the widest"
            print(f"{how:40} {equal:>5} of {len(ours)} {score(found, truths).exact_match:>12.2%}")


if __name__ == "__main__":
    main()
