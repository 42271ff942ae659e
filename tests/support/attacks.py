"""Markdown that tries to run a script or to fetch something, and harmless Markdown that
looks similar.

In an attack, ``RUN`` is the place of a call that reports that a script ran, ``URL`` that
of an address that reports a fetch.
"""

from __future__ import annotations

TICKS = "```"

ATTACKS: dict[str, str] = {
    # HTML as it is
    "image with onerror": "<img src=x onerror=RUN>",
    "image with onerror in a sentence": "Look: <img src=x onerror=RUN> nice",
    "image over two lines": "text <img src=x\nonerror=RUN> text",
    "image in capitals": "<IMG SRC=x ONERROR=RUN>",
    "image with slashes for spaces": "<img/src=x/onerror=RUN>",
    "image without an end": "<img src=x onerror=RUN\n\n>",
    "script": "<script>RUN</script>",
    "script in a sentence": "a <script>RUN</script> b",
    "script with an address": '<script src="URL"></script>',
    "details with ontoggle": "<details open ontoggle=RUN><summary>x</summary></details>",
    "iframe with srcdoc": '<iframe srcdoc="<script>parent.RUN</script>"></iframe>',
    "iframe with an address": '<iframe src="URL"></iframe>',
    "svg with onload": "<svg onload=RUN></svg>",
    "svg with script": "<svg><script>RUN</script></svg>",
    "video with onerror": "<video src=x onerror=RUN></video>",
    "audio with onerror": "<audio><source src=x onerror=RUN></audio>",
    "input with autofocus": "<input autofocus onfocus=RUN>",
    "animation": (
        "<style>@keyframes a{}</style><b style='animation-name:a' "
        "onanimationstart=RUN>x</b>"
    ),
    "style sheet": '<link rel=stylesheet href="URL">',
    "style with an address": (
        '<style>body{--a:1} .jp-RenderedMarkdown{background:url("URL")}</style>'
    ),
    "style attribute": '<div style="background:url(URL)">x</div>',
    "object": '<object data="URL"></object>',
    "picture": '<picture><source srcset="URL"><img></picture>',
    "form": '<form action="javascript:RUN"><button autofocus onfocus=RUN>x</button></form>',
    "base": '<base href="URL/"><img src="x">',
    "refresh": '<meta http-equiv="refresh" content="0;url=javascript:RUN">',
    "maths markup": (
        "<math><mtext><table><mglyph><style><img src=x "
        "onerror=RUN></style></mglyph></table></math>"
    ),
    "template in noscript": '<noscript><p title="</noscript><img src=x onerror=RUN>"></noscript>',
    "comment that ends early": "<!--><img src=x onerror=RUN>-->",
    "comment": "<!-- --!><img src=x onerror=RUN> -->",
    "declaration": "<!X ><img src=x onerror=RUN>",
    "instruction": "<?x ?><img src=x onerror=RUN>",
    "section of character data": "<![CDATA[ ]]><img src=x onerror=RUN>",
    "closing tag": "</div><img src=x onerror=RUN>",
    "split by a blank line": "<div\n\nx=y><img src=x onerror=RUN>",
    "escaped backslash": "\\\\<img src=x onerror=RUN>",
    "end of the cell": "</pre></code></div><img src=x onerror=RUN>",
    # HTML in something
    "in a list": "- one\n- <img src=x onerror=RUN>\n    - <img src=x onerror=RUN>",
    "in a quote": "> <img src=x onerror=RUN>\n> > <img src=x onerror=RUN>",
    "in a table": "| a | b |\n|---|---|\n| <img src=x onerror=RUN> | x |",
    "in a heading": "# <img src=x onerror=RUN>",
    "in a setext heading": "<img src=x onerror=RUN>\n===",
    "in emphasis": "**<img src=x onerror=RUN>**",
    "in the text of a link": "[<img src=x onerror=RUN>](https://example.com)",
    "in a footnote": "x[^1]\n\n[^1]: <img src=x onerror=RUN>",
    "in an odd list": "1) a\n\n\t- <img src=x onerror=RUN>",
    "after a list as if indented": (
        "- a\n\n      <img src=x onerror=RUN>\n\n   <img src=x onerror=RUN>"
    ),
    # Where code ends
    "code that never closed": "`a <img src=x onerror=RUN> b",
    "runs that differ": "``a` <img src=x onerror=RUN> `b",
    "escaped backtick": "\\`a` <img src=x onerror=RUN> `",
    "tag around a backtick": '<a title="`"><img src=x onerror=RUN> `',
    "code over lines": "`a\n\n<img src=x onerror=RUN>`",
    "bar in code in a table": "| a | b |\n|---|---|\n| `x | <img src=x onerror=RUN>` |",
    "code after an address": "https://example.com/`<img src=x onerror=RUN>`",
    "code after a tilde": "~`<img src=x onerror=RUN>`",
    "strike across code": "~~a `~~<img src=x onerror=RUN>`",
    "emphasis across code": "*a <`*y> b*<img src=x onerror=RUN>`",
    "fence closed by a longer one": f"{TICKS}\nx\n{TICKS}`\n<img src=x onerror=RUN>",
    "fence with spaces": f"   {TICKS}\n    {TICKS}\n   {TICKS}\n<img src=x onerror=RUN>\n{TICKS}",
    "fence in a list that ends": f"- a\n  {TICKS}\nb\n\n<img src=x onerror=RUN>\n  {TICKS}",
    "fence in a quote that ends": f"> {TICKS}\n<img src=x onerror=RUN>\n> {TICKS}",
    "fence of tildes and backticks": f"~~~\n{TICKS}\n~~~\n<img src=x onerror=RUN>\n{TICKS}",
    "indented code that is text": "a\n    <img src=x onerror=RUN>",
    "words after a fence": f'{TICKS}x"><img/src=x/onerror=RUN>\ncode\n{TICKS}',
    "words after a fence as a language": f'{TICKS}python" onmouseover="RUN\ncode\n{TICKS}',
    # Maths that is lifted out
    "maths across code": "$a `$ <img src=x onerror=RUN>`",
    "maths across code spans": "a $x ` b $ <img src=x onerror=RUN> `",
    "maths takes a fence": (
        f"- a $x\n  {TICKS}\n  $\n  {TICKS}\n\n  {TICKS}\n"
        f"  <img src=x onerror=RUN>\n  {TICKS}"
    ),
    "environment takes a fence": (
        f"\\begin{{a}}\n{TICKS}\n\\end{{a}}\n{TICKS}\n\n{TICKS}\n<img src=x onerror=RUN>\n{TICKS}"
    ),
    "environment ends after a fence": (
        f"{TICKS}\n\\begin{{a}}\n{TICKS}\n\\end{{a}}\n\n{TICKS}\n<img src=x onerror=RUN>\n{TICKS}"
    ),
    "display maths takes a fence": (
        f"$$\n{TICKS}\n$$\n{TICKS}\n\n{TICKS}\n<img src=x onerror=RUN>\n{TICKS}"
    ),
    "maths in a title": '[x](https://example.com "$" onmouseover="RUN$")',
    "maths in a title of an image": '![$" onerror="RUN$](x)',
    "maths in an address": 'https://example.com/$" style="animation-name:x" onmouseover="RUN"$',
    "maths in a definition": '[a]: $x "onmouseover="RUN$\n\n[a]',
    "maths after a fence": f'{TICKS}$`" onmouseover="RUN$\ncode\n{TICKS}',
    "mark of maths": '$" onerror="RUN$ ![@\\@0@@](x)',
    "HTML in maths": "$<img src=x onerror=RUN>$",
    "HTML in display maths": "$$\n<img src=x onerror=RUN>\n$$",
    "HTML in half of maths": "$x <img src=x onerror=RUN>",
    "link of TeX": "$\\href{javascript:RUN}{x}$",
    "link of TeX in another way": "$\\mmlToken{mi}[href='javascript:RUN']{x}$",
    "style of TeX": "$\\style{background:url(URL)}{x}$",
    "link of TeX by another name": "$\\let\\h\\href \\h{javascript:RUN}{x}$",
    "link of TeX by a macro": "$\\def\\h#1{\\href{#1}{x}} \\h{javascript:RUN}$",
    "link of TeX by a command": (
        "$\\newcommand{\\h}[1]{\\href{#1}{x}} \\h{javascript:RUN}$"
    ),
    "link of TeX by an environment": (
        "$\\newenvironment{h}[1]{\\href{#1}{x}}{} \\begin{h}{javascript:RUN}\\end{h}$"
    ),
    "link of TeX by its entities": "&#36;\\h&#114;ef{javascript:RUN}{x}&#36;",
    "style of TeX in a box": "$\\bbox[background:url(URL)]{x}$",
    # Links and images
    "link with script": "[x](javascript:RUN)",
    "link with script in capitals": "[x](JaVaScRiPt:RUN)",
    "link with script in entities": "[x](&#106;avascript&colon;RUN)",
    "link with script after spaces": "[x](< javascript:RUN>)",
    "link with a tab in the scheme": "[x](java&Tab;script:RUN)",
    "link with script over a line": "[x](\njavascript:RUN)",
    "link to data": "[x](data:text/html,<script>RUN</script>)",
    "link to a file": "[x](file:///etc/passwd)",
    "link to vbscript": "[x](vbscript:RUN)",
    "link to a place of the server": "[x](/api/shutdown)",
    "link with a bad title": "[x](https://example.com 'a\" onmouseover=\"RUN')",
    "autolink with script": "<javascript:RUN>",
    "reference to script": "[x][a]\n\n[a]: javascript:RUN",
    "reference over lines": "[x][a\nb]\n\n[a\nb]:\njavascript:RUN",
    "reference in a quote": "[x]\n\n> [x]: javascript:RUN",
    "reference in a task": "- [ ] [x]: javascript:RUN\n\n[x]",
    "footnote that is a link": "x[^1]\n\n[^1]: javascript:RUN",
    "image from afar": "![x](URL)",
    "image without words": "![](URL)",
    "image by reference": "![x][a]\n\n[a]: URL",
    "image by its own name": "![x]\n\n[x]: URL",
    "image in a link": "[![x](URL)](https://example.com)",
    "image after bangs": "!!![x](URL)",
    "image with a title": '![x](URL "t")',
    "image in angles": "![x](<URL>)",
    "image without a scheme": "![x](//127.0.0.1/x.png)",
    "image of data with script": "![x](data:image/svg+xml,<svg onload=RUN>)",
    "image in a table": "| a |\n|---|\n| ![x](URL) |",
    # Diagrams
    "diagram with an image": (
        f'{TICKS}mermaid\nflowchart TD\nA@{{ img: "URL", label: "x", h: 60 }}\n{TICKS}'
    ),
    "diagram with HTML": (
        f"{TICKS}mermaid\nflowchart TD\nA[\"<img src='URL' onerror='RUN'>\"]\n{TICKS}"
    ),
    "diagram with a style": (
        f"{TICKS}mermaid\n"
        f'%%{{init: {{"themeCSS": "* {{background: url(URL)}}"}}}}%%\n'
        f"flowchart TD\nA --> B\n{TICKS}"
    ),
    # Odd characters
    "zero byte in a tag": "<im\0g src=x onerror=RUN><img src=x onerror=RUN>",
    "carriage return in a fence": f"{TICKS}\ra\r{TICKS}\r<img src=x onerror=RUN>\r{TICKS}",
    "separator of lines": f"{TICKS}\u2028a\n{TICKS}\n<img src=x onerror=RUN>\n{TICKS}",
    "half of a pair": "\ud800<img src=x onerror=RUN>",
}

