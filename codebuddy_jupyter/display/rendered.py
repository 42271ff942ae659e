"""Markdown as it looks in a terminal, and answers that are rendered while they come.

It is imported only for a terminal that can show colours and move its cursor. What is
written contains no control sequence but those of the renderer: for colours, and to
draw the growing end of an answer again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, TextIO

from rich import markdown as rich_markdown
from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import ControlType, Segment, Segments
from rich.syntax import Syntax
from rich.text import Text
from rich.theme import Theme

from ..chat.reply import Reply
from ..markdown.safe import escape, fence
from .drawing import Drawing, OneBlock, Pace, splitter_for
from .formats import SOURCES, final_source, growing_markdown, plain
from .proposed import proposed_markdown
from .status import THOUGHTS_ABOVE, no_text_line, status_line

PACE = Pace(before_text=1 / 8, between=1 / 12)
# Columns: in a narrower terminal the lines of lists and tables are wrapped by it.
NARROWEST = 30
# Columns that a text needs at least.
LEAST_WIDTH = 8
# Columns to the left of what is in these elements; those of a list hold its numbers.
INDENTS = {"blockquote": 4, "ul": 3, "ol": 6}
# Characters of code that are coloured; of more, colouring takes too long.
MOST_COLOURED = 100_000
# The colours that the user has chosen for the terminal itself.
DARK_COLOURS = "ansi_dark"
LIGHT_COLOURS = "ansi_light"

# By default code has a background of its own, which is glaring in a light terminal.
STYLES = Theme({"markdown.code": "bold cyan", "markdown.code_block": "none"})

Line = list[Segment]


class Heading(rich_markdown.Heading):
    """A heading at the left edge, without a box."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Render it."""
        yield self.text


class CodeBlock(rich_markdown.CodeBlock):
    """Code with colours, and without spaces that would be copied with it."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Render it; lines are only cut where the terminal cannot wrap them itself."""
        code = self.text.plain.rstrip()
        text = Text(code)
        if len(code) <= MOST_COLOURED:
            syntax = Syntax(code, self.lexer_name, theme=self.theme)
            text = syntax.highlight(code)
            text.rstrip()
        is_outermost = options.max_width >= console.width
        text.no_wrap = is_outermost
        text.overflow = "ignore" if is_outermost else "fold"
        yield text


class Cell(rich_markdown.TableDataElement):
    """A cell of a table, of which nothing is left out in a narrow terminal."""

    def __init__(self, justify: Any) -> None:
        super().__init__(justify)
        self.content.overflow = "fold"


class Markdown(rich_markdown.Markdown):
    """Markdown without links that a click follows: their addresses are shown."""

    elements: ClassVar[dict[str, type[rich_markdown.MarkdownElement]]] = {
        **rich_markdown.Markdown.elements,
        "heading_open": Heading,
        "fence": CodeBlock,
        "code_block": CodeBlock,
        "td_open": Cell,
        "th_open": Cell,
    }

    def __init__(self, markup: str, code_theme: str = DARK_COLOURS) -> None:
        super().__init__(markup, code_theme=code_theme, hyperlinks=False)

    def fits(self, width: int) -> bool:
        """Return whether there is room for text where quotes and lists are deepest.

        The renderer would leave it out.
        """
        indent = 0
        for token in self.parsed:
            indent += token.nesting * INDENTS.get(token.tag, 0)
            if indent + LEAST_WIDTH > width:
                return False
        return True


