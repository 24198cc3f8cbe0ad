"""``linetune calibrate``"""

from __future__ import annotations

from pathlib import Path

from linetune.cli import options


def calibrate(
    model: options.OwnModelArgument,
    labels: options.LabelsArgument,
    skip_bad: options.SkipBadOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Make the confidence of a model the probability that its whole text is right.

    Learns this from labelled crops that the model was not trained on, and writes it into the model file.
    linetune train does this with the validation crops. Only older models need this command. Texts stay as
    they are. A promise of the model is lost, because confidences change. linetune report RUN then writes the
    report of a run with the new confidences.

    Example: linetune calibrate mine/runs/first mine/crops/val.txt
    """
    from linetune.core.labelfile import read_labels
    from linetune.core.progress import count
    from linetune.data.dataset import load_dataset
    from linetune.evaluation.calibration import FEW_WRONG
    from linetune.evaluation.stored import set_aside
    from linetune.formats.notes import load_own, rewrite
    from linetune.formats.store import NAME
    from linetune.report.terminal import terminal
    from linetune.training.calibrated import calibrated

    lines = read_labels(*labels)
    loaded = load_own(model)
    with terminal(quiet) as reporter:
        data = load_dataset(lines, None, skip_bad, count(reporter, "decoding", len(lines)))
        after = calibrated(loaded, data, count(reporter, "reading", len(data)))
        # First, because a report must never show confidences that the model no longer has.
        source = Path(loaded.source)
        reported = source.name == NAME and set_aside(source.parent)
        paths = rewrite(after)
    readings, right = after.calibration["readings"], after.calibration["right"]
    print(f"calibrated on {readings} readings, {right} of them right; wrote {' and '.join(map(str, paths))}")
    if readings - right < FEW_WRONG:
        print("so few wrong readings say little: the confidence stays near what the network itself believes")
    if loaded.promise:
        print("the model had a promise, which is lost; linetune threshold makes a new one")
    if reported:
        print(f"the report has the old confidences; linetune report {source.parent} reads the crops again")