INNOCENTS: dict[str, str] = {
    "words": "Nothing but words.",
    "nothing": "",
    "emphasis": "**bold**, *italic*, ~~gone~~ and ***both***",
    "comparison": "if a < b and c > d, then a < d",
    "comparison without spaces": "true when a<b",
    "arrows": "a -> b => c <- d <= e <=> f << g >> h",
    "ands": "x && y || z & w",
    "entities": "&lt;b&gt; &amp; &copy; &#60;",
    "heart": "I <3 this",
    "code with a tag": "Use `<div>` here.",
    "code with types": "A `List<int>` or a `Map<String, List<int>>`.",
    "code with a link": "Write `[text](javascript:x)` for a link.",
    "code with maths": "The shell says `$HOME`.",
    "code in many places": "`<a>`, `<b>` and (`<c>`): **`<d>`**\n- `<e>`",
    "two backticks": "``a ` b``",
    "fence of HTML": (
        f'{TICKS}html\n<div onclick="x()">\n'
        f'  <img src="http://example.com/x.png">\n</div>\n{TICKS}\n'
    ),
    "fence of Python": (
        f"{TICKS}python\nfor x in y[1:]:\n    print(x[0](1) < 2, '![x](y)')\n{TICKS}\n"
    ),
    "fence of C++": (
        f"Like so:\n\n{TICKS}c++\n#include <vector>\nstd::vector<int> v;\n{TICKS}\n"
        "\nThat is `v`.\n"
    ),
    "fence of the shell": (
        f'{TICKS}bash\necho "$HOME" <file && curl "https://example.com/$ID"\n{TICKS}\n'
    ),
    "fence of JSX": (
        f"{TICKS}jsx\nconst x = <p>{{`${{a}}`}}</p>;\n{TICKS}\n\nThen\n\n"
        f"{TICKS}js\n`${{b}}`\n{TICKS}\n"
    ),
    "fence of Markdown": (
        f"{TICKS}`markdown\n{TICKS}html\n<b>\n{TICKS}\n[a]: javascript:x\n{TICKS}`\n"
    ),
    "fence of Rust": f"{TICKS}rust\nlet v: Vec<u8> = vec![0](1);\n{TICKS}\n",
    "fence of tildes": "~~~html\n<b>\n~~~\n",
    "fence in a list": (
        f"1. Do this:\n\n   {TICKS}html\n   <div>\n\n   </div>\n   {TICKS}\n\n"
        "2. Then that.\n"
    ),
    "fence in a list of dashes": f"- Do this:\n  {TICKS}html\n  <div>\n  {TICKS}\n- Then that.\n",
    "fence in a quote": f"> Look:\n>\n> {TICKS}html\n> <div>\n>\n> </div>\n> {TICKS}\n",
    "fence without a language": f"{TICKS}\n<b>\n{TICKS}",
    "fence of TeX": (
        f"{TICKS}latex\n\\begin{{align}}\n\\href{{x}}{{y}} a &< b\n\\end{{align}}\n"
        f"{TICKS}\n"
    ),
    "indented code": "Code:\n\n    x = 1\n    y < 2\n",
    "table": "| a | b |\n|:--|--:|\n| `x` | 1 < 2 |\n",
    "maths": "The sum $a_1 + b^2 < c$ and $$\\int_0^1 f(x)\\,dx$$ too.",
    "maths without spaces": "For $a<b$ it holds.",
    "maths over lines": "$$\n\\begin{aligned}\na &= b \\\\\n\nc &= d\n\\end{aligned}\n$$\n",
    "environment": "\\begin{equation}\nx = y\n\\end{equation}\n",
    "maths in brackets": "\\\\(x\\\\) and \\\\[y\\\\] and \\(x\\) and \\[y\\]",
    "fence of TeX that defines": (
        f"{TICKS}latex\n\\newcommand{{\\R}}{{\\mathbb{{R}}}}\n"
        f"\\def\\x{{1}} \\label{{a}}\n{TICKS}\n"
    ),
    "maths with similar names": (
        "$\\left( \\longrightarrow \\newline \\deg \\det x^{2^2} \\letter$ &amp; $\\bbox[red]{x}$"
    ),
    "words with backslashes": "Use \\def, \\let or \\newcommand; C:\\let\\global ^^ see above",
    "scripts with joiners": "می‌خواهم שלום\u200f 👨‍👩‍👧 ❤️ `👍🏽` `می‌خواهم`",
    "link in maths": "$\\href{https://example.com}{x}$",
    "prices": "from $5 to $6, or `$7`",
    "links": "[a](https://example.com/a_(b)?c=d&e=f#g), [b](#part) and [c](mailto:a@example.com)",
    "link with a title": '[a](https://example.com "a title")',
    "link by reference": "[a][b] and [b]\n\n[b]: https://example.com/x\n",
    "autolinks": "<https://example.com/?a=b> and <someone@example.com> and https://example.com/a_b",
    "footnote": "x[^1]\n\n[^1]: Two words or more.\n",
    "tasks": "- [ ] open\n- [x] done\n",
    "nested lists": "- a\n  - b\n    - c\n\n1. d\n   1. e\n",
    "quote": "> a\n> > b\n\nc",
    "headings": "# A\n\n## B\n\nC\n===\n\n---\n",
    "index": "x[0] and x[1:] and f(x)[2] and {a}[b]",
    "bangs": "Wow! [sic] and vec![1, 2] and !important",
    "marks": "@@ -1,3 +1,4 @@ and @@0@@ and a@b",
    "backslashes": "C:\\data\\style\\class and \\* and \\<",
    "emoji": "🎉 👩‍👩‍👧 ❤️ ✓ → ∀x ∃y",
    "Chinese": "你好,世界。`代码` 与 **粗体**",
    "Arabic": "مرحبا بالعالم",
    "image of data": "![dot](data:image/png;base64,iVBORw0KGgo=)",
    "line break": "a  \nb\\\nc",
    "tab": "a\tb\n\n-\tc",
    "rule": "a\n\n***\n\nb",
    "quotes": "\"a\" 'b' “c” «d»",
    "unfinished emphasis": "**bold and `code",
    "unfinished fence": f"{TICKS}python\nx = 1",
}


