"""SQL: the orders of a bicycle workshop in SQLite."""

from __future__ import annotations

from ..question import Notebook, Question

WORKSHOP = Notebook(
    "workshop",
    """\
# %%
import sqlite3
import pandas as pd
# %%
con = sqlite3.connect(":memory:")
con.executescript(\"\"\"
CREATE TABLE bikes (bike_id INTEGER PRIMARY KEY, owner TEXT, brand TEXT, bought INTEGER);
CREATE TABLE jobs (job_id INTEGER PRIMARY KEY, bike_id INTEGER, mechanic TEXT,
                   started TEXT, hours REAL, status TEXT);
CREATE TABLE parts (job_id INTEGER, part TEXT, pieces INTEGER, price REAL);
\"\"\")
# %%
con.executemany("INSERT INTO bikes VALUES (?, ?, ?, ?)", [
    (1, "Ida", "Velo", 2019), (2, "Ben", "Roadster", 2022), (3, "Ida", "Velo", 2024),
    (4, "Cleo", "Cargo", 2023), (5, "Dov", "Roadster", 2015)])
con.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)", [
    (10, 1, "Uma", "2026-01-12", 2.5, "done"), (11, 2, "Val", "2026-01-30", 1.0, "done"),
    (12, 1, "Uma", "2026-02-03", 0.5, "done"), (13, 4, "Val", "2026-02-14", 4.0, "waiting"),
    (14, 3, "Wim", "2026-02-20", 1.5, "done"), (15, 2, "Uma", "2026-03-01", 3.0, "waiting")])
con.executemany("INSERT INTO parts VALUES (?, ?, ?, ?)", [
    (10, "chain", 1, 24.0), (10, "brake pad", 4, 6.5), (11, "tube", 2, 5.0),
    (13, "brake pad", 6, 6.5), (13, "tyre", 2, 31.0), (15, "chain", 1, 27.0)])
con.commit()
# %%
def query(sql, *values):
    return pd.read_sql_query(sql, con, params=values)
# %%
query("SELECT name FROM sqlite_master WHERE type = 'table'")
# %%
query("SELECT * FROM jobs LIMIT 3")
# %%
RATE = 48.0
# %%
hours = query("SELECT mechanic, sum(hours) AS hours FROM jobs GROUP BY mechanic")
hours
# %%
waiting = query("SELECT * FROM jobs WHERE status = ?", "waiting")
""",
    (
        Question(
            "parts_value",
            "total value of all parts per part name, from the database",
            'query("SELECT part, sum(pieces * price) AS value FROM parts GROUP BY part")',
            wrong=(
                'query("SELECT part, sum(price) AS value FROM parts GROUP BY part")',
                'query("SELECT name, sum(quantity * price) FROM parts GROUP BY name")',
                "parts.groupby('part')['price'].sum()",
            ),
            also=(
                'pd.read_sql("SELECT part, SUM(price * pieces) AS total FROM parts '
                'GROUP BY part ORDER BY total DESC", con)',
            ),
            loose=(
                'con.execute("SELECT part, sum(pieces * price) FROM parts GROUP BY part")'
                ".fetchall()",
                'p = query("SELECT * FROM parts")\n'
                '(p["pieces"] * p["price"]).groupby(p["part"]).sum()',
            ),
            any_names=True,
        ),
        Question(
            "bikes_without_job",
            "owners of bikes that never had a job",
            'query("SELECT owner FROM bikes WHERE bike_id NOT IN (SELECT bike_id FROM jobs)")',
            wrong=(
                'query("SELECT owner FROM bikes WHERE bike_id IN (SELECT bike_id FROM jobs)")',
                'query("SELECT owner FROM bikes WHERE status IS NULL")',
            ),
            also=(
                'query("""SELECT b.owner FROM bikes b LEFT JOIN jobs j '
                'ON j.bike_id = b.bike_id WHERE j.job_id IS NULL""")',
            ),
            loose=(
                'query("SELECT owner FROM bikes WHERE bike_id NOT IN '
                '(SELECT bike_id FROM jobs)")["owner"].tolist()',
            ),
        ),
        Question(
            "monthly_jobs",
            "number of jobs per month (like 2026-01) with sql",
            'query("SELECT substr(started, 1, 7) AS month, count(*) AS jobs FROM jobs '
            'GROUP BY month")',
            wrong=(
                'query("SELECT month, count(*) FROM jobs GROUP BY month")',
                'query("SELECT started, count(*) AS jobs FROM jobs GROUP BY started")',
            ),
            also=(
                "query(\"SELECT strftime('%Y-%m', started) AS m, count(job_id) FROM jobs "
                'GROUP BY 1 ORDER BY 1")',
            ),
            loose=('query("SELECT * FROM jobs")["started"].str[:7].value_counts()',),
            any_names=True,
        ),
        Question(
            "invoice",
            "what does job 10 cost altogether: hours * RATE plus its parts? a single number",
            'work = query("SELECT hours FROM jobs WHERE job_id = 10")["hours"][0] * RATE\n'
            'used = query("SELECT sum(pieces * price) AS total FROM parts WHERE job_id = 10")\n'
            'float(work + used["total"][0])',
            wrong=(
                'query("SELECT hours FROM jobs WHERE job_id = 10")["hours"][0] * RATE',
                'query("SELECT sum(price) AS t FROM parts WHERE job_id = 10")["t"][0]',
            ),
            also=(
                'con.execute("SELECT hours * ? + (SELECT sum(pieces * price) FROM parts '
                'WHERE job_id = 10) FROM jobs WHERE job_id = 10", (RATE,)).fetchone()[0]',
            ),
            loose=(
                'query("SELECT hours * 48.0 + (SELECT sum(pieces * price) FROM parts '
                'WHERE job_id = 10) AS cost FROM jobs WHERE job_id = 10")',
            ),
        ),
        Question(
            "join_all",
            "one table please: job_id, owner, brand, mechanic, hours for all jobs that are done",
            'query("SELECT job_id, owner, brand, mechanic, hours FROM jobs '
            "JOIN bikes USING (bike_id) WHERE status = 'done'\")",
            wrong=(
                'query("SELECT job_id, owner, brand, mechanic, hours FROM jobs '
                'JOIN bikes USING (bike_id)")',
                'query("SELECT job_id, owner, brand, mechanic, hours FROM jobs '
                "WHERE status = 'done'\")",
            ),
            also=(
                "jobs = query(\"SELECT * FROM jobs WHERE status = 'done'\")\n"
                'bikes = query("SELECT * FROM bikes")\n'
                'jobs.merge(bikes, on="bike_id")[["job_id", "owner", "brand", "mechanic", '
                '"hours"]]',
            ),
        ),
        Question(
            "set_done",
            "set job 13 to done in the db, then show how many jobs are still waiting",
            "con.execute(\"UPDATE jobs SET status = 'done' WHERE job_id = 13\")\n"
            "con.execute(\"SELECT count(*) FROM jobs WHERE status = 'waiting'\").fetchone()[0]",
            wrong=(
                "len(waiting)",
                "query(\"UPDATE jobs SET status = 'done' WHERE job_id = 13\")",
            ),
            also=(
                "with con:\n"
                "    con.execute(\"UPDATE jobs SET status = 'done' WHERE job_id = ?\", (13,))\n"
                "query(\"SELECT count(*) AS n FROM jobs WHERE status = 'waiting'\")['n'][0]",
            ),
            loose=(
                "con.execute(\"UPDATE jobs SET status = 'done' WHERE job_id = 13\")\n"
                "query(\"SELECT count(*) AS n FROM jobs WHERE status = 'waiting'\")",
            ),
        ),
        Question(
            "most_hours",
            "mechanic with the most hours?",
            'hours.loc[hours["hours"].idxmax(), "mechanic"]',
            wrong=(
                'hours["hours"].max()',
                'hours["hours"].idxmax()',
                'hours["mechanic"].max()',
            ),
            also=(
                'query("SELECT mechanic FROM jobs GROUP BY mechanic '
                'ORDER BY sum(hours) DESC LIMIT 1")["mechanic"].iloc[0]',
            ),
            loose=(
                'query("SELECT mechanic FROM jobs GROUP BY mechanic '
                'ORDER BY sum(hours) DESC LIMIT 1")',
            ),
        ),
        Question(
            "newest_bike",
            "newest bike of every owner (owner, brand, bought), ask the database",
            'query("SELECT owner, brand, bought FROM bikes AS b WHERE bought = '
            '(SELECT max(bought) FROM bikes WHERE owner = b.owner)")',
            wrong=(
                'query("SELECT owner, brand, bought FROM bikes")',
                'query("SELECT owner, brand, min(bought) AS bought FROM bikes GROUP BY owner")',
            ),
            also=(
                'query("SELECT owner, brand, max(bought) AS bought FROM bikes GROUP BY owner")',
            ),
        ),
    ),
)
