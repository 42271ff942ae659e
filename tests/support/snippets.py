"""Code as models write it, with a kernel's variables: right code, and wrong code with
the line that it deserves.
"""

from __future__ import annotations

import datetime
import math
import pickle
import re
import weakref
from collections import defaultdict
from functools import cache
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
from matplotlib.figure import Figure
from sklearn.linear_model import LinearRegression

matplotlib.use("Agg")


@cache
def _values() -> bytes:
    """Return what a kernel has computed; to read it takes less time than to compute it."""
    clients = pd.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "region": ["north", "south", "north", "east"],
            "Official language": ["a", "b", "a", "c"],
            "revenue": [10.0, 20.0, 30.0, 5.0],
            "joined": pd.to_datetime(
                ["2024-01-01", "2024-02-01", "2024-02-05", "2024-03-01"]
            ),
        }
    )
    orders = pd.DataFrame(
        {
            "order_id": [10, 11, 12],
            "client_id": [1, 1, 3],
            "amount": [5.0, 7.5, 1.0],
            "region": ["north", "north", "south"],
        }
    )
    growth = pd.DataFrame(
        {"Growth Rate": [0.1, 0.2, 0.3]},
        index=pd.Index(["Aruba", "Benin", "Chad"], name="Country"),
    )
    return pickle.dumps(
        {
            "clients": clients,
            "orders": orders,
            "growth": growth,
            "ages": clients["revenue"],
            "matrix": np.arange(6.0).reshape(2, 3),
            "words": ["b", "a"],
            "settings": {"rate": 0.5},
            "title": "a title",
            "limit": 3,
            "cities": pl.DataFrame({"city": ["x", "y"], "people": [1, 2]}),
            "by_region": defaultdict(list),
            "model": LinearRegression(),
            "pattern": re.compile("a"),
            "rng": np.random.default_rng(1),
        }
    )


@cache
def _axes() -> Any:
    return Figure().subplots()


def namespace() -> dict[str, Any]:
    """Return the variables of a kernel, all of them new but the axes, which take ten
    times as long as all others.
    """
    import matplotlib.pyplot as plt

    def scaled(frame: Any, factor: float = 2.0) -> Any:
        frame["scaled"] = frame["revenue"] * factor
        return frame

    scaled.__module__ = "__main__"
    values = pickle.loads(_values())
    return {
        "pd": pd,
        "np": np,
        "pl": pl,
        "plt": plt,
        "math": math,
        "datetime": datetime,
        **values,
        "axes": _axes(),
        "proxy": weakref.proxy(values["clients"]),
        "scaled": scaled,
        "__name__": "__main__",
        "__builtins__": __builtins__,
    }


