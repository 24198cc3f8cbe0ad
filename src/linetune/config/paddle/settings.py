"""What becomes of the settings that have no counterpart: the same here, without effect, or missed."""

from __future__ import annotations

from typing import Any

from linetune.config.paddle.document import Document

_NECK = "Architecture.Head.head_list.CTCHead.Neck"

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
