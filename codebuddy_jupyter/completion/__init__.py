"""Completion while typing: what a model would write at the cursor of a cell."""
