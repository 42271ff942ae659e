"""What is sent about the notebook: which parts of it, in which words, and how much.

- ``collector.py``: all that can be sent for a question. Start here.
- ``session.py``: the cells, as this kernel ran them (``runs.py``) and as the file has them
  (``saved.py``); ``matching.py`` tells which run belongs to which cell.
- ``items.py``: the parts that can be sent, with their order in the text (``position``).
- ``snapshot.py`` ranks them: by the time of a run (``items.py``), by what a cell weighs
  besides (``weights.py``), and by the question (``relevance.py``, and ``wishes.py`` for
  outputs, errors and texts).
- ``fit.py`` chooses those for which there is room; ``envelope.py`` makes one text of them.
- ``mentions.py``, ``attached.py``, ``tables.py``: what a prompt attaches by ``@``.
- ``failure.py``, ``traceback_frames.py``, ``error_message.py``, ``error_hints.py``: the
  last error. ``outputs.py``, ``pictures.py``: what cells have shown.

Nothing here imports IPython, calls ``repr`` on an unknown object or runs user code.
"""
