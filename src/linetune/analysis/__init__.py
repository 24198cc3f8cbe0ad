"""Questions about data that training answers: which labels are suspect, what more crops would give."""
