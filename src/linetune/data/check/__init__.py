"""Check labels and crops before a run trains on them. Every finding names a file and line."""

from linetune.data.check.checker import CheckResult, Expected, check
from linetune.data.check.findings import Finding, Severity

__all__ = ["CheckResult", "Expected", "Finding", "Severity", "check"]
