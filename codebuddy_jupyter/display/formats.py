"""What each answer format does with the text of a reply.

The formats are those of ``prompts.FORMATS``. All text of a model is made safe here,
before a screen shows it.
"""

from __future__ import annotations

import json
import re
from html import escape as escape_html
from typing import Any

from ..chat.reply import Reply
from ..errors import printable
from ..markdown.blocks import blocks_of, code_blocks
from ..markdown.characters import name_hiding, name_invisible
from ..markdown.safe import escape, fence, neutralise, show_invisible
from .proposed import proposed_markdown
from .status import no_text_line, status_line

Bundle = dict[str, Any]
"""An output by MIME type, or its metadata."""

# the formats whose text is Markdown and can be shown block by block
IN_BLOCKS = ("markdown", "code", "math")
# the formats of which a terminal shows only the code, once it is complete
SOURCES = ("code", "json", "html")


def growing_markdown(text: str, format: str) -> str:
    """Return safe Markdown for a part of an answer that is still arriving."""
    if format in IN_BLOCKS:
        return neutralise(text)
    return fence(plain(name_invisible(text)), format)


def closed(text: str, format: str = "markdown") -> str:
    """Return a text with an open code fence closed, control characters removed, and
    invisible ones in code named; a page of HTML may have its own in sentences.
    """
    complete = "".join(blocks_of(text))
    if format != "html":
        complete = show_invisible(complete)
    return plain(complete)


def final_output(reply: Reply) -> tuple[Bundle, Bundle]:
    """Return the data and the metadata of the one output that stays."""
    text = closed(reply.text, reply.format)
    if not (text.strip() or reply.proposed) and reply.error is None:
        text = plain(no_text_line(reply))
    if reply.proposed:
        text = f"{text}\n\n{proposed_markdown(reply)}".lstrip()
    make_output = _FINAL_OUTPUTS.get(reply.format, _final_markdown)
    is_folded = reply.format in IN_BLOCKS
    status = status_line(reply, looks=not is_folded)
    data = make_output(text, plain(status))
    if reply.reasoning and "text/markdown" in data:
        data["text/markdown"] = _folded_reasoning(reply) + data["text/markdown"]
    if reply.looked and is_folded:
        data["text/markdown"] = _folded_looks(reply) + data["text/markdown"]
        # The plain text of code is the code alone.
        if reply.format != "code":
            lines = plain("\n".join(look.line for look in reply.looked))
            data["text/plain"] = f"{lines}\n\n{data['text/plain']}"
    return data, {"codebuddy": _metadata(reply)}


def moved_output(reply: Reply, line: str) -> tuple[Bundle, Bundle]:
    """Return the output that stays of a reply whose code has become a cell.

    Its plain text is the code, for front ends that lose the new cell.
    """
    data, metadata = final_output(reply)
    status = plain(status_line(reply))
    return {**data, "text/markdown": _small(f"{line}\n{status}")}, metadata


def _metadata(reply: Reply) -> Bundle:
    usage = reply.usage
    metadata = {
        "provider": reply.provider,
        "model": reply.model,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "finish_reason": reply.finish,
        "complete": reply.error is None and reply.done,
    }
    if reply.replayed is not None:
        metadata["replayed"] = reply.replayed.isoformat()
    return metadata


def _final_markdown(text: str, status: str) -> Bundle:
    return {
        "text/markdown": f"{neutralise(text)}\n\n{_small(status)}",
        "text/plain": f"{text}\n\n{status}",
    }


def _final_text(text: str, status: str) -> Bundle:
    return {"text/plain": f"{text}\n\n{status}"}


def final_source(reply: Reply) -> tuple[str, str]:
    """Return the code of an answer in one of the formats `SOURCES`, and its language."""
    text = closed(reply.text)
    if reply.format == "code":
        return _code(text)
    return _content(text), reply.format


def _code(text: str) -> tuple[str, str]:
    """Return the code of all blocks of an answer, and the language of the first.

    An answer without blocks is code as a whole.
    """
    blocks = code_blocks(text)
    code = "\n\n".join(block.code.strip("\n") for block in blocks)
    language = "python"
    if blocks:
        language = blocks[0].language
    return code or name_invisible(text), language


