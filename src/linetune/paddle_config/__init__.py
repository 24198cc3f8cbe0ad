"""PaddleOCR's recognition configurations, turned into a run's file."""

from linetune.paddle_config.chain import Conversion, convert
from linetune.paddle_config.document import Note

__all__ = ["Conversion", "Note", "convert"]