RIGHT = (
    # objects of installed classes
    "by_region.setdefault('north', []).append(1)",
    "axes.bar([1, 2], [3, 4], color='red', label='a')\naxes.set_xlabel('x')",
    "model.fit(clients[['id']], clients['revenue'])\nmodel.coef_.round(2)",
    "pattern.sub('b', title)",
    "rng.integers(3)",
    "proxy.groupby('region')['revenue'].sum()",
    "axes.note = print\naxes.note('x')",
    # plots of columns
    "clients.plot(x='id', y=['revenue'])",
    "clients.plot(kind='hist')",
    "clients.plot.scatter(x='id', y='revenue', c='red')",
    "clients['revenue'].plot.hist()",
    "clients.plot.hist(column='revenue', by='region')",
    "import seaborn as sns\nsns.barplot(data=clients, x='region', y='revenue')",
    "import seaborn as sns\nsns.lineplot(growth, x='Country', y='Growth Rate')",
    # columns that are there
    'clients["region"]',
    'clients[["region", "revenue"]].head()',
    "clients.region.value_counts()",
    'clients.groupby("region")["revenue"].sum().sort_values(ascending=False)',
    'clients.groupby(["region", "id"], as_index=False)["revenue"].mean()["revenue"]',
    'clients.groupby("region").agg({"revenue": "sum", "id": "count"})["id"]',
    'clients.groupby("region").agg(total=("revenue", "sum"))["total"]',
    'clients.groupby("region").agg(n=("id", "size")).reset_index()["region"]',
    't = clients.groupby("region")["revenue"].sum().reset_index()\n'
    't["region"], t["revenue"]',
    't = clients.groupby("region").size().reset_index(name="count")\nt["count"]',
    't = clients.groupby("region").size().reset_index()\nt[0]',
    'clients.groupby("region").revenue.sum()["north"]',
    'clients.groupby("region")[["revenue"]].agg(["min", "max"])["revenue"]["min"]',
    't = clients.groupby("region")["revenue"].agg(["min", "max"])\nt["max"] - t["min"]',
    't = clients.groupby("region")["revenue"].agg(low="min", high="max")\nt["high"]',
    'clients.groupby(clients["joined"].dt.month)["revenue"].sum()',
    't = clients["region"].value_counts().reset_index()\nt.columns',
    't = clients["region"].value_counts().reset_index()\nt["count"], t["region"]',
    't = clients["region"].value_counts().to_frame()\nt["count"]',
    't = clients["region"].value_counts(normalize=True).reset_index()\nt["proportion"]',
    # columns that the code adds, renames and removes
    'clients["tax"] = clients["revenue"] * 0.2\nclients["tax"].sum()',
    'clients.loc[:, "tax"] = 0\nclients["tax"]',
    'clients.loc[clients["revenue"] > 10, "big"] = True\nclients["big"]',
    'clients[["a", "b"]] = 0\nclients["a"] + clients["b"]',
    'clients.insert(0, "first", 1)\nclients["first"]',
    'clients = clients.rename(columns={"revenue": "sales"})\nclients["sales"]',
    'clients.rename(columns={"revenue": "sales"}, inplace=True)\nclients.sales.sum()',
    "clients.rename(columns=str.upper)['REGION']",
    "clients.columns = [c.upper() for c in clients.columns]\nclients['REGION']",
    "clients.columns = ['a', 'b', 'c', 'd', 'e']\nclients['e']",
    'clients.columns = clients.columns.str.replace(" ", "_")\n'
    'clients["Official_language"]',
    'clients = clients.assign(tax=lambda d: d["revenue"] * 0.2)\nclients["tax"]',
    'clients.assign(a=1, b=lambda d: d["a"] + 1)["b"]',
    'clients.drop(columns=["id"])["region"]',
    'clients.drop("id", axis=1)["region"]',
    'clients.drop(columns=["missing"], errors="ignore")["region"]',
    'clients.drop(index=[0])["region"]',
    'clients.set_index("id")["region"]',
    'clients.set_index("id").loc[1, "region"]',
    'clients.set_index("id").reset_index()["id"]',
    "clients.reset_index()['index']",
    "clients.reset_index(drop=True)['region']",
    'growth.reset_index()["Country"]',
    'growth.sort_values("Country")',
    'growth.groupby("Country")["Growth Rate"].mean()',
    'growth.loc["Aruba", "Growth Rate"]',
    'growth.rename_axis("Land").reset_index()["Land"]',
    "growth.index.name = 'Nation'\ngrowth.reset_index()['Nation']",
    "growth.T['Aruba']",
    'for name in ["a", "b"]:\n    clients[name] = 1\nclients["a"] + clients["b"]',
    'if "tax" not in clients.columns:\n    clients["tax"] = 1\nclients["tax"]',
    'if limit > 2:\n    clients["x"] = 1\nelse:\n    clients["x"] = 2\nclients["x"]',
    "if 'tax' in clients:\n    print(clients['tax'])",
    "try:\n    clients['tax']\nexcept KeyError:\n    print('none')",
    "with pd.option_context('display.max_rows', 5):\n    clients['x'] = 1\nclients['x']",
    "copy = clients\ncopy['x'] = 1\nclients['x']",
    "def add(frame):\n    frame['x'] = 1\nadd(clients)\nclients['x']",
    "def add():\n    clients['x'] = 1\nadd()\nclients['x']",
    "scaled(clients)\nclients['scaled']",
    "for frame in [clients, orders]:\n    frame['x'] = 1\nclients['x']",
    "frames = {'c': clients}\nframes['c']['x'] = 1\nclients['x']",
    "clients = clients.pipe(scaled)\nclients['scaled']",
    "clients.eval('double = revenue * 2', inplace=True)\nclients['double']",
    "clients['month'] = clients['joined'].dt.month\nclients.pivot_table("
    "index='month', columns='region', values='revenue')['north']",
    "clients.melt(id_vars='region', value_vars=['revenue'])['variable']",
    "clients.melt(id_vars=['region'], value_vars=['revenue'], var_name='k', "
    "value_name='v')[['k', 'v']]",
    "pd.get_dummies(clients, columns=['region'])['region_north']",
    "clients.explode('region')['revenue']",
    "clients.nlargest(2, 'revenue')['id']",
    "clients.query('revenue > 10 and region == \"north\"')['id']",
    "clients.query('revenue > @limit')",
    "clients.query('index > 1')",
    "clients[clients['revenue'] > clients['revenue'].mean()]['region']",
    "clients[(clients['revenue'] > 5) & (clients.region != 'x')].revenue",
    "clients[~clients['region'].isin(['north'])]['id']",
    "clients[clients['region'].str.startswith('n')]['id']",
    "mask = clients.revenue > 5\nclients.loc[mask, ['id', 'region']]['id']",
    "columns = ['id', 'region']\nclients[columns + ['revenue']]['revenue']",
    "clients[clients.columns[:2]]['id']",
    "clients.loc[clients['revenue'].idxmax(), 'region']",
    "clients.iloc[0]['region']",
    "clients.at[0, 'region']",
    "clients.dropna(subset=['revenue']).drop_duplicates('region')",
    "clients.astype({'id': 'str'}).dtypes",
    "clients.select_dtypes('number')['revenue'].corr(clients['id'])",
    "clients.describe()['revenue']['mean']",
    "clients.apply(lambda row: row['revenue'] * row['id'], axis=1)",
    "clients.apply(lambda column: column.nunique())",
    "for index, row in clients.iterrows():\n    print(row['region'], row.revenue)",
    "for row in clients.itertuples():\n    print(row.region)",
    "clients.sort_values(by=['region', 'revenue'], ascending=[True, False])",
    "clients.isna().sum()['region']",
    "clients.resample('MS', on='joined')['revenue'].sum()",
    "clients.set_index('joined').resample('MS')['revenue'].sum()",
    "clients['region'].map({'north': 1}).fillna(0).astype(int)",
    "clients['revenue'].plot(kind='bar', title='Revenue')",
    "clients.plot.scatter(x='id', y='revenue')",
    "del clients['id']\nclients['region']",
    "clients.pop('id').sum()",
    # accessors of columns by their types
    "clients['joined'].dt.year, clients['region'].str.upper()",
    "clients['id'].astype(str).str.zfill(3)",
    "clients['id'] = clients['id'].astype(str)\nclients['id'].str.zfill(3)",
    "clients = clients.astype({'id': str})\nclients['id'].str.zfill(3)",
    "clients['day'] = '2024-01-01'\nclients['day'] = pd.to_datetime(clients['day'])\n"
    "clients['day'].dt.year",
    "clients['region'] = pd.to_datetime('2024-01-01')\nclients.region.dt.year",
    "clients.assign(id='x')['id'].str.upper()",
    "clients.rename(columns={'id': 'n', 'region': 'id'})['id'].str.upper()",
    "clients[clients.id > 1].sort_values('joined')['joined'].dt.month",
    "levels = clients.set_index(['region', 'id'])\nlevels.loc['north', 1]",
    "levels = clients.set_index(['region', 'Official language'])\n"
    "levels.loc['north', 'a']",
    "pd.concat({'a': clients.set_index('region')}).loc['a', 'north']['id']",
    "cities['people'].to_list(), cities['people'].is_unique().all()",
    # merges
    "m = clients.merge(orders, left_on='id', right_on='client_id')\n"
    "m['region_x'], m['region_y'], m['amount']",
    "m = pd.merge(clients, orders, left_on='id', right_on='client_id', how='left', "
    "suffixes=('', '_order'))\nm['region'], m['region_order']",
    "m = clients.merge(orders, on='region')\nm['region'], m['amount']",
    "m = clients.merge(orders, on='region', how='outer', indicator=True)\nm['_merge']",
    "m = clients.merge(orders.rename(columns={'client_id': 'id'}), on='id')\nm['amount']",
    "totals = orders.groupby('client_id')['amount'].sum()\n"
    "m = clients.merge(totals, left_on='id', right_index=True)\nm['amount']",
    "totals = orders.groupby('client_id', as_index=False)['amount'].sum()\n"
    "m = clients.merge(totals, left_on='id', right_on='client_id')\nm['amount']",
    "growth.join(pd.DataFrame({'p': [1, 2, 3]}, index=growth.index))['p']",
    "both = pd.concat([clients, orders])\nboth[['amount', 'revenue']]",
    "pd.concat([clients['id'], orders['amount']], axis=1)['amount']",
    "pd.concat({'a': clients, 'b': orders}).loc['a']",
    "frame = pd.DataFrame({'a': [1], 'b': [2]})\nframe['a'] + frame['b']",
    "frame = pd.DataFrame([[1, 2]], columns=['a', 'b'])\nframe.a",
    "frame = pd.DataFrame()\nframe['x'] = [1, 2]\nframe['x']",
    "frame = pd.DataFrame(np.zeros((2, 2)))\nframe[0]",
    "rows = [{'a': 1}]\npd.DataFrame(rows)['a']",
    # numpy, matplotlib, Python
    "np.mean(matrix, axis=0), np.random.default_rng(0).normal(size=3)",
    "np.linalg.norm(matrix), matrix.T @ matrix, matrix.shape[0]",
    "np.testing.assert_allclose(1, 1)",
    "from numpy.random import default_rng\ndefault_rng(1).integers(3)",
    "import numpy.linalg as la\nla.inv(np.eye(2))",
    "np.where(clients['revenue'] > 5, 'big', 'small')",
    "fig, ax = plt.subplots(figsize=(4, 3))\nax.plot([1, 2])\nax.set_title(title)",
    "plt.figure()\nplt.bar(clients['region'], clients['revenue'], color='red')\n"
    "plt.xlabel('x')\nplt.show()",
    "plt.hist(ages, bins=3, label='a')\nplt.legend(loc='best')\nplt.close('all')",
    "datetime.datetime.now().year + datetime.timedelta(days=1).days",
    "from datetime import date\ndate.today().isoformat()",
    "from collections import Counter, defaultdict\nCounter(words).most_common(1)",
    "import re, json, itertools\nre.sub('a', 'b', title), json.dumps(settings)",
    "import os.path\nos.path.join('a', 'b')",
    "from pathlib import Path\nPath('.').resolve().name",
    "[w.upper() for w in words if w != 'x'], {k: v for k, v in settings.items()}",
    "sorted(words, key=len, reverse=True), sum(range(limit)), title.title()",
    "def area(radius: float, *, unit: str = 'm') -> str:\n"
    "    return f'{math.pi * radius ** 2:.2f} {unit}'\narea(2, unit='cm')",
    "class Box:\n    size = 1\n    def grow(self, by=1):\n        self.size += by\n"
    "        return self\nBox().grow(by=2).size",
    "def later():\n    return helper() + 1\ndef helper():\n    return 1\nlater()",
    "import functools\n@functools.lru_cache(maxsize=None)\ndef fib(n):\n"
    "    return n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(10)",
    "try:\n    import tomllib as toml\nexcept ImportError:\n    toml = None\ntoml",
    "if (n := len(words)) > 1:\n    print(n)",
    "match limit:\n    case 3 as three:\n        print(three)\n    case [x, *rest]:\n"
    "        print(x, rest)",
    "total = 0\nfor i, word in enumerate(words):\n    total += i\nelse:\n    print(i)\ntotal",
    "first, *others = words\nothers",
    "with open(os.devnull) if False else __import__('io').StringIO('x') as handle:\n"
    "    handle.read()"
    "\nimport os",
    "scaled(clients, factor=3)['scaled'].max()",
    "print(*words, sep=', ', end='\\n')",
    "matrix.reshape(-1).tolist(), words.copy(), settings.get('rate', 1)",
    "x = y = 0\nlambda a, b=x: a + b + y",
    "global_name = 1\ndef use():\n    global global_name\n    global_name += 1\nuse()",
    # polars
    "cities['city'], cities.select('people')",
    "cities.filter(pl.col('people') > 1).sort('city')",
    "cities.with_columns((pl.col('people') * 2).alias('twice'))['twice']",
    "cities.with_columns(twice=pl.col('people') * 2).select('twice')",
    "cities.group_by('city').agg(pl.col('people').sum().alias('n')).select('n')",
    "cities.with_columns(pl.all().name.suffix('_s'))['city_s']",
    "cities.to_pandas()['city']",
)
"""Code that runs with the variables of `namespace`."""

