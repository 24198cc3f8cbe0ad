"""Read with an ONNX file that linetune exported. This needs onnxruntime, and neither torch nor onnx."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.decode import Decoder, default_decoder
from linetune.decode.read import Run
from linetune.formats import wire
from linetune.formats.origin import VOID, records
from linetune.formats.text_order import refuse_logical_order

AGAIN = "export it again"
CUT = "cut_padding"
"""Key of the metadata: whether the graph cuts off its own padding."""


class OnnxReader:
    """An exported file in onnxruntime. What the model does, such as reading both ways up, is in its graph.

    Threads share it. A pickled reader and a forked process open the file again: a session has threads, which
    a fork does not copy.
    """

    def __init__(self, path: Path, content: wire.Content, rule: Mapping[str, Any] | None = None) -> None:
        self.path = path.absolute()
        self.metadata: Mapping[str, str] = content.metadata
        """What the exporting linetune says of the model: all that a decoder needs, next to the graph."""
        self.charset = _charset(content.metadata, path)
        self._wanted = rule
        self._records = records(content.metadata, path)
        self.lost: Sequence[str] = ()
        """``calibration`` and ``promise``, if the file has them and they do not hold for another rule."""
        if rule is not None and rule != self.rule:
            self.lost = [key for key in VOID if self._records.get(key)]
            self._records = {"rule": rule}
        self._started = os.getpid()
        self._sessions = {self._started: open_session(content.data, path)}

    @property
    def rule(self) -> Mapping[str, Any]:
        """The rule that it reads by. Empty if there is none."""
        return self._records.get("rule", {})

    @property
    def promise(self) -> Mapping[str, Any]:
        """The promise that decides which readings are accepted. Empty if there is none."""
        return self._records.get("promise", {})

    @property
    def decoder(self) -> Decoder:
        """Turns the class probabilities of this model into readings."""
        calibration = self._records.get("calibration")
        return default_decoder(self.charset, rule=self.rule, calibration=calibration, promise=self.promise)

    @property
    def reads_both_ways(self) -> bool:
        """Whether the graph reads every crop both ways up."""
        return self.metadata.get("both_ways") == "true"

    @property
    def has_free_shape(self) -> bool:
        """Whether the file reads any number of lines of any width."""
        shape = self._session.get_inputs()[0].shape
        return not any(isinstance(side, int) for side in (shape[0], shape[-1]))

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return class probabilities (batch, frames, classes) of packed images (batch, 3, 48, width).

        Raises:
            LinetuneError: the graph cannot compute them.
        """
        run = by_cut_width(self._run) if self.metadata.get(CUT) == "true" else self._run
        return run(batch)

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        session = self._session
        try:
            (out,) = session.run(None, {session.get_inputs()[0].name: batch})
        except Exception as error:  # onnxruntime has a type for each of its statuses, none of them public
            what = f"onnxruntime cannot compute it ({_first_line(error)})"
            raise LinetuneError(what, self.path, AGAIN) from None
        expected = (len(batch), image.frames(batch.shape[3]), self.charset.classes)
        if getattr(out, "shape", None) != expected:
            what = f"its output has the shape {getattr(out, 'shape', None)}, not {expected}"
            raise LinetuneError(what, self.path, AGAIN)
        return np.asarray(out, np.float32)

    @property
    def _session(self) -> Any:
        process = os.getpid()
        if process not in self._sessions:
            data = wire.read(self.path).data
            # Other forked processes use the other cores. The session of the parent stays: closing it would
            # wait for its threads, which are not here.
            self._sessions.setdefault(process, open_session(data, self.path, threads=1))
        return self._sessions[process]

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.path, self._wanted)


def open_reader(path: Path, rule: Mapping[str, Any] | None = None) -> OnnxReader | None:
    """Open a file that linetune exported for reading.

    Args:
        path: the file.
        rule: the rule to read by, in place of that in the file. An empty one means none.

    Returns:
        The reader. None if linetune did not export the file, or if it accepts only one shape: the lines of
        most crops would be squashed.

    Raises:
        LinetuneError: the file is missing, damaged, or of an early linetune.
    """
    content = wire.read(path)
    if "linetune" not in content.metadata or "character" not in content.metadata:
        return None
    reader = OnnxReader(path, content, rule)
    return reader if reader.has_free_shape else None


def by_cut_width(run: Run) -> Run:
    """Return a run for a graph that cuts off the padding of its batches (:mod:`linetune.models.cut_padding`).

    What the graph cuts off depends on the widest line of a batch. Only lines that leave the same width go
    through it together. A text then depends on its crop alone.
    """

    def grouped(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        lines = (np.abs(batch).max((1, 2)) > 0).sum(1)
        widths = np.array([image.cut_width(int(line)) for line in lines])
        groups = [np.flatnonzero(widths == width) for width in np.unique(widths)]
        out = np.concatenate([run(batch[members]) for members in groups])
        return np.asarray(out[np.argsort(np.concatenate(groups))])

    return grouped


def open_session(data: bytes, where: object, threads: int = 0) -> Any:
    """Open the content of an ONNX file in onnxruntime.

    Args:
        data: the content, checked by :func:`linetune.formats.wire.read` if it is a stranger's.
        where: the file, for messages.
        threads: threads of one operator. 0 means one for each core.

    Raises:
        LinetuneError: onnxruntime cannot open it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        if len(session.get_inputs()) != 1 or len(session.get_inputs()[0].shape) != 4:
            raise ValueError("its input is not one batch of images")
    except Exception as error:  # onnxruntime has a type for each of its statuses, none of them public
        raise LinetuneError(f"onnxruntime cannot open it ({_first_line(error)})", where, AGAIN) from None
    return session


def _charset(metadata: Mapping[str, str], path: Path) -> Charset:
    """Return the charset of an exported file.

    Its dictionary does not say whether the model has a class for the space. The hash does.

    Raises:
        LinetuneError: the dictionary is damaged, or of an early linetune in the wrong order.
    """
    try:
        charset = Charset.from_dictionary(metadata["character"].split("\n"))
    except LinetuneError as error:
        raise error.at(path) from None
    wanted = metadata.get("charset_sha256", charset.sha256)
    if wanted != charset.sha256 and len(charset) > 1:
        charset = Charset(charset.characters[:-1])
    if wanted != charset.sha256:
        raise LinetuneError("the dictionary in the file does not match its hash", path, AGAIN)
    refuse_logical_order(charset, metadata, path)
    return charset


def _opened(path: Path, rule: Mapping[str, Any] | None) -> OnnxReader:
    return OnnxReader(path, wire.read(path), rule)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
