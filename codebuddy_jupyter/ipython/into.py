"""``%%buddy --into NAME TYPE``: the type is looked up in the notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..question.options import Options
from ..values.short_form import record_of
from ..values.type_text import check_name, resolve


def with_type(options: Options, names: Mapping[str, Any]) -> Options:
    """Return the options with the type that the line named as text, if it did.

    Parameters
    ----------
    options
        The options as they were read.
    names
        The variables of the notebook.

    Raises
    ------
    SettingError
        If the name is no name of a variable, or the text is no type.
    """
    if not options.variable:
        return options
    check_name(options.variable)
    into = resolve(str(options.into), names)
    if isinstance(into, str):
        # Its fields can be of the notebook's types, too.
        into = record_of(into, names)
    return replace(options, into=into)
