"""PaddleOCR's recognition configurations, turned into a run's file."""

from linetune.config.paddle.chain import Conversion, convert
from linetune.config.paddle.document import Note

__all__ = ["Conversion", "Note", "convert"]