def _final_code(text: str, status: str) -> Bundle:
    code, language = _code(text)
    shown = fence(code, language)
    return {
        "text/markdown": f"{shown}\n\n{_small(status)}",
        "text/plain": code,
    }


def _final_json(text: str, status: str) -> Bundle:
    source = _content(text)
    try:
        value = json.loads(source)
    except ValueError as error:
        line = f"This is not valid JSON ({error}) · {status}"
        return {
            "text/markdown": f"{fence(source, 'json')}\n\n{_small(line)}",
            "text/plain": source,
        }
    return {"application/json": value, "text/plain": source}


# The empty sandbox allows no script, no form and no way out of the frame; the policy
# allows no request. Neither keeps a click on a link from loading a page in the frame
# itself, so that the page is in a frame within a frame: the policy of the outer one holds
# for what the inner one loads. With `base`, most clicks ask for a new window, which a
# sandbox does not open.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_PAGE_HEAD = (
    '<meta charset="utf-8">'
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    '<base target="_blank">'
)
_FRAME = 'sandbox="" width="100%" style="border:0"'
_INNER_STYLE = "<style>html,body{margin:0;height:100%}iframe{display:block}</style>"


def _final_html(text: str, status: str) -> Bundle:
    source = _content(text)
    page = escape_html(_PAGE_HEAD + source)
    inner = f'<iframe {_FRAME} height="100%" srcdoc="{page}"></iframe>'
    outer = escape_html(_PAGE_HEAD + _INNER_STYLE + inner)
    frame = f'<iframe {_FRAME} height="400" srcdoc="{outer}"></iframe>'
    return {
        "text/html": f"{frame}<div><small>{_broken(status)}</small></div>",
        "text/plain": source,
    }


def _broken(status: str) -> str:
    """Return lines as HTML."""
    return escape_html(status).replace("\n", "<br>")


def _final_math(text: str, status: str) -> Bundle:
    if "$" not in text:
        formula = _content(text).strip()
        text = f"$$\n{formula}\n$$"
    return _final_markdown(text, status)


_FINAL_OUTPUTS = {
    "text": _final_text,
    "code": _final_code,
    "json": _final_json,
    "html": _final_html,
    "math": _final_math,
}


def _content(text: str) -> str:
    """Return the first code block of an answer, or all of it if it has none."""
    blocks = code_blocks(text)
    if not blocks:
        return text.strip()
    return blocks[0].code


def _small(line: str) -> str:
    """Return a line in small letters, or several, each with a break before the next."""
    lines = [escape(part) for part in line.split("\n")]
    return f"<small>{'<br>'.join(lines)}</small>"


def _folded_reasoning(reply: Reply) -> str:
    """Return the reasoning as lines of plain text in a folded element.

    Plain lines cannot contain a mark that continues in the answer.
    """
    title = "Thoughts"
    if reply.text:
        title = "Thoughts before the answer"
    quoted = []
    for line in reply.reasoning.strip().splitlines():
        quoted.append(f"> {escape(line)}".rstrip())
    lines = "  \n".join(quoted)
    return f"<details><summary>{title}</summary>\n\n{lines}\n\n</details>\n\n"


def _folded_looks(reply: Reply) -> str:
    """Return what was looked up, each as a line that unfolds."""
    parts = []
    for looked in reply.looked:
        shown = fence(plain(name_invisible(looked.text)))
        line = escape(looked.line)
        parts.append(f"<details><summary>{line}</summary>\n\n{shown}\n</details>\n\n")
    return "".join(parts)


_SURROGATE = re.compile(r"[\ud800-\udfff]")


def plain(text: str) -> str:
    """Remove control characters, which could control a terminal, and name characters
    that hide text.

    Lone surrogates become U+FFFD.
    """
    text = printable(text.replace("\r\n", "\n"))
    text = name_hiding(text)
    return _SURROGATE.sub("\ufffd", text)
