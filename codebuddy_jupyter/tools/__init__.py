"""Tools that a model, or another agent, may call: looks, which find something out about
the notebook, and proposals of code. They change nothing and run no code of the notebook.

- A look: ``look.py`` makes a tool of a function, ``notebook.py`` has those of this
  package, ``looks.py`` finds all that there are.
- A proposal: ``proposing.py`` makes and checks it, ``effects.py`` tells what it would do,
  ``proposals.py`` takes the person's decision, ``outcomes.py`` tells what became of it.
  ``question/correction.py`` compares its code with the kernel.
- The run of a proposed cell, which the person starts: ``proposed_runs.py`` notes what it
  does to variables, and ``undo.py`` undoes that.
"""
