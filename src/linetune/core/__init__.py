"""What everything else stands on: errors, files, text, images, labels, the processor."""