class Paper:
    """The terminal as a place for Markdown, with an end that can be drawn again.

    Parameters
    ----------
    stream
        The terminal.
    colours
        What IPython calls its colours: ``nocolor``, ``lightbg`` or another.
    """

    def __init__(self, stream: TextIO, colours: str = "") -> None:
        colours = colours.lower()
        self._console = Console(
            file=stream,
            force_terminal=True,
            force_jupyter=False,
            no_color=True if colours == "nocolor" else None,
            highlight=False,
            markup=False,
            emoji=False,
            theme=STYLES,
        )
        is_light = colours.startswith("light")
        self._theme = LIGHT_COLOURS if is_light else DARK_COLOURS
        # Lines of the end that can be drawn again.
        self._height = 0
        self._end = ""
        self._is_empty = True

    def write(self, blocks: Sequence[str], end: str = "") -> None:
        """Write Markdown that stays, then an end in place of the one before.

        Parameters
        ----------
        blocks
            Blocks of safe Markdown; there may be none.
        end
            What may be drawn again: of a long one, the last lines are shown.
        """
        if not blocks and end == self._end:
            return
        self._end = end
        settled = list(filter(None, map(self._lines, blocks)))
        growing = self._lines(end, is_cut=True)
        # The terminal gets all of it at once, which does not flicker.
        with self._console:
            self._erase()
            for lines in settled:
                self._separate()
                self._put(lines)
                self._is_empty = False
            if growing:
                self._separate(is_drawn_again=True)
                self._put(growing, is_drawn_again=True)

    def write_dim(self, line: str) -> None:
        """Write a line of plain text that is less important."""
        with self._console:
            self._erase()
            self._separate()
            text = Text(plain(line), style="dim")
            self._console.print(text, soft_wrap=True)

    def _separate(self, is_drawn_again: bool = False) -> None:
        """Write the empty line between two blocks."""
        if not self._is_empty:
            self._put([[]], is_drawn_again)

    def _put(self, lines: list[Line], is_drawn_again: bool = False) -> None:
        if is_drawn_again:
            self._height += len(lines)
        segments = Segments(_joined(lines))
        self._console.print(segments, soft_wrap=True, end="")

    def _erase(self) -> None:
        """Erase the end that can be drawn again."""
        if not self._height:
            return
        line_up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
        start = (ControlType.CARRIAGE_RETURN,)
        self._console.control(Control(start, *(line_up * self._height)))
        self._height = 0

    def _lines(self, markdown: str, is_cut: bool = False) -> list[Line]:
        """Return Markdown as lines of the terminal.

        Parameters
        ----------
        markdown
            Safe Markdown.
        is_cut
            Whether no line may be wider than the terminal, and only the last lines are
            wanted.
        """
        if not markdown.strip():
            return []
        console = self._console
        width = max(console.width, NARROWEST)
        if is_cut:
            width = console.width - 1
        options = console.options.update(width=width)
        try:
            rendered = Markdown(markdown, self._theme)
            is_fit = rendered.fits(width)
            segments = list(console.render(rendered, options)) if is_fit else None
        except Exception:  # noqa: BLE001 - the answer counts more than its looks
            segments = None
        if segments is None:
            segments = list(console.render(Text(markdown), options))
        lines = list(map(_cleaned, Segment.split_lines(segments)))
        while lines and not lines[-1]:
            lines.pop()
        while lines and not lines[0]:
            lines.pop(0)
        if not is_cut:
            return lines
        most = max(console.height - 3, 1)
        return [_cropped(line, width) for line in lines[-most:]]


def _cleaned(line: Iterable[Segment]) -> Line:
    """Return a line without control characters, links and spaces at its end."""
    clean = []
    for text, style, control in line:
        if control:
            continue
        if style is not None and style.link:
            style = style.update_link(None)
        clean.append(Segment(plain(text), style))
    while clean and not clean[-1].text.strip():
        clean.pop()
    if clean:
        text, style, _ = clean[-1]
        clean[-1] = Segment(text.rstrip(), style)
    return clean


def _cropped(line: Line, width: int) -> Line:
    return Segment.adjust_line_length(line, width, pad=False)


def _joined(lines: Iterable[Line]) -> Iterator[Segment]:
    for line in lines:
        yield from line
        yield Segment.line()


class RenderedTerminal:
    """Renders settled blocks once, and draws the growing one again below them.

    Parameters
    ----------
    reply
        The reply.
    paper
        Where to write.
    """

    def __init__(self, reply: Reply, paper: Paper) -> None:
        self._is_source = reply.format in SOURCES
        splitter = OneBlock() if self._is_source else splitter_for(reply.format)
        self.drawing = Drawing(reply, splitter, PACE)
        self._paper = paper
        self._has_blocks = False

    def put(self, settled: list[str]) -> None:
        """Write the blocks, and what still grows below them."""
        drawing = self.drawing
        blocks = []
        if not self._is_source:
            blocks = [growing_markdown(text, drawing.reply.format) for text in settled]
        if drawing.takes_back and self._has_blocks:
            # What was drawn as the end is drawn again; the blocks stay.
            blocks.insert(0, escape(THOUGHTS_ABOVE))
        self._has_blocks = self._has_blocks or bool(blocks)
        end = "" if drawing.done else drawing.tail_markdown()
        self._paper.write(blocks, end)

    def finish(self) -> None:
        """Write the rest of the answer, and the status line."""
        drawing = self.drawing
        drawing.draw(self.put)
        reply = drawing.reply
        if reply.text.strip() and self._is_source:
            source, language = final_source(reply)
            self._paper.write([fence(source, language)])
        elif not reply.text.strip() and reply.error is None:
            self._paper.write([escape(no_text_line(reply))])
        if reply.proposed:
            self._paper.write([proposed_markdown(reply)])
        if reply.text or reply.error is None:
            self._paper.write_dim(status_line(reply))
