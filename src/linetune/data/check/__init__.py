"""What is wrong with labelled crops, told with file and line before a run stumbles over it."""

from linetune.data.check.findings import Finding, Severity
from linetune.data.check.whole import Checked, check

__all__ = ["Checked", "Finding", "Severity", "check"]
