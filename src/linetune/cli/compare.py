"""``linetune compare``"""

from __future__ import annotations

from linetune.cli import options


def compare(
    model_a: options.ModelAArgument,
    model_b: options.ModelBArgument,
    labels: options.LabelsArgument,
    charset: options.LabelsCharsetOption = None,
    skip_bad: options.SkipBadOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Compare two models on the same crops: is one better, or is it chance?

    Prints both scores, the difference with its 95% interval, the result of McNemar's test, and the crops that
    only one of the models reads right.

    Example: linetune compare PP-OCRv6_small_rec mine/runs/first mine/crops/test.txt
    """
    from linetune.evaluation.comparison import compare as compare_scores
    from linetune.evaluation.result import only_one_reads
    from linetune.report.evaluation import print_comparison
    from linetune.report.terminal import console

    models = {"reading with A": model_a, "reading with B": model_b}
    data, (a, b) = options.evaluate_models(models, labels, charset, skip_bad, quiet=quiet)
    comparison = compare_scores(a.score, b.score)
    different = only_one_reads(a, b)
    if as_json:
        options.print_json(
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
