"""Tools that look at the notebook: what a model, or another agent, may call to find
something out. They change nothing and run no code of the notebook.
"""
