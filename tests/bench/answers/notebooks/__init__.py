"""The notebooks, and what is asked about them."""

from __future__ import annotations

from ..question import Notebook, Question
from .bakery import BAKERY
from .clinic import CLINIC
from .harbour import HARBOUR
from .library import LIBRARY
from .marathon import MARATHON
from .stations import STATIONS
from .tickets import TICKETS
from .workshop import WORKSHOP

NOTEBOOKS: tuple[Notebook, ...] = (
    BAKERY,
    STATIONS,
    LIBRARY,
    MARATHON,
    HARBOUR,
    TICKETS,
    WORKSHOP,
    CLINIC,
)


def find(notebook: str, question: str) -> tuple[Notebook, Question]:
    """Return a notebook and one of its questions by their names."""
    (found,) = [one for one in NOTEBOOKS if one.name == notebook]
    (asked,) = [one for one in found.questions if one.name == question]
    return found, asked
