"""The run file: its sections, and how to read, check and write it."""

from linetune.config.load import load, save
from linetune.config.schema import Augment, Config, Data, Pattern, Stage, Synth

__all__ = ["Augment", "Config", "Data", "Pattern", "Stage", "Synth", "load", "save"]
