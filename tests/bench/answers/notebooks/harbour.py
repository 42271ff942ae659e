"""Arrays: water levels of a harbour, with numpy alone."""

from __future__ import annotations

from ..question import Notebook, Question

HARBOUR = Notebook(
    "harbour",
    """\
# %%
import numpy as np
# %%
rng = np.random.default_rng(3)
hours = np.arange(0, 24 * 14)
gauges = ["north", "south", "lock"]
# %%
tide = 1.8 * np.sin(2 * np.pi * hours / 12.42)
levels = np.stack([tide + shift + rng.normal(0, 0.05, hours.size) for shift in (0.0, 0.3, 1.1)])
levels.shape
# %%
levels[1, 40:46] = np.nan
levels[2, 200] = 9.9
# %%
np.isnan(levels).sum(axis=1)
# %%
weights = np.array([0.5, 0.3, 0.2])
# %%
days = levels.reshape(3, 14, 24)
daily_max = np.nanmax(days, axis=2)
daily_max.round(2)
# %%
DESIGN = np.column_stack([np.ones(hours.size), np.sin(2 * np.pi * hours / 12.42),
                          np.cos(2 * np.pi * hours / 12.42)])
# %%
def clip_outliers(values, limit=4.0):
    return np.where(np.abs(values) > limit, np.nan, values)
# %%
clean = clip_outliers(levels)
north, south, lock = clean
""",
    (
        Question(
            "mean_per_gauge",
            "mean level of each gauge, nan ignored, use the cleaned values",
            "np.nanmean(clean, axis=1)",
            wrong=(
                "np.mean(clean, axis=1)",
                "np.nanmean(levels, axis=1)",
                "np.nanmean(clean, axis=0)",
            ),
            also=("[np.nanmean(row) for row in clean]",),
            loose=(
                "{name: np.nanmean(row) for name, row in zip(gauges, clean)}",
                "print(np.nanmean(clean, axis=1))",
            ),
            ordered=True,
        ),
        Question(
            "hour_of_peak",
            "At which index in hours is north highest?",
            "int(np.nanargmax(north))",
            wrong=("float(np.nanmax(north))", "int(np.nanargmax(lock))"),
            also=("hours[np.nanargmax(north)]", "np.argmax(north)"),
            loose=("np.where(north == np.nanmax(north))[0]", "print(np.argmax(north))"),
        ),
        Question(
            "fill_gaps",
            "fill the nan in south by linear interpolation, name it south_filled",
            "known = ~np.isnan(south)\n"
            "south_filled = np.interp(hours, hours[known], south[known])",
            wrong=(
                "south_filled = np.nan_to_num(south)",
                "south_filled = np.where(np.isnan(south), np.nanmean(south), south)",
            ),
            also=(
                "import pandas as pd\n"
                "south_filled = pd.Series(south).interpolate().to_numpy()",
            ),
            loose=(
                "import pandas as pd\nsouth_filled = pd.Series(south).interpolate()",
            ),
            into="south_filled",
        ),
        Question(
            "weighted",
            "weighted mean over the three gauges for every hour (weights!), one array",
            "weights @ clean",
            wrong=(
                "np.nanmean(clean, axis=0)",
                "clean @ weights",
                "np.average(clean, weights=weights, axis=1)",
            ),
            also=("np.average(clean, axis=0, weights=weights)",),
            ordered=True,
        ),
        Question(
            "fit",
            "least squares: coefficients of DESIGN for north",
            "np.linalg.lstsq(DESIGN, north, rcond=None)[0]",
            wrong=(
                "np.linalg.solve(DESIGN, north)",
                "np.linalg.lstsq(DESIGN, lock, rcond=None)[0]",
                "np.polyfit(hours, north, 2)",
            ),
            also=(
                "coef, residuals, rank, s = np.linalg.lstsq(DESIGN, north, rcond=None)\ncoef",
                "np.linalg.inv(DESIGN.T @ DESIGN) @ DESIGN.T @ north",
            ),
            loose=("print(np.linalg.lstsq(DESIGN, north, rcond=None)[0])",),
            ordered=True,
            tolerance=1e-4,
        ),
        Question(
            "count_high",
            "for how many hours is north above 1.5 m",
            "int((north > 1.5).sum())",
            wrong=("north > 1.5", "float(north[north > 1.5].sum())"),
            also=("np.count_nonzero(north > 1.5)", "len(north[north > 1.5])"),
            loose=("print('hours:', np.sum(north > 1.5))",),
        ),
        Question(
            "normalise",
            "write a function zscore(x) that ignores nan and returns (x - mean) / std",
            "def zscore(x):\n    return (x - np.nanmean(x)) / np.nanstd(x)",
            wrong=(
                "def zscore(x):\n    return (x - np.mean(x)) / np.std(x)",
                "def zscore(x):\n    return x - np.nanmean(x)",
            ),
            also=(
                "def zscore(x):\n    x = np.asarray(x, dtype=float)\n"
                "    mean, std = np.nanmean(x), np.nanstd(x)\n"
                "    return (x - mean) / std",
            ),
            calls=("zscore(np.array([1.0, 2.0, np.nan, 4.0]))", "zscore(south)[:50]"),
            ordered=True,
        ),
        Question(
            "daily_range",
            "difference between highest and lowest value per gauge and day, as a 3x14 array",
            "np.nanmax(days, axis=2) - np.nanmin(days, axis=2)",
            wrong=(
                "days.max(axis=2) - days.min(axis=2)",
                "np.ptp(days, axis=1)",
            ),
            also=("daily_max - np.nanmin(days, axis=-1)",),
            loose=("(np.nanmax(days, axis=2) - np.nanmin(days, axis=2)).T",),
            ordered=True,
        ),
    ),
)
