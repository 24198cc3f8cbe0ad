"""Renders crops: texts of a rule, drawn in fonts, on surfaces, with the looks of real crops."""

from linetune.synth.generate import generate, is_current
from linetune.synth.sheet import preview

__all__ = ["generate", "is_current", "preview"]
