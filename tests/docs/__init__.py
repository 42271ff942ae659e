"""The parts of the documents that are made, not written:

``python -m tests.docs [settings] [pictures]``.
"""
