"""The cells that are compared: the buddy's, and the same by hand with the raw
``openai`` client.
"""

from __future__ import annotations

LOAD = "%load_ext codebuddy_jupyter"
ASK = "%%buddy --new\nWhy is df empty after the merge?"

ASK_SILENTLY = """
import codebuddy_jupyter as buddy
text = str(buddy.ask("Why is df empty after the merge?"))
"""

RAW_IMPORT = "import openai"


def raw_load(url: str) -> str:
    """Make a client of one's own, as its documentation shows."""
    return (
        "from openai import OpenAI\n"
        f"client = OpenAI(base_url={url!r}, api_key='none', max_retries=0)"
    )


_RAW_STREAM = """
stream = client.chat.completions.create(
    model="llama3",
    messages=[{"role": "user", "content": "Why is df empty after the merge?"}],
    stream=True,
    stream_options={"include_usage": True},
)
"""

RAW_CONSUME = f"""
{_RAW_STREAM}
text = ""
for chunk in stream:
    if chunk.choices:
        text += chunk.choices[0].delta.content or ""
"""

RAW_SHOW_FIRST = f"""
from IPython.display import Markdown, display
{_RAW_STREAM}
shown = False
text = ""
for chunk in stream:
    if chunk.choices:
        text += chunk.choices[0].delta.content or ""
        if not shown:
            display(Markdown(text))
            shown = True
"""

RAW_REDRAW = f"""
import time
from IPython.display import Markdown, display
{_RAW_STREAM}
shown = display(Markdown(""), display_id=True)
text, last = "", 0.0
for chunk in stream:
    if chunk.choices:
        text += chunk.choices[0].delta.content or ""
        if time.monotonic() - last > 1 / 20:
            shown.update(Markdown(text))
            last = time.monotonic()
shown.update(Markdown(text))
"""
