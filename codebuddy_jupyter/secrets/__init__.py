"""Find secrets in text and redact them. Pure: does no I/O and imports no other room.

- ``redactor.py``: ``redact(text)`` for one text, ``Redactor`` for many. Start here.
- ``token_formats.py`` and ``vendor_formats.py``: the key formats of vendors. To add one,
  add a row to the table of the first.
- ``syntax_formats.py``: passwords and tokens in URLs, headers, commands and calls.
- ``assignments.py``: values of names such as ``password``; ``values.py`` tells them from
  code and words.
- ``columns.py`` and ``markup_tables.py``: columns of tables with such a name;
  ``table_lines.py`` has the lines and cells of the first.

Who sends or stores a text redacts it: ``context/fit.py`` what is told about the notebook,
``question/draft.py`` the conversation, ``tools/looks.py`` what a look has found,
``values/batch/question.py`` rows, ``providers/http/server_error.py`` error lines.

``names.py`` finds the names, ``words.py`` and ``languages.py`` judge them.
``formats.py`` searches for the tables' formats, ``private_keys.py`` finds key blocks,
``yaml_data.py`` secrets of Kubernetes, and ``escapes.py`` makes all of them work inside
reprs and JSON texts.
"""
