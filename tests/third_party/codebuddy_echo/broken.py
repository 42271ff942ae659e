"""A module that cannot be imported."""

raise RuntimeError("two lines\nof trouble")
