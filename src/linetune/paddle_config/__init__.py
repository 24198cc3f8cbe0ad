"""Convert PaddleOCR's recognition configurations to a run file."""

from linetune.paddle_config.chain import Conversion, convert
from linetune.paddle_config.document import Note

__all__ = ["Conversion", "Note", "convert"]
