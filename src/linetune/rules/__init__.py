"""What the target's texts follow: drawn from regular expressions, and proposed from labels."""

from linetune.rules.rule import Rule

__all__ = ["Rule"]
