"""What is sent about the notebook: which parts of it, in which words, and how much.

Nothing here imports IPython, calls ``repr`` on an unknown object or runs user code.
"""
