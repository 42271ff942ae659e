"""The generated parts of the documents, written by ``python -m tests.docs``."""