WRONG = (
    (
        "by_region.most_common(1)",
        "collections.defaultdict has no attribute 'most_common'",
    ),
    ("axes.boxplot([1, 2], by='club')", "axes.boxplot takes no argument 'by'"),
    (
        "axes.set_xlable('x')",
        "matplotlib.axes.Axes has no attribute 'set_xlable'; nearest: 'set_xlabel'",
    ),
    (
        "model.predict_proba(clients)",
        "sklearn.linear_model.LinearRegression has no attribute 'predict_proba'; "
        "nearest: 'predict'",
    ),
    (
        "rng.randint(3)",
        "numpy.random.Generator has no attribute 'randint'; instead: integers",
    ),
    ("model.coef_", None),
    ("proxy.missing", None),
    (
        "clients.plot(x='Id', y='revenue')",
        "clients has no column 'Id'; nearest: 'id'",
    ),
    ("clients.plot.bar(x='city')", "clients has no column 'city'"),
    (
        "clients.plot.scater(x='id', y='revenue')",
        "pandas.DataFrame.plot has no attribute 'scater'; nearest: 'scatter'",
    ),
    (
        "import seaborn as sns\nsns.barplot(data=clients, x='Region', y='revenue')",
        "clients has no column 'Region'; nearest: 'region'",
    ),
    ("clients['Region']", "clients has no column 'Region'; nearest: 'region'"),
    (
        "clients[['region', 'Revenue']]",
        "clients has no column 'Revenue'; nearest: 'revenue'",
    ),
    (
        "clients['Language'].unique()",
        "clients has no column 'Language'; nearest: 'Official language'",
    ),
    (
        "clients['official_language']",
        "clients has no column 'official_language'; nearest: 'Official language'",
    ),
    ("clients['salary'].mean()", "clients has no column 'salary'"),
    ("growth['Country']", "growth has no column 'Country'"),
    (
        "clients.groupby('Region')['revenue'].sum()",
        "clients has no column 'Region'; nearest: 'region'",
    ),
    (
        "clients.groupby('region')['Revenue'].sum()",
        "clients has no column 'Revenue'; nearest: 'revenue'",
    ),
    (
        "clients.groupby('region').agg({'revenues': 'sum'})",
        "clients has no column 'revenues'; nearest: 'revenue'",
    ),
    (
        "clients.groupby('region').agg(total=('sales', 'sum'))",
        "clients has no column 'sales'",
    ),
    (
        "clients.sort_values('Revenue')",
        "clients has no column 'Revenue'; nearest: 'revenue'",
    ),
    (
        "clients.sort_values(by=['region', 'joined_at'])",
        "clients has no column 'joined_at'; nearest: 'joined'",
    ),
    ("clients.drop(columns=['ID'])", "clients has no column 'ID'; nearest: 'id'"),
    ("clients.drop('ID', axis=1)", "clients has no column 'ID'; nearest: 'id'"),
    ("clients.set_index('ID')", "clients has no column 'ID'; nearest: 'id'"),
    (
        "clients.dropna(subset=['Revenue'])",
        "clients has no column 'Revenue'; nearest: 'revenue'",
    ),
    (
        "clients.drop_duplicates('Region')",
        "clients has no column 'Region'; nearest: 'region'",
    ),
    (
        "clients.nlargest(3, 'Revenue')",
        "clients has no column 'Revenue'; nearest: 'revenue'",
    ),
    (
        "clients.pivot_table(index='Region', values='revenue')",
        "clients has no column 'Region'; nearest: 'region'",
    ),
    (
        "clients.loc[clients['revenue'] > 5, 'Region']",
        "clients has no column 'Region'; nearest: 'region'",
    ),
    (
        "clients[clients['Revenue'] > 5]",
        "clients has no column 'Revenue'; nearest: 'revenue'",
    ),
    (
        "clients.apply(lambda row: row['Region'], axis=1)",
        "clients has no column 'Region'; nearest: 'region'",
    ),
    (
        "for i, row in clients.iterrows():\n    print(row['Region'])",
        "clients has no column 'Region'; nearest: 'region'",
    ),
    (
        "clients.assign(tax=lambda d: d['Revenue'] * 0.2)",
        "clients has no column 'Revenue'; nearest: 'revenue'",
    ),
    ("clients.astype({'ID': str})", "clients has no column 'ID'; nearest: 'id'"),
    (
        "clients.melt(id_vars='Region', value_vars=['revenue'])",
        "clients has no column 'Region'; nearest: 'region'",
    ),
    ("clients.merge(orders, on='id')", "orders has no column 'id'"),
    (
        "pd.merge(clients, orders, left_on='id', right_on='clientid')",
        "orders has no column 'clientid'; nearest: 'client_id'",
    ),
    (
        "m = clients.merge(orders, left_on='id', right_on='client_id')\nm['region']",
        "m has no column 'region'; nearest: 'region_x'",
    ),
    (
        "clients = clients.rename(columns={'revenue': 'sales'})\nclients['revenue']",
        "clients has no column 'revenue'",
    ),
    (
        "t = clients.groupby('region')['revenue'].sum().reset_index()\nt['total']",
        "t has no column 'total'",
    ),
    (
        "t = clients.groupby('region')['revenue'].agg(['min', 'max'])\nt['mean']",
        "t has no column 'mean'",
    ),
    (
        "frame = pd.DataFrame({'name': [1]})\nframe['Name']",
        "frame has no column 'Name'; nearest: 'name'",
    ),
    (
        "clients.query('Revenue > 5')",
        "clients has no column 'Revenue'; nearest: 'revenue'",
    ),
    (
        "clients.Region.unique()",
        "clients has no column or attribute 'Region'; nearest: 'region'",
    ),
    (
        "clients.append({'id': 5})",
        "pandas.DataFrame has no attribute 'append'; instead: pandas.concat",
    ),
    ("clients.ix[0]", "pandas.DataFrame has no attribute 'ix'; instead: loc"),
    (
        "clients['region'].str.capitalise()",
        "pandas.core.strings.accessor.StringMethods has no attribute 'capitalise'; "
        "nearest: 'capitalize'",
    ),
    (
        "clients['revenue'].iteritems()",
        "pandas.Series has no attribute 'iteritems'; instead: items",
    ),
    (
        "clients['region'].dt.year",
        "clients['region'] has text, and .dt needs dates; convert it: pandas.to_datetime",
    ),
    (
        "clients.head()['revenue'].str.upper()",
        "clients.head()['revenue'] has numbers, and .str needs text; convert it: astype(str)",
    ),
    (
        "clients[clients.id > 1].joined.str[:4]",
        "clients[clients.id > 1].joined has dates, and .str needs text; convert it: astype(str)",
    ),
    ("np.float(3)", "numpy has no attribute 'float'; instead: float"),
    ("np.NaN", "numpy has no attribute 'NaN'; nearest: 'nan'"),
    ("np.avg(matrix)", "numpy has no attribute 'avg'"),
    ("pd.merg(clients, orders)", "pandas has no attribute 'merg'; nearest: 'merge'"),
    (
        "plt.scater([1], [2])",
        "matplotlib.pyplot has no attribute 'scater'; nearest: 'scatter'",
    ),
    (
        "datetime.now()",
        "datetime has no attribute 'now'; instead: datetime.datetime.now",
    ),
    ("matrix.append(1)", "numpy.ndarray has no attribute 'append'"),
    ("words.push('x')", "list has no attribute 'push'"),
    (
        "from pandas import DataFram",
        "pandas has no attribute 'DataFram'; nearest: 'DataFrame'",
    ),
    (
        "clients.sort_values('id', ascend=True)",
        "clients.sort_values takes no argument 'ascend'; nearest: 'ascending'",
    ),
    (
        "pd.merge(clients, orders, left='id')",
        None,
    ),
    (
        "pd.merge(clients, orders, key='id')",
        "merge takes no argument 'key'",
    ),
    ("np.mean(matrix, axes=0)", "mean takes no argument 'axes'; nearest: 'axis'"),
    (
        "plt.subplots(row=2)",
        None,
    ),
    (
        "clients.drop('id', 1)",
        "clients.drop takes at most 1 value without a name, not 2",
    ),
    ("scaled(clients, factr=2)", "scaled takes no argument 'factr'; nearest: 'factor'"),
    ("cliens.head()", "'cliens' is not defined; nearest: 'clients'"),
    ("print(total)", "'total' is not defined"),
    (
        "sns.barplot(x=[1], y=[2])",
        "'sns' is not defined; missing: import seaborn as sns",
    ),
    ("import pandsa", "pandsa is not installed"),
    (
        "pd.read_csv('missing/clients.csv')",
        "there is no file 'missing/clients.csv'",
    ),
    ("cities['City']", "cities has no column 'City'; nearest: 'city'"),
    (
        "cities.filter(pl.col('population') > 1)",
        "cities has no column 'population'",
    ),
    (
        "cities.groupby('city')",
        "polars.DataFrame has no attribute 'groupby'; nearest: 'group_by'",
    ),
)
"""Code that fails with the variables of `namespace`, and the line about it; None where
nothing can be said for sure.
"""
