# ruff: noqa: RUF001 - Chinese has punctuation of its own.
"""Texts of each kind of which real tokenizers counted the tokens."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from textwrap import dedent

SEED = 1


def _frame() -> str:
    numbers = random.Random(SEED)
    rows = ["          a         b         c         d"]
    for row in range(60):
        cells = "".join(f" {numbers.gauss(0, 1):9.6f}" for _ in range(4))
        rows.append(f"{row:<2}{cells}")
    return "\n".join(rows)


def _csv() -> str:
    numbers = random.Random(SEED)
    rows = ["year,region,orders,amount"]
    for _ in range(80):
        year, region = numbers.randrange(1990, 2026), numbers.randrange(50)
        orders, amount = numbers.randrange(10_000), numbers.random() * 1e6
        rows.append(f"{year},{region},{orders},{amount:.2f}")
    return "\n".join(rows)


def _squares() -> str:
    return "\n".join(f"{number} {number * number}" for number in range(1000, 1200))


def _records() -> str:
    numbers = random.Random(SEED)
    records = []
    for number in range(60):
        value = round(numbers.random(), 3)
        records.append({"id": number, "x": value, "y": numbers.randrange(1000)})
    return json.dumps(records)


def _code() -> str:
    return dedent(
        '''
        import pandas as pd
        from sklearn.linear_model import LogisticRegression

        def monthly_revenue(orders: pd.DataFrame, clients: pd.DataFrame) -> pd.Series:
            """Return the revenue of each month, for clients that still exist."""
            merged = orders.merge(clients, on="client_id", how="inner")
            merged["month"] = pd.to_datetime(merged["ordered_at"]).dt.to_period("M")
            is_paid = merged["status"].isin(["paid", "shipped"])
            return merged[is_paid].groupby("month")["amount"].sum().sort_index()

        class Churn:
            def __init__(self, threshold=0.5):
                self.model = LogisticRegression(max_iter=1000, C=0.1)
                self.threshold = threshold

            def fit(self, X, y):
                self.model.fit(X, y)
                return self

            def predict(self, X):
                return (self.model.predict_proba(X)[:, 1] > self.threshold).astype(int)

        train = pd.read_csv("data/churn.csv", parse_dates=["signed_up"])
        y = train.pop("churned")
        X = pd.get_dummies(train.drop(columns=["customer_id", "signed_up"]))
        print(f"accuracy: {(Churn().fit(X, y).predict(X) == y).mean():.3f}")
        for name, group in train.groupby("plan"):
            print(name, len(group), group["monthly_fee"].median())
        '''
    )


def _sql() -> str:
    return dedent(
        """
        SELECT c.region, COUNT(*) AS orders, SUM(o.amount) AS revenue
        FROM orders o JOIN clients c ON c.id = o.client_id
        WHERE o.created_at >= '2023-01-01' AND o.status IN ('paid', 'shipped')
        GROUP BY c.region HAVING COUNT(*) > 10 ORDER BY revenue DESC LIMIT 5;
        """
    )


def _traceback() -> str:
    return dedent(
        """
        ---------------------------------------------------------------------------
        KeyError                                  Traceback (most recent call last)
        File /usr/lib/python3/pandas/core/indexes/base.py:3805, in Index.get_loc(self, key)
           3804 try:
        -> 3805     return self._engine.get_loc(casted_key)
           3806 except KeyError as err:

        Cell In[7], line 3
              1 clients = pd.read_csv("clients.csv")
        ----> 3 clients.groupby("Region")["revenue"].sum()

        KeyError: 'Region'
        """
    )


def _english() -> str:
    return dedent(
        """
        The merged table is empty because the two key columns have different types: the
        orders keep whole numbers, while the clients keep text. Nothing matches, so every
        row is dropped without a warning. Convert one of the columns before you merge,
        and look at the number of rows afterwards.

        In the spring the river rises above its banks and the meadows turn into a shallow
        lake. Herons stand in the reeds for hours, and the ferryman, who has nothing to
        do, tells anybody who listens how his grandfather crossed the ice with a horse.
        Most of his stories are probably true; a few of them have grown with the years.
        """
    )


def _chinese() -> str:
    return dedent(
        """
        数据科学家每天都要处理各种各样的表格。今天早上，小李打开笔记本，发现销售数据里有很多缺失值，
        于是他先检查了每一列的类型，再把日期转换成统一的格式。合并两个表以后结果是空的，原因是一个表里的
        客户编号是整数，另一个表里却是文本。解决的办法很简单：把两边的列转换成同一种类型，然后重新合并。
        请问为什么模型在训练集上的准确率很高，而在测试集上却很低？这通常说明模型过拟合了。可以尝试减少参数、
        增加数据，或者使用正则化。春天来了，公园里的花都开了，孩子们在草地上跑来跑去，老人们坐在长椅上聊天。
        """
    )


TEXTS: dict[str, Callable[[], str]] = {
    "a frame of numbers": _frame,
    "a CSV of numbers": _csv,
    "a column of whole numbers": _squares,
    "JSON of numbers": _records,
    "Python": _code,
    "SQL": _sql,
    "a traceback": _traceback,
    "English prose": _english,
    "Chinese prose": _chinese,
}
