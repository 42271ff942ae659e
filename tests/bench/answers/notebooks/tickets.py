"""Text: the tickets of a support desk, with the standard library and pandas."""

from __future__ import annotations

from ..question import Notebook, Question

TICKETS_TSV = """\
id\tcustomer\tmessage
T-101\tmila@corner.example\tThe printer PX-200 shows error E42 since Monday.
T-102\tjon@corner.example\tERROR e42 again!! Please call me: 030 555 0199
T-103\tsales@bigbox.example\tInvoice 2026-0042 is wrong, the total should be 119.00 EUR.
T-104\tmila@corner.example\tThanks, the printer works now.
T-105\tann@bigbox.example\tHow do I reset my password? The link is broken.
T-106\ttom@lake.example\tpassword reset link BROKEN, third time this week
T-107\tjon@corner.example\tScanner PX-310 gives error E07 and then E42.
T-108\tlea@lake.example\tPlease cancel my order 2026-0107.
T-109\tann@bigbox.example\tThe invoice 2026-0107 is missing.
T-110\tlea@lake.example\t  where is my order?\x20
"""

TICKETS = Notebook(
    "tickets",
    """\
# %%
import re
from collections import Counter, defaultdict
import pandas as pd
# %%
with open("tickets.tsv", encoding="utf-8") as file:
    header, *lines = file.read().splitlines()
len(lines)
# %%
tickets = [dict(zip(header.split("\\t"), line.split("\\t"))) for line in lines]
tickets[0]
# %%
STOP = {"the", "is", "a", "i", "my", "me", "and", "do", "how", "since", "then", "this"}
# %%
def words(text):
    return [w for w in re.findall(r"[a-z]+", text.lower()) if w not in STOP]
# %%
counts = Counter(w for t in tickets for w in words(t["message"]))
counts.most_common(5)
# %%
by_customer = defaultdict(list)
for t in tickets:
    by_customer[t["customer"]].append(t["id"])
# %%
messages = pd.Series({t["id"]: t["message"] for t in tickets}, name="message")
messages.str.len().describe()
# %%
URGENT = re.compile(r"!!|third time|again", re.I)
urgent = [t["id"] for t in tickets if URGENT.search(t["message"])]
urgent
""",
    (
        Question(
            "error_codes",
            "count the error codes (E plus two digits, upper or lower case, count as upper) "
            "in all messages",
            "Counter(code.upper() for t in tickets "
            'for code in re.findall(r"\\be\\d{2}\\b", t["message"], re.I))',
            wrong=(
                'Counter(code for t in tickets for code in re.findall(r"E\\d{2}", t["message"]))',
                'Counter(re.findall(r"E\\d{2}", tickets))',
            ),
            also=(
                "codes = {}\nfor message in messages:\n"
                '    for code in re.findall(r"[Ee]\\d\\d\\b", message):\n'
                "        codes[code.upper()] = codes.get(code.upper(), 0) + 1\ncodes",
            ),
            loose=(
                'messages.str.upper().str.findall(r"\\bE\\d{2}\\b").explode()'
                ".value_counts()",
            ),
        ),
        Question(
            "domains",
            "which mail domains do the customers have, each once, sorted",
            'sorted({t["customer"].split("@")[1] for t in tickets})',
            wrong=(
                '[t["customer"].split("@")[1] for t in tickets]',
                'sorted({t["email"].split("@")[1] for t in tickets})',
                'sorted({t["customer"] for t in tickets})',
            ),
            also=('sorted(set(c.partition("@")[2] for c in by_customer))',),
            loose=('print(sorted({t["customer"].split("@")[1] for t in tickets}))',),
            ordered=True,
        ),
        Question(
            "mask_phone",
            "write mask(text) that replaces each digit by # but leaves ticket numbers like "
            "T-101 alone",
            'def mask(text):\n    return re.sub(r"T-\\d+|\\d", lambda m: m[0] if '
            'm[0].startswith("T") else "#", text)',
            wrong=(
                'def mask(text):\n    return re.sub(r"\\d", "#", text)',
                'def mask(text):\n    return re.sub(r"\\d+", "#", text)',
            ),
            also=(
                "def mask(text):\n"
                '    parts = re.split(r"(T-\\d+)", text)\n'
                '    return "".join(p if i % 2 else re.sub(r"\\d", "#", p) '
                "for i, p in enumerate(parts))",
            ),
            calls=(
                'mask("T-101: call 030 555")',
                'mask("no digits")',
                'mask("in 2026")',
            ),
        ),
        Question(
            "busiest",
            "customer with the most tickets?",
            "max(by_customer, key=lambda c: len(by_customer[c]))",
            wrong=(
                "max(by_customer)",
                "max(len(ids) for ids in by_customer.values())",
                'tickets["customer"].value_counts().idxmax()',
            ),
            also=(
                "sorted(by_customer, key=lambda c: len(by_customer[c]), reverse=True)[0]",
                'Counter(t["customer"] for t in tickets).most_common(1)[0][0]',
            ),
            loose=(
                "best = max(by_customer, key=lambda c: len(by_customer[c]))\n"
                'print("most tickets:", best)',
            ),
        ),
        Question(
            "lookup",
            "make a dict order_numbers: ticket id -> number like 2026-0042, only tickets that "
            "mention one",
            'order_numbers = {t["id"]: m[0] for t in tickets '
            'if (m := re.search(r"\\d{4}-\\d{4}", t["message"]))}',
            wrong=(
                'order_numbers = {t["id"]: re.findall(r"\\d{4}-\\d{4}", t["message"]) '
                "for t in tickets}",
                'order_numbers = {t["id"]: m[0] for t in tickets '
                'if (m := re.search(r"\\d{4}", t["message"]))}',
            ),
            also=(
                "order_numbers = {}\nfor t in tickets:\n"
                '    found = re.search(r"\\b2026-\\d{4}\\b", t["message"])\n'
                '    if found:\n        order_numbers[t["id"]] = found.group()',
            ),
            into="order_numbers",
        ),
        Question(
            "clean_messages",
            "strip blanks around the messages, lower case, then how many contain 'broken'?",
            'int(messages.str.strip().str.lower().str.contains("broken").sum())',
            wrong=(
                'int(messages.str.contains("broken").sum())',
                'messages.strip().lower().count("broken")',
            ),
            also=('sum("broken" in t["message"].strip().lower() for t in tickets)',),
            loose=(
                "cleaned = messages.str.strip().str.lower()\n"
                'print(cleaned.str.contains("broken").sum())',
            ),
        ),
        Question(
            "longest_word",
            "longest word in counts",
            "max(counts, key=len)",
            wrong=(
                "max(counts)",
                "counts.most_common(1)[0][0]",
                "max(len(w) for w in counts)",
            ),
            also=("sorted(counts, key=len)[-1]",),
            loose=("print(max(counts.keys(), key=len))",),
        ),
        Question(
            "frame",
            "turn tickets into a dataframe tf with an extra boolean column urgent (use URGENT)",
            "tf = pd.DataFrame(tickets)\n"
            'tf["urgent"] = tf["message"].map(lambda m: bool(URGENT.search(m)))',
            wrong=(
                "tf = pd.DataFrame(tickets)",
                'tf = pd.DataFrame(tickets)\ntf["urgent"] = tf["message"].str.contains("!!")',
            ),
            also=(
                "tf = pd.DataFrame(tickets)\n"
                'tf["urgent"] = tf["message"].str.contains(URGENT)',
                'tf = pd.DataFrame(tickets)\ntf["urgent"] = tf["id"].isin(urgent)',
            ),
            into="tf",
        ),
    ),
    files={"tickets.tsv": TICKETS_TSV},
)
