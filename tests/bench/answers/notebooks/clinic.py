"""Errors: the visits of a clinic; before each question, a cell has failed or misled."""

from __future__ import annotations

from ..question import Notebook, Question

VISITS = """\
visit,code,dept,wait_min,fee,Seen by
1,P-001,eye,12,"12,50",Dr. Abe
2,P-002,skin,45,"20,00",Dr. Bly
3,P-003,eye,30,"12,50",Dr. Abe
4,P-001,heart,5,"88,00",Dr. Cho
5,P-004,skin,60,"20,00",Dr. Bly
6,P-005,heart,15,"91,50",Dr. Cho
7,P-002,eye,22,"12,50",Dr. Dee
8,P-006,skin,38,"25,00",Dr. Bly
"""

CLINIC = Notebook(
    "clinic",
    """\
# %%
import numpy as np
import pandas as pd
# %%
visits = pd.read_csv("visits.csv")
visits.head()
# %%
patients = pd.DataFrame({
    "code": ["p-001 ", "p-002 ", "p-003 ", "p-004 ", "p-005 ", "p-007 "],
    "born": [1950, 1988, 2001, 1975, 1969, 1990],
    "insurer": ["Alpha", "Beta", "Alpha", "Gamma", "Beta", "Alpha"],
})
# %%
rooms = pd.DataFrame({"visit": ["1", "2", "3", "4", "5", "6", "7", "8"],
                      "room": ["A1", "B2", "A1", "C3", "B2", "C3", "A2", "B1"]})
# %%
def summary(frame, by, digits=2):
    return frame.groupby(by)["wait_min"].mean().round(digits)
# %%
summary(visits, "dept")
# %%
scores = np.array([[3, 4, 5], [2, 2, 4], [5, 5, 5], [1, 3, 2]])
raters = np.array([1.0, 0.5, 0.8, 1.2])
# %%
slots = {"eye": 4, "skin": 6, "heart": 0}
booked = visits["dept"].value_counts().to_dict()
# %%
def use(dept):
    return booked[dept] / slots[dept]
# %%
late = visits[visits["wait_min"] > 30]
""",
    (
        Question(
            "wrong_column",
            "KeyError: 'Department'. what should I write? I need the mean wait per department",
            'visits.groupby("dept")["wait_min"].mean()',
            wrong=(
                'visits.groupby("department")["wait_min"].mean()',
                'visits.groupby("Department")["wait"].mean()',
            ),
            also=('summary(visits, "dept", 10)',),
            loose=('visits.groupby("dept", as_index=False)["wait_min"].mean()',),
            after='visits.groupby("Department")["wait"].mean()',
            tolerance=1e-4,
        ),
        Question(
            "key_types",
            "the merge does not work, please repair it (result should be called with_room)",
            'with_room = visits.merge(rooms.astype({"visit": int}), on="visit")',
            wrong=(
                'with_room = visits.merge(rooms, on="visit")',
                "with_room = pd.concat([visits, rooms], axis=1)",
            ),
            also=(
                'rooms["visit"] = rooms["visit"].astype(int)\n'
                'with_room = pd.merge(visits, rooms, on="visit", how="left")',
            ),
            calls=('with_room[["room", "dept"]]', 'with_room["visit"].astype(int)'),
            after='with_room = visits.merge(rooms, on="visit")',
        ),
        Question(
            "empty_merge",
            "both is empty although the codes are the same?! fix it",
            "both = visits.merge(patients.assign(code=patients["
            '"code"].str.strip().str.upper()), on="code")',
            wrong=(
                'both = visits.merge(patients, on="code", how="left")',
                'both = visits.merge(patients.assign(code=patients["code"].str.strip()), '
                'on="code")',
            ),
            also=(
                'visits["code"] = visits["code"].str.lower()\n'
                'patients["code"] = patients["code"].str.strip()\n'
                'both = pd.merge(visits, patients, on="code", how="inner")',
            ),
            calls=('both[["visit", "insurer", "born"]]',),
            after='both = visits.merge(patients, on="code")\nlen(both)',
        ),
        Question(
            "append",
            "'DataFrame' object has no attribute 'append' - how do I add that row then? keep "
            "the name visits",
            'row = {"visit": 9, "code": "P-003", "dept": "skin", "wait_min": 8, '
            '"fee": "20,00", "Seen by": "Dr. Bly"}\n'
            "visits = pd.concat([visits, pd.DataFrame([row])], ignore_index=True)",
            wrong=(
                'visits = visits.append({"visit": 9}, ignore_index=True)',
                'visits = pd.concat([visits, pd.DataFrame([{"visit": 9}])])',
            ),
            also=(
                "visits.loc[len(visits)] = [9, 'P-003', 'skin', 8, '20,00', 'Dr. Bly']",
            ),
            into="visits",
            after='visits = visits.append({"visit": 9, "code": "P-003", "dept": "skin", '
            '"wait_min": 8, "fee": "20,00", "Seen by": "Dr. Bly"}, ignore_index=True)',
        ),
        Question(
            "keyword",
            "fix this cell",
            'summary(visits, "Seen by", digits=1)',
            wrong=(
                'summary(visits, "Seen by", decimals=1)',
                'summary(visits, "dept", digits=1)',
                'summary(visits, "Seen by")',
            ),
            also=('visits.groupby("Seen by")["wait_min"].mean().round(1)',),
            loose=('print(summary(visits, by="Seen by", digits=1))',),
            after='summary(visits, "Seen by", decimals=1)',
        ),
        Question(
            "decimal_comma",
            "I want the mean fee as a number, but I get an error. Why, and what is the right code?",
            'visits["fee"].str.replace(",", ".").astype(float).mean()',
            wrong=(
                'visits["fee"].astype(float).mean()',
                'visits["fee"].str.replace(",", "").astype(float).mean()',
            ),
            also=(
                'visits["fee"] = pd.to_numeric(visits["fee"].str.replace(",", ".", regex=False))\n'
                'visits["fee"].mean()',
                'pd.read_csv("visits.csv", decimal=",")["fee"].mean()',
            ),
            loose=(
                'visits["fee"] = visits["fee"].str.replace(",", ".").astype(float)\n'
                "print(f\"mean fee: {visits['fee'].mean():.2f}\")",
            ),
            after='visits["fee"].mean()',
        ),
        Question(
            "broadcast",
            "operands could not be broadcast together with shapes (4,3) (4,) - every row should "
            "be multiplied with its rater's value. result: rated",
            "rated = scores * raters[:, None]",
            wrong=(
                "rated = scores * raters",
                "rated = scores * raters[:3]",
            ),
            loose=("rated = scores.T * raters",),
            also=("rated = (scores.T * raters).T", "rated = np.diag(raters) @ scores"),
            into="rated",
            ordered=True,
            after="rated = scores * raters",
        ),
        Question(
            "zero_slots",
            "ZeroDivisionError, change use() so that it gives None where there are no slots, "
            "then the dict shares again",
            "def use(dept):\n"
            "    if not slots[dept]:\n"
            "        return None\n"
            "    return booked[dept] / slots[dept]\n\n"
            "shares = {dept: use(dept) for dept in slots}",
            wrong=(
                "shares = {dept: use(dept) for dept in slots}",
                "def use(dept):\n    return booked[dept] / (slots[dept] or 1)\n\n"
                "shares = {dept: use(dept) for dept in slots}",
            ),
            also=(
                "def use(dept):\n"
                "    try:\n"
                "        return booked[dept] / slots[dept]\n"
                "    except ZeroDivisionError:\n"
                "        return None\n\n"
                "shares = {d: use(d) for d in slots}\nshares",
            ),
            into="shares",
            after="shares = {dept: use(dept) for dept in slots}",
        ),
    ),
    files={"visits.csv": VISITS},
)
