"""Tools that look at the notebook: what a model, or another agent, may call to find
something out, or to propose code to the user. They change nothing and run no code of the
notebook.
"""