DEFINITIONS: dict[str, str] = {
    "def": "$\\def\\beta{\\text{X}}$",
    "gdef": "$\\gdef\\beta{\\text{X}}$",
    "let": "$\\let\\beta\\aleph$",
    "let with a sign": "$\\let\\beta=X$",
    "futurelet": "$\\futurelet\\beta\\relax X$",
    "global": "$\\global\\def\\beta{\\text{X}}$",
    "a command": "$\\newcommand{\\beta}{\\text{X}}$",
    "a command without braces": "$\\newcommand\\beta{\\text{X}}$",
    "a command again": "$\\renewcommand{\\beta}{\\text{X}}$",
    "a command with a star": "$\\newcommand*{\\beta}{\\text{X}}$",
    "a provided command": "$\\providecommand{\\beta}{\\text{X}}$",
    "an operator": "$\\DeclareMathOperator{\\beta}{X}$",
    "a delimiter": "$\\DeclarePairedDelimiter{\\beta}{\\lvert}{\\rvert}$",
    "an arrow": "$\\Newextarrow{\\beta}{5,5}{0x2192}$",
    "an environment": "$\\newenvironment{cases}{X}{Y}$",
    "an environment again": "$\\renewenvironment{cases}{X}{Y}$",
    "a package": "$\\require{physics}$",
    "a colour": "$\\definecolor{red}{rgb}{0,1,0}$",
    "a category": "$\\catcode`\\@=11 \\def\\beta{X}$",
    "a name": "$\\csname def\\endcsname\\beta{X}$",
    "in display maths": "$$\n\\def\\beta{\\text{X}}\n$$",
    "in brackets": "\\\\[\\def\\beta{\\text{X}}\\\\]",
    "in parentheses": "\\\\(\\def\\beta{\\text{X}}\\\\)",
    "in an environment": "\\begin{align}\\def\\beta{\\text{X}}\\end{align}",
    "in text": "$\\text{a $\\def\\beta{X}$}$",
    "over lines": "$\\def\n\\beta\n{\\text{X}}$",
    "with a comment": "$\\def%\n\\beta{\\text{X}}$",
    "with entities for dollars": "&#36;\\def\\beta{\\text{X}}&#36;",
    "with entities for letters": "&#36;\\d&#101;f\\beta{\\text{X}}&#36;",
    "with entities in hexadecimal": "&#x24;\\d&#x65;f\\beta{\\text{X}}&#x24;",
    "with an entity for a backslash": "&dollar;&bsol;def&bsol;beta{X}&dollar;",
    "with carets": "$^^5cdef\\beta{X}$",
    "in a table": "| a |\n|---|\n| $\\def\\beta{X}$ |",
    "in a list": "- $\\def\\beta{X}$",
    "in a heading": "# $\\def\\beta{X}$",
    "in a quote": "> $\\def\\beta{X}$",
    "a label": "$$x \\label{beta}$$",
}
"""Formulas that define something for later formulas of the page."""


def attack(name: str, run: str, url: str) -> str:
    """Return an attack with the call and the address that it tries to reach."""
    return ATTACKS[name].replace("RUN", run).replace("URL", url)
