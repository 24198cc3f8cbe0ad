"""Crops rendered from a rule, fonts and scenes, for the stages that train on synthetic lines."""

from linetune.synth.generate import generate, is_current, preview
from linetune.synth.rule import Rule

__all__ = ["Rule", "generate", "is_current", "preview"]
