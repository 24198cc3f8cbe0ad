"""``linetune compare``"""

from __future__ import annotations

from linetune.cli.options import (
    JsonOption,
    LabelsArgument,
    LabelsCharsetOption,
    ModelAArgument,
    ModelBArgument,
    SkipBadOption,
    load_recogniser,
    print_json,
)


def compare(
    model_a: ModelAArgument,
    model_b: ModelBArgument,
    labels: LabelsArgument,
    charset: LabelsCharsetOption = None,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two models on the same crops: is one better, or is it chance?

    Prints both scores, the difference with its 95% interval, the result of McNemar's test, and the crops that
    only one of the models reads right.

    Example: linetune compare PP-OCRv6_small_rec mine/runs/first mine/crops/test.txt
    """
    from linetune.core.labelfile import read_labels
    from linetune.core.progress import count
    from linetune.data.dataset import load_dataset
    from linetune.evaluation.comparison import compare as compare_scores
    from linetune.evaluation.result import Evaluation, only_one_reads
    from linetune.report.evaluation import print_comparison
    from linetune.report.terminal import console, terminal

    lines = read_labels(*labels)
    texts = [line.text for line in lines]
    with terminal() as reporter:
        models = {
            name: load_recogniser(model, charset, reporter, texts)
            for name, model in (("A", model_a), ("B", model_b))
        }
        data = load_dataset(lines, None, skip_bad, count(reporter, "decoding", len(lines)))
        a, b = (
            Evaluation(
                data.lines,
                model.read(data.crops, progress=count(reporter, f"reading with {name}", len(data))),
                data.skipped,
            )
            for name, model in models.items()
        )
    comparison = compare_scores(a.score, b.score)
    different = only_one_reads(a, b)
    if as_json:
        print_json(
            {
                "a": {"model": model_a, **a.score.as_dict()},
                "b": {"model": model_b, **b.score.as_dict()},
                **comparison.as_dict(),
                "sentence": comparison.sentence(),
                "skipped": data.skipped,
                "only_one_reads": [crop.as_dict() for crop in different],
            }
        )
    else:
        print_comparison(console(), (model_a, model_b), (a, b), comparison, different)
