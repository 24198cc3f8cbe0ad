"""Settings that a run file has no key for: fixed in linetune, without effect, or different."""

from __future__ import annotations

from typing import Any

from linetune.paddle_config.document import Document
from linetune.paddle_config.official import Network

_GUIDES = tuple(f"Architecture.Head.head_list.CTCHead.{part}.use_guide" for part in ("Neck", "Head"))
"""Where the heads of PP-OCR say that the CTC loss does not train the backbone."""
_NRTR_LOSS = "Loss.loss_config_list.NRTRLoss"

FIXED: dict[str, tuple[Any, ...]] = {
    "Architecture.model_type": ("rec",),
    "Architecture.algorithm": ("SVTR_LCNet", "SVTR_HGNet"),
    "Architecture.Head.name": ("MultiHead", "CTCHead"),
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
"""Settings that linetune does not let you change, and the values that mean the same as in linetune. Those of
the network come on top."""

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
"""Settings and sections that do not change what is learned."""

_IF_TRUE = {
    "Global.distributed": "linetune trains on one device; in PaddleOCR each further card adds a batch to a "
    "step",
    "Global.use_amp": "linetune trains in bf16 if the processor supports it (precision: auto)",
}
"""Switches that linetune lacks, and what linetune does instead."""

_INPUT_OUTPUT = ("DecodeImage", "MultiLabelEncode", "CTCLabelEncode", "NRTRLabelEncode", "KeepKeys")
"""Transforms that decode images, encode labels and pack both. linetune does this in its own way."""


def note_differences(document: Document, *, frozen: bool, guided: bool) -> None:
    """Note settings that both programs have and that mean something else in linetune.

    Args:
        document: the configuration.
        frozen: whether linetune freezes the backbone.
        guided: whether the stage trains with the NRTR loss.

    Raises:
        LinetuneError: the value of a setting is not valid.
    """
    _note_training(document)
    if frozen:
        document.note(
            "Architecture.Backbone.freeze",
            "PaddleOCR ignores it and trains the backbone; linetune freezes the backbone",
        )
    for key in _GUIDES:
        if document.flag(key) and not frozen:
            text = "in PaddleOCR only the NRTR loss trains the backbone; in linetune the CTC loss does too"
            document.note(key, text)
    if guided and frozen:
        text = "with a frozen backbone the guide trains only itself; nrtr_weight: 0 saves its time"
        document.note(_NRTR_LOSS, text)
    if guided:
        document.note(
            _NRTR_LOSS,
            "the guide starts from the base model's guide if the base model is a .pdparams; other files have "
            "no guide, and it starts untrained",
        )
    _note_evaluation(document)


def _note_training(document: Document) -> None:
    document.note(
        "Optimizer.lr",
        "the learning rate keeps its number and changes its meaning: in linetune it is relative to each "
        "tensor's size (unchanged for a root mean square of 0.1); linetune's default is 1e-4",
    )
    if document.has("Optimizer.regularizer"):
        factor = document.take("Optimizer.regularizer.factor")
        document.take_all("Optimizer.regularizer")
        document.take("Architecture.Head.head_list.CTCHead.Head.fc_decay")
        document.note("Optimizer.regularizer", f"linetune's Adam has no coupled L2; PaddleOCR's has {factor}")
    key = "Global.max_text_length"
    longest = document.take(key)
    document.take("Architecture.Head.head_list.NRTRHead.max_text_length")
    if longest is not None:
        document.note(
            key,
            f"PaddleOCR drops labels longer than {longest} characters; linetune trains on all labels, and "
            "reports an error if a label has more characters than its crop has frames",
        )
    for key, text in _IF_TRUE.items():
        if document.flag(key):
            document.note(key, text)
    if document.take("Global.checkpoints"):
        document.note(
            "Global.checkpoints", "linetune does not resume; the stage starts from the best model so far"
        )


def _note_evaluation(document: Document) -> None:
    key = "Eval.dataset.transforms.RecResizeImg.image_shape"
    shape = document.take(key)
    document.take_all("Eval.dataset.transforms.RecResizeImg")
    if isinstance(shape, list) and len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape):
        _, height, width = shape
        document.note(
            key,
            f"PaddleOCR's evaluation squeezes lines longer than {width / height:.2f} times their height into "
            f"{height}x{width}; in linetune each line keeps its own width, as in use",
        )
    ignores = document.flag("Metric.ignore_space", True)
    if ignores and document.flag("Global.use_space_char"):
        document.note("Metric", "PaddleOCR's accuracy ignores spaces; linetune's exact match does not")


def note_unused(document: Document, network: Network) -> list[str]:
    """Note all settings that were not taken and that linetune lacks or has with another value.

    Args:
        document: the configuration.
        network: the network of the official model that the run starts from.

    Returns:
        the keys of settings that do not change what is learned.
    """
    for split in ("Train", "Eval"):
        for operation in document.names_below(f"{split}.dataset.transforms"):
            key = f"{split}.dataset.transforms.{operation}"
            if document.take(f"{key}.img_mode") not in (None, "BGR"):
                document.note(f"{key}.img_mode", "linetune's images are always BGR, as official models need")
            if operation in _INPUT_OUTPUT:
                document.take_all(key)
            elif operation not in ("RecAug", "RecConAug", "RecResizeImg"):
                document.note(key, "linetune does not have this operation")
                document.take_all(key)
    without_effect, fixed = [], {**FIXED, **network}
    for key, value in document.unused():
        if any(key == known or key.startswith(f"{known}.") for known in NO_EFFECT):
            without_effect.append(key)
        elif key not in fixed:
            document.note(key, "linetune has no such setting")
        elif value not in fixed[key]:
            document.note(key, f"{value} in PaddleOCR, {fixed[key][0]} in linetune")
    return without_effect
