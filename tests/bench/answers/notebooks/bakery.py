"""Tables: what the branches of a bakery sold."""

from __future__ import annotations

import random

from ..question import Notebook, Question

BRANCHES = ("Harbour", "Old Town", "Station")
PRICES = {"rye bread": 4.2, "roll": 0.6, "cheesecake": 3.1, "pretzel": 1.1}


def sales_csv() -> str:
    """Return 60 lines of sales; some have no cashier."""
    chance = random.Random(3)
    lines = ["day,Branch,item,Unit price,qty,cashier"]
    for number in range(60):
        item = chance.choice(sorted(PRICES))
        cashier = chance.choice(["Ada", "Bo", "Cem", ""])
        lines.append(
            f"2026-03-{1 + number // 5:02},{chance.choice(BRANCHES)},{item},"
            f"{PRICES[item]},{chance.randint(1, 40)},{cashier}"
        )
    return "\n".join(lines) + "\n"


BAKERY = Notebook(
    "bakery",
    """\
# %%
import pandas as pd
import numpy as np
# %%
sales = pd.read_csv("sales.csv", parse_dates=["day"])
sales.head()
# %%
sales.dtypes
# %%
sales["revenue"] = sales["Unit price"] * sales["qty"]
# %%
targets = pd.DataFrame(
    {"goal": [900, 700, 1100], "manager": ["Lin", "Omar", "Petra"]},
    index=pd.Index(["Harbour", "Old Town", "Station"], name="Branch"),
)
targets
# %%
per_day = sales.groupby("day")["revenue"].sum()
per_day.tail()
# %%
sales["cashier"].isna().sum()
# %%
wide = sales.pivot_table(index="Branch", columns="item", values="qty", aggfunc="sum")
wide
# %%
def vat(amount, rate=0.07):
    return amount - amount / (1 + rate)
# %%
big = sales[sales["qty"] >= 30].sort_values("qty", ascending=False)
print(len(big), "large sales")
""",
    (
        Question(
            "revenue_by_branch",
            "total revenue per branch, biggest first",
            'sales.groupby("Branch")["revenue"].sum().sort_values(ascending=False)',
            wrong=(
                'sales.groupby("Branch")["qty"].sum().sort_values(ascending=False)',
                'sales.groupby("branch")["revenue"].sum()',
            ),
            also=(
                'result = sales.groupby("Branch")["revenue"].sum()\n'
                "result.sort_values(ascending=False)",
            ),
            loose=(
                'sales.groupby("Branch")["revenue"].sum()',
                'print(sales.groupby("Branch")["revenue"].sum().sort_values(ascending=False))',
                'sales.groupby("Branch", as_index=False)["revenue"].sum()'
                '.sort_values("revenue", ascending=False)',
            ),
            ordered=True,
        ),
        Question(
            "best_item",
            "Which item brought in the most money overall? Just its name please.",
            'sales.groupby("item")["revenue"].sum().idxmax()',
            wrong=(
                'sales.groupby("item")["qty"].sum().idxmax()',
                'sales.groupby("item")["revenue"].sum().max()',
            ),
            also=('sales.groupby("item")["revenue"].sum().sort_values().index[-1]',),
            loose=('print(sales.groupby("item")["revenue"].sum().idxmax())',),
        ),
        Question(
            "share_without_cashier",
            "what percentage of the rows has no cashier?",
            'sales["cashier"].isna().mean() * 100',
            wrong=('sales["cashier"].isna().mean()', 'sales["cashier"].isna().sum()'),
            also=('sales["cashier"].isna().sum() / len(sales) * 100',),
            loose=('print(f"{sales.cashier.isna().mean() * 100:.2f} %")',),
        ),
        Question(
            "missed_goal",
            "list the branches whose revenue stays below their goal",
            'revenue = sales.groupby("Branch")["revenue"].sum()\n'
            'revenue[revenue < targets["goal"]].index.tolist()',
            wrong=(
                'revenue = sales.groupby("Branch")["revenue"].sum()\n'
                'revenue[revenue > targets["goal"]].index.tolist()',
                'targets[targets["goal"] < 1000].index.tolist()',
            ),
            also=(
                'revenue = sales.groupby("Branch")["revenue"].sum()\n'
                'both = targets.join(revenue)\nboth.index[both["revenue"] < both["goal"]]',
            ),
            loose=(
                'revenue = sales.groupby("Branch")["revenue"].sum()\n'
                'print(revenue[revenue < targets["goal"]].index.tolist())',
            ),
        ),
        Question(
            "top_rows",
            "show me the 5 rows with the highest revenue",
            'sales.nlargest(5, "revenue")',
            wrong=('sales.nlargest(5, "qty")', "sales.head(5)"),
            also=('sales.sort_values("revenue", ascending=False).head(5)',),
            loose=('print(sales.nlargest(5, "revenue").to_string())',),
        ),
        Question(
            "mean_qty_cross",
            "table with mean qty: one row per branch, one column per item",
            'sales.pivot_table(index="Branch", columns="item", values="qty", aggfunc="mean")',
            wrong=(
                "wide",
                'sales.pivot_table(index="item", columns="Branch", values="revenue")',
            ),
            also=('sales.groupby(["Branch", "item"])["qty"].mean().unstack()',),
            loose=(
                'sales.pivot_table(index="Branch", columns="item", values="qty", '
                'aggfunc="mean").reset_index()',
            ),
        ),
        Question(
            "vat_column",
            "add a column vat to sales with the vat of the revenue (I have a function for that)",
            'sales["vat"] = vat(sales["revenue"])\nsales["vat"]',
            wrong=(
                'sales["vat"] = sales["revenue"] * 0.07',
                'sales["vat"] = vat(sales["qty"])',
                'sales["VAT"] = vat(sales["revenue"])',
            ),
            also=('sales["vat"] = sales["revenue"].apply(vat)',),
            calls=('sales["vat"]',),
        ),
        Question(
            "rename_lower",
            "make all column names of sales lower case with underscores instead of blanks, "
            "store the result as tidy",
            'tidy = sales.rename(columns=lambda c: c.lower().replace(" ", "_"))',
            wrong=(
                "tidy = sales.rename(columns=str.lower)",
                "tidy = sales",
            ),
            also=(
                "tidy = sales.copy()\n"
                'tidy.columns = tidy.columns.str.lower().str.replace(" ", "_")',
            ),
            calls=("list(tidy.columns)", "len(tidy)"),
        ),
    ),
    files={"sales.csv": sales_csv()},
)
