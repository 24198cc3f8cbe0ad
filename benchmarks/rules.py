"""Reading by a rule: is it exact, what does it cost, and does it help?

    python benchmarks/rules.py exact [--cases 10000]
    python benchmarks/rules.py speed [--crops 256]
    python benchmarks/rules.py labels MODEL LABELS --rule FILE
    python benchmarks/rules.py codes MODEL [--crops 1000]

``exact`` compares with the sum over all alignments of all texts. ``speed`` times the decoders on frames that
show random codes with doubts, one thread, and a rule that is a list of 100,000 texts. ``labels`` reads
labelled crops with and without a rule.
"""

from __future__ import annotations

import argparse
import itertools
import random
import string
import time
from importlib import resources
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linetune.config.synth import CheckName, Pattern, Synth
from linetune.core.charset import Charset
from linetune.core.labelfile import read_labels
from linetune.data.dataset import Dataset, load_dataset
from linetune.decode import Decoder, Reading
from linetune.decode.by_rule import ByRule
from linetune.decode.read import read_crops
from linetune.decode.reading import Greedy
from linetune.evaluation.comparison import compare
from linetune.evaluation.metrics import score
from linetune.recogniser import Recogniser
from linetune.rules.automaton import Automaton, of_pattern, of_texts
from linetune.rules.rule import Rule
from linetune.rules.saved import of_patterns
from linetune.synth.generate import stream

CHARACTERS = Charset(tuple(string.ascii_uppercase + string.digits + "-./ "))
RULES: tuple[tuple[str, CheckName | None], ...] = (
    ("[A-Z]{3}U[0-9]{7}", "iso6346"),
    ("[0-9]{13}", "ean"),
    ("[0-9]{8,12}", "luhn"),
    ("[0-9A-HJ-NPR-Z]{17}", "vin"),
    ("(AB|C-)[0-9]{3}|[A-Z]{1,4}", None),
)
LISTED = 100_000
TINY = 1e-12
"""Texts that are less probable do not count: masses have an error of about 1e-15."""


def main() -> None:
    """Measure one of the four."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=["exact", "speed", "labels", "codes"])
    parser.add_argument("model", nargs="?")
    parser.add_argument("labels", type=Path, nargs="?")
    parser.add_argument("--rule", type=Path)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--crops", type=int, default=256)
    options = parser.parse_args()
    if options.what == "exact":
        exact(options.cases)
    elif options.what == "speed":
        speed(options.crops)
    elif options.what == "labels":
        recogniser = Recogniser.load(options.model, rule=options.rule)
        compared(recogniser, load_dataset(read_labels(options.labels), None))
    else:
        codes(options.model, options.crops)


def exact(cases: int) -> None:
    """Compare the best text and the mass of random rules on random frames with those of all alignments."""
    source, rng, letters = random.Random(0), np.random.default_rng(0), Charset(("0", "1", "2"))
    off = empty = 0
    for _ in range(cases):
        automaton = random_rule(source)
        drawn = rng.dirichlet([source.choice([0.1, 0.5, 3.0])] * letters.classes, source.randint(1, 5))
        frames = np.asarray(drawn, np.float32)
        admitted = {t: p for t, p in all_texts(frames, letters).items() if automaton.admits(t)}
        best = max(admitted.values(), default=0.0)
        if best < TINY:
            empty += 1
            continue
        (found,) = ByRule(letters, automaton).find(frames[None])
        wanted, got = (best, sum(admitted.values())), (found.texts[0][1], found.follows)
        off += not np.allclose(got, wanted, rtol=1e-9, atol=1e-14)
    print(f"{cases} cases, {empty} of them without an admitted text above {TINY}: {off} differ")


def random_rule(source: random.Random) -> Automaton:
    """Return the automaton of a random pattern or list, some with a check digit."""
    if source.random() < 0.3:
        return of_texts({"".join(source.choices("012", k=source.randint(1, 4))) for _ in range(5)})
    if source.random() < 0.3:
        return of_pattern("[012]{2,4}", "luhn")
    parts = ["0", "[01]", "[012]", "(0|12)", "2?", "[12]{1,2}", "(01){0,2}"]
    return of_pattern("".join(["1", *source.choices(parts, k=source.randint(0, 3))]) + "|2[01]?")


def all_texts(frames: NDArray[np.float32], charset: Charset) -> dict[str, float]:
    """Return the probability of each text, summed over all alignments."""
    found: dict[str, float] = {}
    for path in itertools.product(range(frames.shape[1]), repeat=len(frames)):
        text = charset.decode([c for c, _ in itertools.groupby(path)])
        found[text] = found.get(text, 0) + float(frames[np.arange(len(path)), path].prod(dtype=float))
    return found


def speed(crops: int) -> None:
    """Time the decoders a crop, in batches of 32, beside the decoder without a rule."""
    for pattern, check in RULES:
        rule, automaton = Rule([Pattern(pattern=pattern, check=check)]), of_pattern(pattern, check)
        source = random.Random(0)
        texts = [rule.sample(source) for _ in range(crops)]
        report(f"{pattern} {check or ''}", automaton, texts)
    source = random.Random(1)
    letters = string.ascii_uppercase + string.digits
    listed = sorted({"".join(source.choices(letters, k=source.randint(6, 12))) for _ in range(LISTED)})
    start = time.perf_counter()
    automaton = of_texts(listed)
    print(f"a list of {len(listed):,} texts becomes an automaton in {time.perf_counter() - start:.1f} s")
    report("texts of the list", automaton, listed[:: LISTED // crops])
    report("other texts", automaton, [text[::-1] for text in listed[:: LISTED // crops]])


def report(name: str, automaton: Automaton, texts: list[str]) -> None:
    """Print the time a crop and the texts that are right, for crops that are clear and less clear."""
    for doubt in (0.1, 0.8):
        frames = np.stack([shown(text, doubt, seed) for seed, text in enumerate(texts)])
        by_rule, (free_ms, free) = ByRule(CHARACTERS, automaton), timed(Greedy(CHARACTERS), frames, texts)
        ms, right = timed(by_rule, frames, texts)
        certain = sum(found.certain for found in by_rule.find(frames))
        print(
            f"{name}, doubt {doubt}: {ms:.2f} ms a crop ({free_ms:.3f} without), {right} of {len(texts)} "
            f"right ({free} without), {certain} certain"
        )


def timed(decoder: Decoder, frames: NDArray[np.float32], texts: list[str]) -> tuple[float, int]:
    """Return the shortest time a crop in ms, and how many texts are right."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        found = [r.text for at in range(0, len(frames), 32) for r in decoder(frames[at : at + 32])]
        best = min(best, time.perf_counter() - start)
    return best / len(frames) * 1000, sum(a == b for a, b in zip(found, texts, strict=True))


