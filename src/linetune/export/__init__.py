"""Models as other programs load them, each checked against the trained one."""
