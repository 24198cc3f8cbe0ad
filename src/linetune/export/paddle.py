"""Paddle's inference folder, as ``paddleocr.TextRecognition`` loads it; needs PaddlePaddle."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linetune.core import atomic, image
from linetune.core.charset import SPACE, Charset
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.decode.read import Run
from linetune.export.formats import available
from linetune.export.parity import Exported, check_parity, sample_crops
from linetune.weights.paddle_inference import PARAMETERS, PROGRAM, SETTINGS, read_settings
from linetune.weights.store import Model


def export_paddle(model: Model, path: Path, crops: Sequence[Crop] = ()) -> Exported:
    """Write ``inference.json``, ``inference.pdiparams`` and ``inference.yml``, the dictionary in the last.

    Args:
        model: what to export.
        path: the folder; the files appear in it only when they read what the model reads.
        crops: real crops to compare on; drawn ones when there are none.

    Raises:
        LinetuneError: PaddlePaddle is missing or too old, or the files read another text.
    """
    available("paddle")
    # Read when the library is loaded: it warns of its own tracing, which the comparison below judges.
    os.environ.setdefault("GLOG_minloglevel", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from linetune.export.paddle_network import save_inference

    compared = list(crops) or sample_crops(model.charset)
    with os_errors("cannot write", path), atomic.files_written(path) as partial:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            save_inference(model.network, model.both_ways, partial / Path(PROGRAM).stem)
        if not (partial / PROGRAM).is_file():
            raise LinetuneError(
                "the PaddlePaddle here writes an older format", path, "pip install 'paddlepaddle>=3'"
            )
        atomic.write_text(partial / SETTINGS, _settings(model))
        run, charset = open_inference(partial)
        difference = check_parity(model.reader.run, run, model.charset, charset, compared, path)
    notes = (
        f"load it with paddleocr.TextRecognition(model_name={model.base_model!r}, model_dir={str(path)!r})",
        "read with batch_size=1: larger batches pad all crops to the widest, which changes some readings",
    )
    return Exported(path, len(compared), difference, notes)


def open_inference(folder: Path) -> tuple[Run, Charset]:
    """An inference folder in PaddlePaddle on one CPU, and the charset as PaddleX finds it there."""
    from paddle import inference

    config = inference.Config(str(folder / PROGRAM), str(folder / PARAMETERS))
    config.disable_gpu()
    config.disable_glog_info()
    predictor = inference.create_predictor(config)
    (source,) = predictor.get_input_names()
    (target,) = predictor.get_output_names()

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        predictor.get_input_handle(source).copy_from_cpu(batch)
        predictor.run()
        return np.asarray(predictor.get_output_handle(target).copy_to_cpu(), np.float32)

    return run, read_settings(folder).charset


def _settings(model: Model) -> str:
    """What PaddleX wants to know: the official model's name, the input, and the dictionary.

    The order of operations and their names are those of the official folders; PaddleX appends the space.
    """
    height, width = image.HEIGHT, image.MIN_WIDTH
    shapes = [
        f"[{count}, 3, {height}, {wide}]" for count, wide in ((1, 160), (1, width), (8, image.MAX_WIDTH))
    ]
    lines = [
        "Global:",
        f"  model_name: {model.base_model}",
        # For linetune alone: the program does it by itself.
        *(["  both_ways: true"] if model.both_ways else []),
        "Hpi:",
        "  backend_configs:",
        "    paddle_infer:",
        f"      trt_dynamic_shapes: &shapes {{x: [{', '.join(shapes)}]}}",
        "    tensorrt:",
        "      dynamic_shapes: *shapes",
        "PreProcess:",
        "  transform_ops:",
        "  - DecodeImage: {channel_first: false, img_mode: BGR}",
        f"  - RecResizeImg: {{image_shape: [3, {height}, {width}]}}",
        "  - KeepKeys: {keep_keys: [image]}",
        "PostProcess:",
        "  name: CTCLabelDecode",
        "  character_dict:",
        *(f"  - {_quoted(c)}" for c in model.charset.characters if c != SPACE),
    ]
    return "".join(f"{line}\n" for line in lines)


def _quoted(character: str) -> str:
    """A string that every YAML reader takes for a string, what the eye cannot tell written as its number."""
    plain = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in character)
    return f'"{"".join(plain)}"'