def shown(text: str, doubt: float, seed: int, frames: int = 40) -> NDArray[np.float32]:
    """Return frames that show a text. Each character loses up to a share ``doubt`` to another one."""
    rng = np.random.default_rng(seed)
    out = np.full((max(frames, 3 * len(text)), CHARACTERS.classes), 1e-6)
    out[:, 0] = 1
    places = np.linspace(1, len(out) - 2, len(text)).astype(int)
    for place, number in zip(places, CHARACTERS.encode(text), strict=True):
        share, other = doubt * rng.random(), rng.integers(1, CHARACTERS.classes)
        out[place] = 1e-5
        out[place, number] += 1 - share
        out[place, other] += share
    return np.asarray(out / out.sum(1, keepdims=True), np.float32)


def codes(model: str, crops: int) -> None:
    """Read rendered container codes and EANs, dotted, engraved and peened, with and without the rule."""
    font = Path(str(resources.files("font_roboto"))) / "files" / "Roboto-Bold.ttf"
    for pattern, check in (("[A-Z]{3}U [0-9]{6} [0-9]", "iso6346"), ("[0-9]{13}", "ean")):
        settings = Synth.model_validate(
            {
                "rule": [{"pattern": pattern, "check": check}],
                "fonts": [font],
                "style": ["dots", "engraved", "peened", "outline"],
                "count": crops,
            }
        )
        lines, images = stream(settings, store=False)
        recogniser = Recogniser.load(model, Charset.collect([line.text for line in lines]))
        recogniser.model.rule = of_patterns(settings.rule, {})
        print(f"{pattern} {check}")
        compared(recogniser, load_dataset(lines, None, crops=images), shown=0)


def compared(recogniser: Recogniser, data: Dataset, shown: int = 100) -> None:
    """Read labelled crops with and without the rule of a model, and print both."""
    decoder = recogniser.model.decoder
    run = recogniser.model.reader.run
    free = read_crops(run, data.crops, Greedy(recogniser.charset))
    spent = 0.0

    def timed_decoder(probabilities: NDArray[np.float32]) -> list[Reading]:
        nonlocal spent
        start = time.perf_counter()
        readings = decoder(probabilities)
        spent += time.perf_counter() - start
        return readings

    ruled = read_crops(run, data.crops, timed_decoder)
    assert isinstance(decoder, ByRule)
    follow = [decoder.automaton.admits(text) for text in data.texts]
    a, b = (score([r.text for r in readings], data.texts) for readings in (free, ruled))
    ms = spent / len(free) * 1000
    print(f"{sum(follow)} of {len(follow)} labels follow the rule, {ms:.2f} ms a crop")
    print(f"without the rule {a.as_text()}, {a.correct.count(False)} wrong")
    print(f"by the rule {b.as_text()}, {b.correct.count(False)} wrong")
    print(compare(a, b).sentence())
    breaking = [not decoder.automaton.admits(r.text) for r in free]
    wrong = [not right for right in a.correct]
    both = sum(w and x for w, x in zip(wrong, breaking, strict=True))
    print(f"wrong and against the rule without it: {both}")
    readings = zip(data.texts, free, ruled, strict=True)
    changed = (r for r in readings if (r[1].text == r[0]) != (r[2].text == r[0]))
    for text, before, after in islice(changed, shown):
        change = "better" if after.text == text else "worse"
        print(f"  {change}: {text!r}, {before.text!r} -> {after.text!r}")


if __name__ == "__main__":
    main()
