"""The IPython extension: its door, the magics, and what they do to the shell."""
