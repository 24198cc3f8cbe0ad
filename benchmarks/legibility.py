"""Whether the label of a rendered crop is what is drawn: the official model reads it before it is degraded.

    python benchmarks/legibility.py FONTS [--style print] [--count 1000]

The texts leave out I, O and Q, which some fonts draw like 1 and 0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from linetune import Recogniser
from linetune.config import Synth
from linetune.core.charset import Charset
from linetune.evaluation.metrics import score
from linetune.synth.render import Renderer

RULE = "[A-HJ-NPR-Z]{2}[0-9]{6}|[A-HJ-NPR-Z][0-9]{3}-[0-9]{2}|[0-9]{4}:[0-9]{2}|[A-HJ-NPR-Z0-9]{4,9}"


def main() -> None:
    """Print the share that is read right, and what is not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("fonts", type=Path, nargs="+")
    parser.add_argument("--style", default="print")
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    renderer = Renderer.of(Synth(rule=RULE, fonts=options.fonts, style=options.style))
    recogniser = Recogniser.load("PP-OCRv5_mobile_rec", Charset(renderer.rule.alphabet))
    for name, render in (("before degradation", renderer.undegraded), ("after it", renderer)):
        crops, texts = zip(*(render(index) for index in range(options.count)), strict=True)
        read = [reading.text for reading in recogniser.read(crops)]
        result = score(read, texts)
        exact = f"{result.exact_match:.1%} of {options.count} read exactly"
        print(f"{options.style}, {name}: {exact}, CER {result.cer:.2%}")
        if name == "before degradation":
            wrong = [(text, got) for text, got in zip(texts, read, strict=True) if text != got]
            print("  " + ", ".join(f"{text} as {got}" for text, got in wrong[:20]))


if __name__ == "__main__":
    main()
