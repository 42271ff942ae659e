"""Merges: members, books and loans of a library."""

from __future__ import annotations

from ..question import Notebook, Question

MEMBERS = """\
member_no,Name,Joined,city
0007,Ines,2019-04-02,Graz
0012,Joel,2021-09-15,Linz
0015,Katya,2020-01-20,Graz
0021,Liam,2023-06-01,Wels
0033,Mona,2022-11-11,Linz
0040,Nils,2024-02-28,Graz
"""
BOOKS = """\
isbn,Title,author,year
978-01,The Salt Road,Berg,1998
978-02,Winter Birds,Okafor,2011
978-03,A Short Map,Berg,2005
978-04,Clocks,Silva,2020
978-05,Night Ferry,Tanaka,2016
978-06,Stone Soup,Okafor,1987
978-07,Dials,Silva,2001
978-08,Gears,Silva,2003
"""
LOANS = """\
loan,member,isbn,out,back
1,7,978-01,2025-01-03,2025-01-20
2,12,978-02,2025-01-05,2025-02-25
3,7,978-03,2025-01-21,2025-02-01
4,15,978-02,2025-02-27,
5,33,978-05,2025-03-01,2025-03-30
6,12,978-01,2025-03-04,2025-03-09
7,7,978-02,2025-03-11,
8,21,978-05,2025-04-01,2025-05-20
9,99,978-04,2025-04-02,2025-04-10
10,33,978-03,2025-04-03,2025-04-12
"""

