"""Settings without a place in a run's file: what means something else here, what is fixed, what is missed."""

from __future__ import annotations

from typing import Any

from linetune.paddle_config.document import Document

_NECK = "Architecture.Head.head_list.CTCHead.Neck"
_GUIDE = f"{_NECK}.use_guide"
_NRTR_LOSS = "Loss.loss_config_list.NRTRLoss"

SAME: dict[str, tuple[Any, ...]] = {
    "Architecture.model_type": ("rec",),
    "Architecture.algorithm": ("SVTR_LCNet", "SVTR_HGNet"),
    "Architecture.Backbone.name": ("PPLCNetV3",),
    "Architecture.Backbone.scale": (0.95,),
    "Architecture.Head.name": ("MultiHead", "CTCHead"),
    f"{_NECK}.name": ("svtr",),
    f"{_NECK}.dims": (120,),
    f"{_NECK}.depth": (2,),
    f"{_NECK}.hidden_dims": (120,),
    f"{_NECK}.kernel_size": ([1, 3],),
    "Architecture.Head.head_list.NRTRHead.nrtr_dim": (384,),
    "Loss.name": ("MultiLoss", "CTCLoss"),
    "Loss.weight_1": (1,),
    "Metric.name": ("RecMetric",),
    "Metric.main_indicator": ("acc",),
    "Optimizer.name": ("Adam",),
    "Optimizer.beta1": (0.9,),
    "Optimizer.beta2": (0.999,),
    "Optimizer.lr.name": ("Cosine",),
    "PostProcess.name": ("CTCLabelDecode",),
    "Train.dataset.ds_width": (False,),
    "Train.dataset.ratio_list": (1, [1]),
    "Eval.dataset.ratio_list": (1, [1]),
    "Train.loader.shuffle": (True,),
    "Train.sampler.name": ("MultiScaleSampler",),
}
"""Settings that linetune has fixed, and the values that mean the same as there."""

NO_EFFECT = (
    "Global.cal_metric_during_train",
    "Global.d2s_train_image_shape",
    "Global.debug",
    "Global.infer_img",
    "Global.infer_mode",
    "Global.log_smooth_window",
    "Global.model_name",
    "Global.print_batch_step",
    "Global.save_epoch_step",
    "Global.save_inference_dir",
    "Global.save_res_path",
    "Global.use_visualdl",
    "Global.use_wandb",
    "Train.dataset.ext_op_transform_idx",
    "Train.loader.num_workers",
    "Train.loader.use_shared_memory",
    "Train.sampler.divided_factor",
    "Train.sampler.is_training",
    "Eval.loader",
)
"""Settings, or sections of them, that do not change what is learned."""

PLUMBING = ("DecodeImage", "MultiLabelEncode", "CTCLabelEncode", "NRTRLabelEncode", "KeepKeys")
"""Transforms that decode, encode and pack; every trainer does so in its own way."""


def note_changes(document: Document, *, frozen: bool, guided: bool) -> None:
    """Note the settings that both have and that mean something else here.

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


def account_for_the_rest(document: Document) -> list[str]:
    """Note every setting that nobody took and that is another here; returns those without effect."""
    for split in ("Train", "Eval"):
        for operation in document.below(f"{split}.dataset.transforms"):
            key = f"{split}.dataset.transforms.{operation}"
            if document.take(f"{key}.img_mode") not in (None, "BGR"):
                document.note(f"{key}.img_mode", "images are always BGR here, as the official weights want")
            if operation not in (*PLUMBING, "RecAug", "RecConAug", "RecResizeImg"):
                document.note(key, "linetune does not have this operation")
                document.take_below(key)
            elif operation in PLUMBING:
                document.take_below(key)
    idle = []
    for key, value in document.left():
        if any(key == known or key.startswith(f"{known}.") for known in NO_EFFECT):
            idle.append(key)
        elif key not in SAME:
            document.note(key, "linetune has no such setting")
        elif value not in SAME[key]:
            document.note(key, f"{value} there, {SAME[key][0]} here")
    return idle
