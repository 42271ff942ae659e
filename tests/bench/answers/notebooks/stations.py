"""Dates: a year of temperatures and rain."""

from __future__ import annotations

import random
from datetime import date, timedelta
from math import cos, pi

from ..question import Notebook, Question


def weather_csv() -> str:
    """Return a line for each day of a year, some of which are missing."""
    chance = random.Random(11)
    lines = ["Date;Tmean;Rain mm"]
    for number in range(365):
        if number % 47 == 13:
            continue
        day = date(2025, 1, 1) + timedelta(number)
        warmth = 10 - 9 * cos(2 * pi * number / 365) + chance.gauss(0, 2)
        rain = max(0.0, chance.gauss(0, 4))
        lines.append(f"{day:%d.%m.%Y};{warmth:.1f};{rain:.1f}")
    return "\n".join(lines) + "\n"


STATIONS = Notebook(
    "stations",
    """\
# %%
import pandas as pd
# %%
raw = pd.read_csv("weather.csv", sep=";")
raw.head(3)
# %%
weather = raw.assign(Date=pd.to_datetime(raw["Date"], format="%d.%m.%Y")).set_index("Date")
weather = weather.rename(columns={"Rain mm": "rain", "Tmean": "temp"})
weather.info()
# %%
print(weather.index.min(), weather.index.max(), len(weather))
# %%
monthly = weather["temp"].resample("MS").mean()
monthly.round(1)
# %%
frost = weather[weather["temp"] < 0]
# %%
SEASONS = {12: "winter", 1: "winter", 2: "winter", 3: "spring", 4: "spring", 5: "spring",
           6: "summer", 7: "summer", 8: "summer", 9: "autumn", 10: "autumn", 11: "autumn"}
# %%
holidays = pd.DataFrame({
    "name": ["Easter", "Summer", "Autumn"],
    "begin": ["2025-04-14", "2025-07-07", "2025-10-20"],
    "end": ["2025-04-26", "2025-08-16", "2025-11-01"],
})
holidays
# %%
weather["wet"] = weather["rain"] > 1.0
weather["wet"].mean()
# %%
warmest_day = weather["temp"].idxmax()
warmest_day
""",
    (
        Question(
            "missing_days",
            "which days of 2025 are missing in weather?",
            'pd.date_range("2025-01-01", "2025-12-31").difference(weather.index)',
            wrong=(
                'weather[weather["temp"].isna()].index',
                "weather.index[:8]",
            ),
            also=(
                'all_days = pd.date_range("2025-01-01", "2025-12-31", freq="D")\n'
                "all_days[~all_days.isin(weather.index)]",
            ),
            loose=(
                'for day in pd.date_range("2025-01-01", "2025-12-31").difference('
                "weather.index):\n    print(day.date())",
            ),
        ),
        Question(
            "rain_by_month",
            "sum of rain for every month",
            'weather["rain"].resample("MS").sum()',
            wrong=('weather["rain"].resample("MS").mean()', 'weather["Rain mm"].sum()'),
            also=('weather.resample("MS")["rain"].sum()',),
            loose=(
                'weather["rain"].groupby(weather.index.month).sum()',
                'print(weather["rain"].resample("ME").sum())',
            ),
        ),
        Question(
            "rolling",
            "7-day rolling mean of the temperature please, call it smooth",
            'smooth = weather["temp"].rolling(7).mean()',
            wrong=(
                'smooth = weather["temp"].resample("7D").mean()',
                'smooth = weather["temp"].rolling(30).mean()',
            ),
            also=(
                'smooth = weather["temp"].rolling("7D", min_periods=7).mean()\n'
                'smooth = weather["temp"].rolling(window=7).mean()',
            ),
            loose=('smooth = weather[["temp"]].rolling(7).mean()',),
            into="smooth",
        ),
        Question(
            "season_mean",
            "average temp by season, use my SEASONS dict",
            'weather["temp"].groupby(weather.index.month.map(SEASONS)).mean()',
            wrong=(
                'weather["temp"].groupby(weather.index.quarter).mean()',
                'weather["rain"].groupby(weather.index.month.map(SEASONS)).mean()',
            ),
            also=(
                'weather["season"] = weather.index.month.map(SEASONS)\n'
                'weather.groupby("season")["temp"].mean()',
            ),
            loose=(
                'weather["season"] = weather.index.month.map(SEASONS)\n'
                'weather.groupby("season")["temp"].mean().reset_index()',
            ),
        ),
        Question(
            "days_between",
            "How many days lie between the warmest and the coldest day?",
            'abs((weather["temp"].idxmax() - weather["temp"].idxmin()).days)',
            wrong=(
                'weather["temp"].max() - weather["temp"].min()',
                "len(weather)",
            ),
            also=(
                'coldest = weather["temp"].idxmin()\nabs((coldest - warmest_day).days)',
            ),
            loose=(
                'abs(weather["temp"].idxmax() - weather["temp"].idxmin())',
                'gap = weather["temp"].idxmax() - weather["temp"].idxmin()\n'
                'print(f"{abs(gap.days)} days")',
            ),
        ),
        Question(
            "holiday_length",
            "add a column days to holidays: length in days, first and last day included",
            'holidays["days"] = (pd.to_datetime(holidays["end"]) '
            '- pd.to_datetime(holidays["begin"])).dt.days + 1',
            wrong=(
                'holidays["days"] = (pd.to_datetime(holidays["end"]) '
                '- pd.to_datetime(holidays["begin"])).dt.days',
                'holidays["days"] = (holidays["end"] - holidays["begin"]).dt.days + 1',
            ),
            also=(
                'holidays["begin"] = pd.to_datetime(holidays["begin"])\n'
                'holidays["end"] = pd.to_datetime(holidays["end"])\n'
                'holidays["days"] = (holidays["end"] - holidays["begin"]).dt.days + 1',
            ),
            calls=('holidays["days"]',),
        ),
        Question(
            "weekend_rain",
            "is it wetter on weekends? give me the share of wet days for weekend and for "
            "working days",
            'weather["wet"].groupby(weather.index.dayofweek >= 5).mean()',
            wrong=(
                'weather["wet"].mean()',
                'weather["rain"].groupby(weather.index.dayofweek >= 5).mean()',
            ),
            loose=(
                "weekend = weather.index.dayofweek >= 5\n"
                'print(weather[weekend]["wet"].mean(), weather[~weekend]["wet"].mean())',
                "weekend = weather.index.dayofweek >= 5\n"
                'weather["wet"][weekend].mean(), weather["wet"][~weekend].mean()',
            ),
        ),
        Question(
            "longest_dry",
            "longest run of consecutive rows without wet, as a number",
            'dry = ~weather["wet"]\n'
            "int(dry.groupby(weather['wet'].cumsum()).sum().max())",
            wrong=(
                '(~weather["wet"]).sum()',
                'weather["wet"].groupby((~weather["wet"]).cumsum()).sum().max()',
            ),
            also=(
                "best = run = 0\n"
                'for wet in weather["wet"]:\n'
                "    run = 0 if wet else run + 1\n"
                "    best = max(best, run)\n"
                "best",
            ),
        ),
    ),
    files={"weather.csv": weather_csv()},
)