LIBRARY = Notebook(
    "library",
    """\
# %%
import pandas as pd
# %%
members = pd.read_csv("members.csv", dtype={"member_no": str}, parse_dates=["Joined"])
members
# %%
books = pd.read_csv("books.csv").set_index("isbn")
books
# %%
loans = pd.read_csv("loans.csv", parse_dates=["out", "back"])
loans.head()
# %%
loans.dtypes
# %%
# members are written 0007 in one system and 7 in the other
members["no"] = members["member_no"].astype(int)
# %%
FREE_DAYS = 28
FEE = 0.5
# %%
loans["days"] = (loans["back"] - loans["out"]).dt.days
loans[["loan", "days"]]
# %%
open_loans = loans[loans["back"].isna()]
print(len(open_loans), "books are out")
# %%
def late_fee(days):
    return max(0, days - FREE_DAYS) * FEE
""",
    (
        Question(
            "joined",
            "join loans with members so that every loan has Name and city, call it full. "
            "keep loans of unknown members",
            'full = loans.merge(members, left_on="member", right_on="no", how="left")',
            wrong=(
                'full = loans.merge(members, left_on="member", right_on="no")',
                'full = loans.merge(members, left_on="member", right_on="member_no", how="left")',
            ),
            also=(
                'full = loans.merge(members[["no", "Name", "city"]], left_on="member", '
                'right_on="no", how="left")',
                'full = pd.merge(loans, members.rename(columns={"no": "member"}), '
                'on="member", how="left")',
            ),
            calls=('full[["loan", "Name", "city"]]',),
        ),
        Question(
            "never_borrowed",
            "titles of books nobody has ever borrowed",
            'books[~books.index.isin(loans["isbn"])]["Title"].tolist()',
            wrong=(
                'books[books.index.isin(loans["isbn"])]["Title"].tolist()',
                'books[~books["isbn"].isin(loans["isbn"])]["Title"]',
            ),
            also=('sorted(books.loc[~books.index.isin(loans["isbn"]), "Title"])',),
            loose=(
                'books[~books.index.isin(loans["isbn"])][["Title"]]',
                'books[~books.index.isin(loans["isbn"])]["Title"]',
                'print(books.loc[~books.index.isin(loans["isbn"]), "Title"])',
            ),
        ),
        Question(
            "loans_per_city",
            "how many loans per city?",
            'loans.merge(members, left_on="member", right_on="no")["city"].value_counts()',
            wrong=(
                'members["city"].value_counts()',
                'loans.groupby("city").size()',
            ),
            also=(
                'loans.merge(members, left_on="member", right_on="no").groupby("city")'
                '["loan"].count()',
            ),
            loose=(
                'loans.merge(members, left_on="member", right_on="no").groupby("city")'
                '.size().reset_index(name="loans")',
            ),
        ),
        Question(
            "unknown_members",
            "Are there loans whose member is not in members? Show these rows of loans.",
            'loans[~loans["member"].isin(members["no"])]',
            wrong=(
                'loans[~loans["member"].isin(members["member_no"])]',
                'loans[loans["member"].isin(members["no"])]',
            ),
            also=('loans.query("member not in @members.no")',),
            loose=('print(loans[~loans["member"].isin(members["no"])])',),
        ),
        Question(
            "most_read_author",
            "name of the author with the most loans",
            'loans.join(books, on="isbn")["author"].value_counts().idxmax()',
            wrong=(
                'books["author"].value_counts().idxmax()',
                'loans["author"].value_counts().idxmax()',
            ),
            also=(
                'loans.merge(books, left_on="isbn", right_index=True).groupby("author")'
                ".size().idxmax()",
            ),
            loose=(
                'print(loans.join(books, on="isbn")["author"].value_counts().index[0])',
            ),
        ),
        Question(
            "fees",
            "total late fee per member Name (use late_fee, skip books that are still out)",
            'done = loans.dropna(subset=["days"]).merge(members, left_on="member", '
            'right_on="no")\n'
            'done["fee"] = done["days"].map(late_fee)\n'
            'done.groupby("Name")["fee"].sum()',
            wrong=(
                'done = loans.dropna(subset=["days"]).merge(members, left_on="member", '
                'right_on="no")\n'
                'done.groupby("Name")["days"].sum()',
                'loans.groupby("Name")["days"].apply(late_fee)',
            ),
            also=(
                'full = loans[loans["back"].notna()].merge(members, left_on="member", '
                'right_on="no")\n'
                'full.assign(fee=full["days"].apply(late_fee)).groupby("Name")["fee"].sum()',
            ),
            loose=(
                'done = loans.dropna(subset=["days"]).merge(members, left_on="member", '
                'right_on="no")\n'
                'done["fee"] = done["days"].map(late_fee)\n'
                'done.groupby("Name", as_index=False)["fee"].sum()',
            ),
        ),
        Question(
            "who_has_it",
            "who has Winter Birds at the moment? there should be names",
            'out = open_loans[open_loans["isbn"].map(books["Title"]) == "Winter Birds"]\n'
            'out.merge(members, left_on="member", right_on="no")["Name"].tolist()',
            wrong=(
                'loans[loans["Title"] == "Winter Birds"]["Name"].tolist()',
                'out = loans[loans["isbn"] == "978-02"]\n'
                'out.merge(members, left_on="member", right_on="no")["Name"].tolist()',
            ),
            also=(
                'isbn = books.index[books["Title"] == "Winter Birds"][0]\n'
                'now = open_loans.loc[open_loans["isbn"] == isbn, "member"]\n'
                'members.loc[members["no"].isin(now), "Name"].tolist()',
            ),
            loose=(
                'out = open_loans[open_loans["isbn"] == "978-02"]\n'
                'out.merge(members, left_on="member", right_on="no")["Name"]',
            ),
        ),
        Question(
            "old_books",
            "mean age in 2025 of the books that were lent, each loan counts",
            '(2025 - loans.join(books, on="isbn")["year"]).mean()',
            wrong=(
                '(2025 - books["year"]).mean()',
                '2025 - loans["year"].mean()',
            ),
            also=(
                'lent = loans.merge(books.reset_index(), on="isbn")\n'
                '2025 - lent["year"].mean()',
            ),
            loose=('print((2025 - loans.join(books, on="isbn")["year"]).mean())',),
        ),
    ),
    files={"members.csv": MEMBERS, "books.csv": BOOKS, "loans.csv": LOANS},
)
