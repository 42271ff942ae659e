"""A model that recites answers to the questions of the tour, so that tests know each
answer word for word.
"""

from __future__ import annotations

from pathlib import Path

from .recital import RecitedAnswer, mentions, write_recital

NAME = "recital-demo"
# Tokens.
WINDOW = 32768
# So many layers slow it down to some thousand tokens per second on one core, so that
# its answers stream.
LAYERS = 128

DEFAULT = """\
I have no scripted answer to that, so here is what there is. Try one of these:

- *How do I get the mean of a column with pandas?*
- *Why is df empty after the merge?*
- *Explain a list comprehension*, or *What is a regex?*
- *Which formula gives the standard deviation?*
- *Think step by step: how many handshakes are there among five people?*
- *Plot a histogram*, *translate*, or *tell me a long story*

*I am the demo model and only recite. To ask a real one: `%buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf`, or start \
Ollama and type `%buddy /use local`.*
"""

HELLO = """\
Hello! I am your **coding buddy**, here in the notebook. A real model in my place would

1. answer questions about your code and your data,
2. write code that you can run in the next cell,
3. remember what was said, until you type `%buddy /reset`.

All of this happens on your own machine: the answer comes from llama.cpp, in a process \
beside the kernel.

*What you read is recited by a demo model. A real model is one line away: \
`%buddy /use embedded/hf:OWNER/REPO/FILE.gguf`, or `%buddy /use local` when Ollama \
runs.*
"""

MEAN = """\
Take the column and call `mean` on it:

```python
import pandas as pd

df = pd.DataFrame({"team": ["red", "blue", "red"], "score": [3, 4, 5]})
df["score"].mean()                  # one number: 4.0
df.groupby("team")["score"].mean()  # one for each team
```

Missing values are left out; with `skipna=False` the result is `nan` as soon as one is \
missing.

*(Recited by the demo model. For a model that thinks for itself: `%buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf`; for \
Ollama's: `%buddy /use local`.)*
"""

MERGE = """\
Most often because the **keys have different types**: the text `"7"` is not the number \
`7`, so no row finds a partner \
and an inner join keeps none.

```python
print(left["id"].dtype, right["id"].dtype)     # object int64: that is why
left["id"] = pd.to_numeric(left["id"])
merged = left.merge(right, on="id", how="outer", indicator=True)
merged["_merge"].value_counts()                # left_only, right_only, both
```

If the types agree, look for blanks and capitals in the keys: \
`left["id"].str.strip().str.lower()`.

*The demo model recited this without seeing your data. A real one: `%buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf`, or Ollama's by `%buddy /use local`.*
"""

COMPREHENSION = """\
A list comprehension builds a list in one expression:

```python
squares = [n * n for n in range(10) if n % 2 == 0]   # [0, 4, 16, 36, 64]
```

Read it from the middle: **for** each `n` in the range, **if** it is even, put `n * n` \
into the list. The loop below \
does the same:

```python
squares = []
for n in range(10):
    if n % 2 == 0:
        squares.append(n * n)
```

*That was the demo model, which knows this by heart and nothing else. Get a real \
model: \
`%buddy /use embedded/hf:OWNER/REPO/FILE.gguf`, or use Ollama: `%buddy /use local`.*
"""

REGEX = """\
A regular expression describes what a text looks like; Python's `re` finds it:

```python
import re

re.findall(r"\\b\\d{4}-\\d{2}-\\d{2}\\b", "from 2024-01-31 to 2024-02-29")
# ['2024-01-31', '2024-02-29']
```

| piece | matches |
|---|---|
| `\\d{4}` | four digits |
| `\\b` | the edge of a word |
| `.*?` | anything, as little as possible |

*A recital by the demo model. Real answers come from `%buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf`, or from Ollama \
after `%buddy /use local`.*
"""

FORMULA = r"""The standard deviation of $n$ values with mean $\bar{x}$ is

$$
s = \sqrt{\frac{1}{n - 1} \sum_{i=1}^{n} (x_i - \bar{x})^2}
$$

Dividing by $n - 1$ rather than $n$ makes up for the mean being taken from the same \
values. In pandas that is \
`df["score"].std()`; NumPy's `np.std` divides by $n$ unless told `ddof=1`.

*Recited, not computed: this is the demo model. For real ones type `%buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf`, or \
`%buddy /use local` with Ollama.*
""".replace("\\\n", "")

PLOT = """\
Pandas draws a histogram by itself:

```python
import matplotlib.pyplot as plt

ax = df["score"].plot.hist(bins=20, edgecolor="white")
ax.set(xlabel="score", title="How the scores are spread")
plt.show()
```

Too few bins hide the shape, too many show only noise: try `bins="auto"`.

*From the script of the demo model. Another model: `%buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf`; Ollama's models: \
`%buddy /use local`.*
"""

THINK = """\
<think>
Each of the five people shakes hands with four others. That makes 5 times 4, which is \
20. But then each handshake has \
been counted twice, once from either side. So half of it: 10. Check with fewer people: \
two give 1, three give 3. Right.
</think>

There are **10** handshakes.

Each of the 5 shakes hands with the 4 others, and each handshake belongs to two people:

$$
\\binom{5}{2} = \\frac{5 \\cdot 4}{2} = 10
$$

*Even the thoughts were recited: this model is a demo. One that really thinks: `%buddy \
/use \
embedded/hf:OWNER/REPO/FILE.gguf`, or with Ollama running, `%buddy /use local`.*
"""

