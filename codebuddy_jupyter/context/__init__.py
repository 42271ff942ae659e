"""What the buddy knows of the notebook: a snapshot that is right, small, visible and
safe. No room imports IPython.
"""
