"""Find secrets in text and redact them. Pure: does no I/O and imports no other room.

- ``redactor.py``: ``redact(text)`` for one text, ``Redactor`` for many. Start here.
- ``vendor_formats.py``: the key formats of vendors. To add one, add a row to its table.
- ``syntax_formats.py``: passwords and tokens in URLs, headers, commands and calls.
- ``assignments.py``: values of names such as ``password``; ``words.py`` judges the names.

``formats.py`` searches for the two tables' formats, ``private_keys.py`` finds key
blocks, and ``escapes.py`` makes all of them work inside reprs and JSON texts.
"""
