"""The IPython extension: the magics, and the line that is typed after them."""
