"""Questions of users about the notebooks beside this file, with the facts they need."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

# Cells that were changed since they ran: the source that was run, by the cell's id.
EARLIER: Mapping[str, str] = {
    "10eb8f27": "RELEASE = dt.datetime(2026, 3, 9, 11, 0)\nSLOW_MS = 500",
}


@dataclass(frozen=True)
class Question:
    """A question about a notebook, and the facts that its answer is based on.

    Each fact is a regular expression.
    """

    notebook: str
    text: str
    facts: tuple[str, ...]

    def missing(self, prompt: str) -> list[str]:
        """Return the facts that are not in a prompt."""
        return [fact for fact in self.facts if not re.search(fact, prompt)]


def code(*lines: str) -> tuple[str, ...]:
    """Return facts that are in the notebook word for word."""
    return tuple(re.escape(line) for line in lines)


def cells_of(notebook: str) -> list[dict[str, Any]]:
    """Return the cells as they are saved, each source joined to one text."""
    saved = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))
    return [{**cell, "source": "".join(cell["source"])} for cell in saved["cells"]]


def as_run(notebook: str) -> list[tuple[str, str]]:
    """Return the id and source of each cell that was run, in the order of the runs."""
    ran = [cell for cell in cells_of(notebook) if cell.get("execution_count")]
    ran.sort(key=lambda cell: int(cell["execution_count"]))
    return [(cell["id"], EARLIER.get(cell["id"], cell["source"])) for cell in ran]


_FACTS_BY_NOTEBOOK: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # pandas; the cells ran from top to bottom
    "sales_merge": {
        "why is df empty after the merge?": (
            *code('orders_clean.merge(clients, on="client_id", how="inner")'),
            # an order with its client's id, which is a plain number there
            r"\b10\d\d\d\s+\d\d?\b",
            r"\bC-00\d\d\b",
            r"\bdf\b.*\b0 rows",
        ),
        "does amount include the VAT?": code(
            "**gross** amounts", 'kept["amount"] / (1 + VAT)'
        ),
        "what does clean() return?": code(
            'frame[frame["status"] != "cancelled"].copy()',
            'kept["amount_net"] =',
            'kept["month"] =',
            "return kept",
        ),
        "which rate do we take off for VAT?": code("VAT = 0.19"),
        "plot the net revenue per month": (
            *code(
                'monthly = orders_clean.groupby("month")["amount_net"].agg(["sum", "count"])'
            ),
            r"monthly\b.*DataFrame",
            r"\bsum\W+float64",
            r"(?i)period",
        ),
    },
    # pandas and matplotlib; more than 50 cells
    "energy_series": {
        "what is ALPHA, and where is it used?": code(
            "ALPHA = 2.5", "penalty = ALPHA * np.eye(A.shape[1])"
        ),
        "why does load_kw still have missing values after interpolate?": (
            *code(
                'outage = slice("2025-06-14", "2025-06-17")',
                'readings["load_kw"].interpolate(limit=4)',
            ),
            r"\b188\b",
        ),
        "which columns does X have, in which order?": (
            *code('columns = [name for name in data.columns if name != "target"]'),
            r"lag_day\W+float64\W+lag_week\W+float64\W+temp\W+float64",
            r"\bX\b.*12,?342\W+7\b",
        ),
        "when was the highest load of the year?": code(
            "2025-12-25 18:30", 'readings["load_kw"].idxmax()'
        ),
        "does the forecast reach the transformer's rating?": (
            *code("RATING_KW = 315", "margin = RATING_KW - forecast.max()"),
            r"\b8\.2\b",
        ),
    },
    # scikit-learn; the last cell failed
    "churn_classifier": {
        "why does fit fail?": (
            *code(
                "Input X contains NaN",
                "simple.fit(X_train, y_train)",
                '("numbers", StandardScaler(), NUMERIC)',
            ),
            r"age\W+60|60, replace=False\), \"age\"\] = np\.nan",
        ),
        "what did I set max_depth to?": code("max_depth=6"),
        "which threshold is the cheapest, and what does a voucher cost?": (
            *code(
                "VOUCHER, LOSS = 15, 180", "best_threshold = min(costs, key=costs.get)"
            ),
            r"float64\(0\.\d+\)",
        ),
        "which feature matters most to the forest?": (
            r"numbers__visits_90d\s+0\.4\d+",
        ),
        "how many members leave, and is the split stratified?": (
            r"0\.248",
            *code("stratify=y"),
        ),
    },
    # polars; cells ran out of order, one was changed since, one was never run
    "web_logs": {
        "with which SLOW_MS was slow computed?": code(
            "SLOW_MS = 500",
            "SLOW_MS = 800",
            'after.filter(pl.col("took_ms") > SLOW_MS)',
        ),
        "which type does took_ms have?": (r"took_ms\W+Int32",),
        "why is budget not defined?": (
            *code('budget = {"availability": 0.995'),
            r"not run",
        ),
        "which page got slower after the release?": (
            r"/api/stock\W+385\W+307",
            r"/api/items\W+595\W+97",
            *code("RELEASE = dt.datetime(2026, 3, 9, 11, 0)"),
        ),
        "what does percentiles() give back?": code(
            'pl.col("took_ms").quantile(0.99).alias("p99")',
            '.sort("p95", descending=True)',
        ),
    },
    # DuckDB
    "warehouse_sql": {
        "which columns does the table movements have?": (
            r"movement_id\W+BIGINT",
            r"moved_at\W+TIMESTAMP",
            r"operator\W+VARCHAR",
        ),
        "why does the query with qty not work?": (
            *code("SELECT sku, sum(qty) FROM stock"),
            r"\"qty\" not found",
            r"quantity",
        ),
        "how much do we lose in the next two days?": (
            r"330574\.2",
            *code("soon = expiring(2)"),
        ),
        "why is the reorder list empty?": (
            *code("MIN_DAYS_COVER = 5", "WHERE held / per_day <"),
            r"reorder\b.*\b0 rows",
        ),
        "how many days of safety does expiring() take?": code(
            "SAFETY_DAYS = 3", "[SAFETY_DAYS, days]"
        ),
    },
    # numpy; the last cell failed
    "epidemic_simulation": {
        "why does the last cell fail?": (
            *code(
                "size 300 is different from 192",
                "absent[:, outbreak] @ np.ones(RUNS)",
                "RUNS = 300",
            ),
            r"absent\b.*121\W+300",
        ),
        "what shape does simulate() give?": (
            *code("(days + 1, runs, 4)", "return np.stack(history)"),
            r"\(121, 300, 4\)",
        ),
        "how is r0 computed, and what is it for flu?": (
            *code(
                "return self.beta * self.infectious_days",
                "infectious_days: float = 5.0",
            ),
            r"\b2\.1\b",
        ),
        "does it help to split the classes?": (
            *code("CONTACT_SPLIT = 0.55"),
            r"0\.2166",
            r"float64\(0\.64\)",
        ),
        "on which day is the peak?": (
            *code("peak_day = normal[:, :, 2].argmax(axis=0)"),
            r"float64\(60\.0\)",
        ),
    },
    # Text with the standard library; large outputs; the last cell failed
    "reviews_text": {
        "why is share('Kiro watch', 'battery') zero?": code(
            '"power": r"charg|battery"', "complaints[product][box]"
        ),
        "where does the ZeroDivisionError come from?": code(
            'share("Nemo fan", "noise")',
            "/ len(by_product[product])",
            "by_product = defaultdict(list)",
        ),
        "which stop words are left out?": code(
            'STOPWORDS = frozenset("a after and as at easily'
        ),
        "which fields does a review have?": (
            (
                r"product\W+str\W+stars\W+str\W+text\W+str|'product': 'Veda "
                r"speaker',\s+'stars': '1',\s+'text'"
            ),
        ),
        "which complaint is the most frequent, about which product?": (
            r"\('Lumo lamp', 'broken'\), 38\.1",
        ),
    },
    # matplotlib
    "quarterly_report": {
        "plot the income per quarter and kind in our style": (
            *code('PALETTE = {"city": "#1b6ca8"', "def finish(ax, title, unit):"),
            r"income\W+float64",
            r"quarter\W+int32",
        ),
        "why do the cargo bikes earn so little in March?": code(
            'rentals["day"].between("2026-03-10", "2026-03-24")',
            'rentals.loc[repair, ["rides", "income"]] = 0',
        ),
        "what are the house rules for charts?": code(
            "House rules: no red, width 16 cm"
        ),
        "how many more rides does a degree bring?": (
            *code('np.polyfit(both["temp"], both["rides"], 1)'),
            r"4\.75",
        ),
        "where is fig2 made, and how high does its axis go?": code(
            "fig2, ax = plt.subplots(figsize=(WIDTH, 7 * CM))", "ax.set_ylim(0, 8000)"
        ),
    },
}

QUESTIONS = tuple(
    Question(notebook, text, facts)
    for notebook, questions in _FACTS_BY_NOTEBOOK.items()
    for text, facts in questions.items()
)
