"""Plots: the results of a marathon."""

from __future__ import annotations

from ..question import Notebook, Question

MARATHON = Notebook(
    "marathon",
    """\
# %%
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
# %%
rng = np.random.default_rng(42)
n = 300
runners = pd.DataFrame({
    "bib": np.arange(1, n + 1),
    "age": rng.integers(18, 75, n),
    "club": rng.choice(["Comets", "Striders", "none"], n, p=[0.3, 0.3, 0.4]),
    "half_min": rng.normal(118, 14, n).round(1),
})
runners["finish_min"] = (runners["half_min"] * 2.1 + rng.normal(4, 6, n)).round(1)
# %%
runners.describe()
# %%
runners["age_group"] = pd.cut(runners["age"], [17, 29, 39, 49, 59, 75],
                              labels=["18-29", "30-39", "40-49", "50-59", "60+"])
# %%
CLUB_COLOURS = {"Comets": "tab:orange", "Striders": "tab:green", "none": "tab:grey"}
# %%
by_group = runners.groupby("age_group", observed=True)["finish_min"].agg(["mean", "count"])
by_group
# %%
temps = pd.Series([9.5, 10.2, 11.8, 13.1, 14.0, 14.6], index=[8, 9, 10, 11, 12, 13],
                  name="temperature")
# %%
fig, ax = plt.subplots(figsize=(6, 4))
ax.hist(runners["finish_min"], bins=20, color="tab:blue")
ax.set_xlabel("finish time (min)")
# %%
def label_axes(ax, x, y, title=""):
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.set_title(title)
    return ax
# %%
fast = runners[runners["finish_min"] < 210]
print(len(fast))
""",
    (
        Question(
            "bar_groups",
            "bar chart of mean finish time per age group",
            'plt.bar(by_group.index.astype(str), by_group["mean"])',
            wrong=(
                'plt.bar(by_group.index.astype(str), by_group["count"])',
                "by_group.plot.bar()",
                'runners["finish_min"].plot.hist()',
            ),
            also=(
                'by_group["mean"].plot(kind="bar", title="Mean finish time")\nplt.show()',
                'runners.groupby("age_group", observed=True)["finish_min"].mean().plot.bar()',
            ),
            loose=('by_group["mean"].plot(kind="barh")', 'by_group["mean"].plot()'),
            figure=("kind", "values"),
        ),
        Question(
            "scatter",
            "scatter half_min against finish_min, label the axes 'half' and 'finish'",
            'fig, ax = plt.subplots()\nax.scatter(runners["half_min"], runners["finish_min"])\n'
            'ax.set_xlabel("half")\nax.set_ylabel("finish")',
            wrong=(
                'plt.scatter(runners["half"], runners["finish"])',
                'plt.scatter(runners["age"], runners["finish_min"])\n'
                'plt.xlabel("half")\nplt.ylabel("finish")',
            ),
            also=(
                'runners.plot.scatter(x="half_min", y="finish_min")\n'
                'plt.xlabel("half")\nplt.ylabel("finish")\nplt.show()',
            ),
            loose=('plt.scatter(runners["half_min"], runners["finish_min"])',),
            figure=("kind", "values", "x label", "y label"),
        ),
        Question(
            "temperature_line",
            "plot temps as a line with title Race day",
            'temps.plot(title="Race day")',
            wrong=(
                'plt.plot(runners["temperature"])\nplt.title("Race day")',
                'temps.diff().plot(title="Race day")',
            ),
            also=(
                'plt.plot(temps.index, temps.values, marker="o")\n'
                'plt.title("Race day")\nplt.xlabel("hour")\nplt.show()',
            ),
            loose=("temps.plot()", 'temps.plot.bar(title="Race day")'),
            figure=("kind", "values", "title"),
        ),
        Question(
            "hist_clubs",
            "how many runners does each club have? draw that as bars",
            'runners["club"].value_counts().plot.bar()',
            wrong=(
                'runners.groupby("club")["finish_min"].mean().plot.bar()',
                "CLUB_COLOURS.plot.bar()",
            ),
            also=(
                'counts = runners["club"].value_counts()\n'
                "plt.bar(counts.index, counts.values, "
                "color=[CLUB_COLOURS[c] for c in counts.index])",
            ),
            loose=('runners["club"].value_counts().plot.barh()',),
            figure=("kind", "values"),
        ),
        Question(
            "existing_axes",
            "give my histogram (ax) the title 'Finish times' and the y label 'runners'",
            'ax.set_title("Finish times")\nax.set_ylabel("runners")',
            wrong=(
                'plt.title("Finish times")\nplt.ylabel("runners")',
                'ax.set_title("Finish times")',
            ),
            also=(
                'label_axes(ax, "finish time (min)", "runners", "Finish times")',
                'ax.set(title="Finish times", ylabel="runners")\nfig',
            ),
            calls=("ax.get_title()", "ax.get_ylabel()"),
        ),
        Question(
            "two_panels",
            "two plots side by side: histogram of age on the left, of finish_min on the right, "
            "10 bins each",
            "fig, (left, right) = plt.subplots(1, 2)\n"
            'left.hist(runners["age"], bins=10)\nright.hist(runners["finish_min"], bins=10)',
            wrong=(
                'runners["age"].plot.hist(bins=10)',
                "fig, (left, right) = plt.subplots(1, 2)\n"
                'left.hist(runners["age"], bins=20)\nright.hist(runners["finish_min"], bins=20)',
            ),
            also=(
                'runners[["age", "finish_min"]].hist(bins=10, layout=(1, 2))\nplt.show()',
            ),
            figure=("kind", "values", "panels"),
        ),
        Question(
            "line_per_club",
            "mean finish time per age group, one line per club, with a legend",
            'runners.pivot_table(index="age_group", columns="club", values="finish_min", '
            "observed=True).plot()",
            wrong=(
                'by_group["mean"].plot(legend=True)',
                'runners.groupby("club")["finish_min"].mean().plot(legend=True)',
            ),
            also=(
                'for club, part in runners.groupby("club"):\n'
                '    means = part.groupby("age_group", observed=True)["finish_min"].mean()\n'
                "    plt.plot(means.index.astype(str), means, label=club)\n"
                "plt.legend()\nplt.show()",
            ),
            loose=(
                'runners.pivot_table(index="age_group", columns="club", '
                'values="finish_min", observed=True).plot(legend=False)',
            ),
            figure=("kind", "values", "legend"),
        ),
        Question(
            "box",
            "I'd like a boxplot of the finish times by club with matplotlib, y axis 'minutes'",
            'clubs = sorted(runners["club"].unique())\n'
            'plt.boxplot([runners.loc[runners["club"] == club, "finish_min"] '
            "for club in clubs])\n"
            'plt.ylabel("minutes")',
            wrong=(
                'plt.boxplot(runners["finish_min"])\nplt.ylabel("minutes")',
                'plt.boxplot(runners["club"], runners["finish_min"])\nplt.ylabel("minutes")',
            ),
            also=(
                'ax = runners.boxplot(column="finish_min", by="club")\n'
                'ax.set_ylabel("minutes")\nplt.show()',
            ),
            loose=(
                'clubs = sorted(runners["club"].unique())\n'
                'plt.boxplot([runners.loc[runners["club"] == club, "finish_min"] '
                "for club in clubs])",
            ),
            figure=("boxes", "y label"),
        ),
    ),
)
