"""Show replies and reports in an output cell or a terminal, and write conversations to
files.
"""
