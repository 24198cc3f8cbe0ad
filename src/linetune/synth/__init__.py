"""Rendering: crops from a rule, fonts and scenes, for stages that train on rendered crops."""

from linetune.synth.generate import generate, is_current
from linetune.synth.sheet import preview

__all__ = ["generate", "is_current", "preview"]
