"""Score readings: exact match, CER, intervals, comparisons and what accepting readings gives."""
