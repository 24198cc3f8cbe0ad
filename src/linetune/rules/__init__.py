"""Rules: regular expressions that the texts of a task follow. Draw texts from them, or propose them from
labels."""

from linetune.rules.rule import Rule

__all__ = ["Rule"]
