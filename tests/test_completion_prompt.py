"""What a model is sent to complete code."""

from __future__ import annotations

from itertools import takewhile

import pytest

from codebuddy_jupyter.completion.prompt import (
    MOST_AFTER,
    MOST_BEFORE,
    MOST_EARLIER,
    MOST_SCHEMA,
    CodeAround,
    build_prompt,
    names_to_describe,
)

SALES = "pandas.DataFrame 3 rows x 2 columns; columns: 'Region' str, 'Units' int64"


def test_earlier_cells_come_first_and_the_schema_right_before_its_statement() -> None:
    around = CodeAround(
        "x = 1\ny = sales.",
        "\nprint(y)",
        ["import pandas as pd", "sales = pd.read_csv('s.csv')"],
        {"sales": SALES},
    )
    before, after = build_prompt(around)
    assert before == (
        "import pandas as pd\n\nsales = pd.read_csv('s.csv')\n\n"
        f"x = 1\n# sales: {SALES}\ny = sales."
    )
    assert after == "\nprint(y)"


def test_magics_are_left_out() -> None:
    around = CodeAround("x", "", ["%matplotlib inline\n!ls", "%time\ny = 1"])
    assert build_prompt(around)[0] == "y = 1\n\nx"


def test_a_name_is_told_once_and_not_while_it_may_be_half_typed() -> None:
    schemas = {"sales": SALES}
    assert build_prompt(CodeAround("y = sales", "", (), schemas))[0] == "y = sales"
    before, _ = build_prompt(CodeAround("a = sales.x\nb = sales.", "", (), schemas))
    assert before == f"# sales: {SALES}\na = sales.x\nb = sales."


def test_an_attribute_is_no_variable() -> None:
    assert (
        "# Units"
        not in build_prompt(CodeAround("x.Units + ", "", (), {"Units": "int"}))[0]
    )


def test_what_the_cell_sets_anew_is_not_told() -> None:
    code = "sales = sales.dropna()\nsales."
    before, _ = build_prompt(CodeAround(code, "", (), {"sales": SALES}))
    assert before == f"# sales: {SALES}\n{code}"
    code = "sales = load()\nsales."
    assert build_prompt(CodeAround(code, "", (), {"sales": SALES}))[0] == code


def test_the_schema_has_the_indent_of_the_statement() -> None:
    before, _ = build_prompt(
        CodeAround("for x in y:\n    sales[", "", (), {"sales": SALES})
    )
    assert before == f"for x in y:\n    # sales: {SALES}\n    sales["


def test_the_prompt_is_small_however_much_there_is() -> None:
    long = "".join(f"value_{number} = {number}\n" for number in range(5_000))
    wide = "columns: " + "x" * 5_000
    around = CodeAround(long + "sales.", long, [long] * 50, {"sales": wide})
    before, after = build_prompt(around)
    assert before.endswith("sales.")
    assert len(before) <= MOST_EARLIER + MOST_BEFORE + MOST_SCHEMA + 10
    assert 0 < len(after) <= MOST_AFTER


def test_a_cell_in_one_line_is_cut_as_well() -> None:
    before, after = build_prompt(CodeAround("x" * 9_000, "y" * 9_000))
    assert len(before) <= MOST_BEFORE
    assert len(after) == MOST_AFTER


def test_the_latest_cells_go_first_into_the_room() -> None:
    cells = ["first = 1" + " " * 700 + "# end", "second = 2", "third = 3"]
    before, _ = build_prompt(CodeAround("x", "", cells))
    assert before.startswith("first")
    before, _ = build_prompt(CodeAround("x", "", [*cells, "y = 1  # " + "long" * 30]))
    assert before.startswith("second = 2\n\nthird = 3\n\ny = 1")


CELL = (
    "import numpy as np\n"
    "totals = sales.groupby('Region')['Units'].sum()\n"
    "for region in totals.index:\n"
    "    print(region, totals[region])\n"
    "best = totals.idxmax()\n"
) * 6


@pytest.mark.parametrize(
    "after", ["", "\nprint('end')\n"], ids=["at the end", "inside"]
)
def test_typing_on_changes_little_but_the_end(after: str) -> None:
    schemas = {"sales": SALES, "totals": "pandas.Series 3 rows; int64", "np": "x"}
    earlier = ["import pandas as pd", "sales = pd.read_csv('s.csv')"]
    changed = []
    previous = ""
    for length in range(1, len(CELL)):
        before, _ = build_prompt(CodeAround(CELL[:length], after, earlier, schemas))
        pairs = zip(previous, before, strict=False)
        same = takewhile(lambda pair: pair[0] == pair[1], pairs)
        changed.append(len(before) - len(list(same)))
        previous = before
    # The first prompt, and a few steps in which the start of the cell moves.
    assert sum(size > 250 for size in changed) <= 4
    assert sum(changed) / len(changed) < 30


def test_names_are_described_the_nearest_first() -> None:
    assert names_to_describe("a = b\nc.d(a") == ["c", "b", "a"]
