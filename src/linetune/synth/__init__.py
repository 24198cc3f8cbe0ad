"""Crops rendered from a rule, fonts and scenes, for the stages that train on synthetic lines."""

from linetune.synth.generate import generate, is_current
from linetune.synth.sheet import preview

__all__ = ["generate", "is_current", "preview"]