TRANSLATE = """\
"Good morning, world" in a few languages:

| language | |
|---|---|
| 日本語 | おはよう、世界 🌏 |
| 中文 | 你好世界 |
| Deutsch | Guten Morgen, Welt |
| Français | Bonjour le monde 🥐 |
| العربية | صباح الخير أيها العالم |

*Learnt by heart by a demo model 🙂. For a model that speaks freely: `%buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf`, or Ollama by `%buddy /use local`.*
"""

STORY = """\
## The notebook that remembered

Once there was a notebook that lived on a laptop at the end of a long corridor. It had \
forty cells, and nobody had \
run them in order since the spring.

One evening a student opened it. She had a table of birds, seen from the same bridge \
every morning for eleven years, \
and one question: were there fewer of them now? The first cell loaded the table. The \
second cell failed, because the \
third had to be run before it. She sighed, and began to tidy up.

She moved the imports to the top. She gave the variables names that said what they \
held, so that `df2` became \
`sightings` and `tmp` became `per_year`. Where a number had been typed by hand, she \
wrote down where it came from. \
It took an hour, and it was the best hour of the week.

Then she drew the first picture. The line went down, steeply, and her heart went down \
with it. But something was odd: \
in the fourth year it fell by half between one Monday and the next. Birds do not do \
that. She looked at the rows \
themselves, a thing that few people find the time for, and saw that from that Monday \
on another hand had kept the \
book. The old observer had counted wings heard in fog; the new one counted only what \
she saw.

So it was not the birds that had changed, but the counting. The student marked the day \
in the table, split the years \
into two, and fitted each by itself. Now the line was almost level, with a slow rise \
at the end, which might be \
swallows, or hope.

She wrote all of this down between the cells, in whole sentences: what she had asked, \
what had misled her, and how \
she had noticed. Last of all she restarted the kernel and ran everything from the top. \
Every cell passed, from the \
first to the fortieth, and the picture at the bottom was the same as before.

On the next morning the professor read it through in one go, with a cup of tea that \
grew cold. "I could run this in \
ten years," he said, "and still know why." The notebook, of course, said nothing. But \
it had been run in order, it \
held no state that was not written down, and if a notebook can be content, this one was.

**The moral:** look at the rows, name things well, and before you go home: *Restart \
and run all*.

*The teller was the demo model, which has told this story before and will tell it \
again word for word. Livelier \
tellers: `%buddy /use embedded/hf:OWNER/REPO/FILE.gguf`, or `%buddy /use local` for \
those of Ollama.*
"""

FIX = """\
The second number that `share` gets is **zero**, and nothing can be divided by that.

```python
def share(part, whole):
    return part / whole if whole else 0.0
```

*The demo model recited this for the tour. A real one reads the traceback, the failing \
cell and the types of the \
variables that came with the question: `%buddy /use embedded/hf:OWNER/REPO/FILE.gguf`, \
or `%buddy /use local` for \
Ollama's.*
"""

JSON = """\
{"mean": 4.0, "count": 3, "teams": ["red", "blue"], "note": "recited by the demo \
model; for a real one: %buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf, or %buddy /use local with Ollama"}"""

CODE = """\
```python
# The demo model recites this; for a real one: %buddy /use \
embedded/hf:OWNER/REPO/FILE.gguf, or %buddy /use local
from statistics import mean, median

values = [3, 1, 4, 1, 5, 9, 2, 6]
print(f"mean {mean(values)}, median {median(values)}")
```"""

ANSWERS = (
    RecitedAnswer(DEFAULT),
    RecitedAnswer(JSON, mentions("one JSON value")),
    RecitedAnswer(CODE, mentions("code alone")),
    RecitedAnswer(STORY, mentions("story", "stream")),
    RecitedAnswer(THINK, mentions("step by step", "think", "handshake")),
    RecitedAnswer(FIX, mentions("what is wrong with")),
    RecitedAnswer(MERGE, mentions("merge", "join", "empty")),
    RecitedAnswer(MEAN, mentions("mean of", "mean diameter", "average")),
    RecitedAnswer(COMPREHENSION, mentions("comprehension", "explain")),
    RecitedAnswer(REGEX, mentions("regex", "regular expression")),
    RecitedAnswer(FORMULA, mentions("formula", "standard deviation", "math")),
    RecitedAnswer(PLOT, mentions("plot", "histogram", "chart")),
    RecitedAnswer(TRANSLATE, mentions("translat", "日本語", "emoji")),
    RecitedAnswer(
        HELLO, mentions("hello", "who are you", "what can you", "what are you")
    ),
)


def write_demo_model(folder: Path) -> Path:
    """Write the model into a folder, and return its file."""
    path = folder / f"{NAME}.gguf"
    write_recital(path, ANSWERS, n_ctx=WINDOW, layers=LAYERS, name=NAME)
    return path
