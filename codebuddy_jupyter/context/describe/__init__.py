'''Describe variables: what each one is and how large, and its values only on request.

A description computes nothing over the data, starts nothing lazy, runs no code of an
unknown type, and never raises.

To describe another type, add a function and a row in the module of its library, for
example in ``frames.py``:

    def describe_report(report: Any, with_values: bool) -> str:
        """Describe a report of the library."""
        return "\\n".join(["library.Report", *fields(report.names, report.types)])

    DESCRIBERS = (..., Describer("library:Report", describe_report))

``text.py`` has what descriptions are made of. ``types.py`` reads objects whose own code
must not run. ``describers.py`` chooses the describer, and ``user_code.py`` runs those
that users register.
'''

from .describers import BUILT_IN, Describers

__all__ = ["BUILT_IN", "Describers"]
