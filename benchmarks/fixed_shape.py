"""Does a file of one input shape read in OpenCV's DNN what the model reads at that shape?

    python benchmarks/fixed_shape.py MODEL LABELS [--shape 1x320] [--both-ways]

OpenCV 5 takes other files than OpenCV 4: `make .interop/opencv4/ready` makes an environment with 4.12, whose
python runs this as well.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.labelfile import read_labels
from linetune.decode.read import read_crops
from linetune.formats.onnx_file import export as export_onnx
from linetune.formats.onnx_file import open_onnx
from linetune.formats.onnx_shape import Shape
from linetune.recogniser import Recogniser


def main() -> None:
    """Print the largest difference of a probability, and of how many crops the texts are equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("labels", type=Path)
    parser.add_argument("--shape", default="1x320", type=Shape.parse)
    parser.add_argument("--both-ways", action="store_true")
    options = parser.parse_args()
    shape: Shape = options.shape
    model = Recogniser.load(options.model, both_ways=options.both_ways).model
    crops = [shape.fit(image.read(line.image)) for line in read_labels(options.labels)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fixed.onnx")
        export_onnx(model, path, crops[:12], shape)
        runtimes = {"onnxruntime": open_onnx(path)[0]}
        network = cv2.dnn.readNetFromONNX(str(path))

        def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            network.setInput(batch)
            return np.array(network.forward(), np.float32)

        runtimes[f"OpenCV {cv2.__version__}"] = run
        own = shape.at_width(model.reader.run)
        expected = [each.text for each in read_crops(own, crops, model.decoder)]
        for name, runtime in runtimes.items():
            fixed = shape.at_width(shape.in_batches(runtime))
            read = [each.text for each in read_crops(fixed, crops, model.decoder)]
            inputs = image.pack(crops[:64], shape.width)
            difference = np.abs(fixed(inputs) - own(inputs)).max()
            equal = sum(a == b for a, b in zip(read, expected, strict=True))
            print(f"{name}: {equal} of {len(crops)} texts equal, probabilities within {difference:.1e}")


if __name__ == "__main__":
    main()
