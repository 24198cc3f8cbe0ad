"""Settings that both have and that mean something else here."""

from __future__ import annotations

from linetune.config.paddle.document import Document

_GUIDE = "Architecture.Head.head_list.CTCHead.Neck.use_guide"
_NRTR_LOSS = "Loss.loss_config_list.NRTRLoss"


def note_changes(document: Document, *, frozen: bool, guided: bool) -> None:
    """Note them all.

    Args:
        document: the configuration.
        frozen: whether its backbone is frozen here.
        guided: whether it trains with the NRTR loss.

    Raises:
        LinetuneError: a setting has no sensible value.
    """
    _note_training(document)
    if frozen:
        document.note(
            "Architecture.Backbone.freeze",
            "PaddleOCR ignores it and trains the backbone all the same; here the backbone is frozen",
        )
    if document.flag(_GUIDE) and not frozen:
        document.note(_GUIDE, "there only the NRTR loss trains the backbone; here the CTC loss does too")
    if guided and frozen:
        document.note(
            _NRTR_LOSS,
            "with a frozen backbone the guide trains nothing but itself; nrtr_weight: 0 spares its time",
        )
    if guided:
        document.note(
            _NRTR_LOSS,
            "the guide starts from the base model's only if that is a .pdparams; others carry none, and it "
            "starts untrained",
        )
    _note_evaluation(document)


def _note_training(document: Document) -> None:
    document.note(
        "Optimizer.lr",
        "the learning rate keeps its number and changes its meaning: here it is relative to each tensor's "
        "size (as given where the root mean square is 0.1); 1e-4 is linetune's own",
    )
    if document.has("Optimizer.regularizer"):
        factor = document.take("Optimizer.regularizer.factor")
        document.take_below("Optimizer.regularizer")
        document.take("Architecture.Head.head_list.CTCHead.Head.fc_decay")
        document.note("Optimizer.regularizer", f"Adam has no coupled L2 here, {factor} there")
    key = "Global.max_text_length"
    longest = document.take(key)
    document.take("Architecture.Head.head_list.NRTRHead.max_text_length")
    if longest is not None:
        document.note(
            key,
            f"labels longer than {longest} characters were dropped there; here every label trains, and one "
            "with more characters than its crop has frames is an error",
        )
    if document.flag("Global.distributed"):
        document.note(
            "Global.distributed",
            "one device trains here; with several cards there, a step saw as many times the batch",
        )
    if document.flag("Global.use_amp"):
        document.note(
            "Global.use_amp", "precision: auto takes bf16 or fp16 here where the processor is faster with it"
        )
    if document.take("Global.checkpoints"):
        document.note("Global.checkpoints", "nothing is resumed here; the stage starts from the one before")


def _note_evaluation(document: Document) -> None:
    key = "Eval.dataset.transforms.RecResizeImg.image_shape"
    shape = document.take(key)
    document.take_below("Eval.dataset.transforms.RecResizeImg")
    if isinstance(shape, list) and len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape):
        _, height, width = shape
        document.note(
            key,
            f"evaluation squashed lines longer than {width / height:.2f} times their height into "
            f"{height}x{width}; here each keeps its own width, as when deployed",
        )
    ignores = document.flag("Metric.ignore_space", True)
    if ignores and document.flag("Global.use_space_char"):
        document.note("Metric", "accuracy ignored spaces there; here they count")
