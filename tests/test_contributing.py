"""The recipes in CONTRIBUTING.md, applied to a copy of the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.texts import CONTRIBUTING, text_of
from tests.support.kernels import ROOT

FENCE = re.compile(r"```python\n(?P<code>.*?)```", re.DOTALL)
REPLACE = re.compile(r"replace\s+`(?P<old>[^`]+)`\s+with\s+`(?P<new>[^`]+)`")
FILE = re.compile(r"(?:In|Write)\s+`(?P<file>codebuddy_jupyter/[\w/]+\.py)`")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package to which the recipes were applied."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "codebuddy_jupyter", folder / "codebuddy_jupyter")
    recipes = text_of(CONTRIBUTING).partition("## Recipes")[2]
    applied = [apply(part, folder) for part in steps(recipes)]
    assert applied.count("added") == 2
    assert applied.count("written") == 1
    assert applied.count("replaced") == 3
    return folder


def steps(recipes: str) -> list[str]:
    """The recipes, cut before each file that they change."""
    starts = [match.start() for match in FILE.finditer(recipes)]
    ends = [*starts[1:], len(recipes)]
    return [recipes[start:end] for start, end in zip(starts, ends, strict=True)]


def apply(step: str, folder: Path) -> str:
    """Do to one file what a step says; return what that was."""
    match = FILE.match(step)
    assert match
    file = folder / match["file"]
    fence = FENCE.search(step)
    if step.startswith("Write") and fence:
        file.write_text(fence["code"], encoding="utf-8")
        return "written"
    text = file.read_text(encoding="utf-8")
    if ", add:" in step and fence:
        file.write_text(f"{text}\n\n{fence['code']}", encoding="utf-8")
        return "added"
    replacements = [(found["old"], found["new"]) for found in REPLACE.finditer(step)]
    if not replacements and fence:
        old = re.search(r"replace\s+`([^`]+)`\s+with:", step)
        assert old
        replacements = [(old[1], fence["code"].rstrip("\n"))]
    for before, after in replacements:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    file.write_text(text, encoding="utf-8")
    return "replaced"


def run(copy: Path, code: str) -> str:
    """What Python code prints that imports the copy."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


BUDDY = "from codebuddy_jupyter.buddy import Buddy\nbuddy = Buddy()\n"


def test_the_command_runs_and_is_in_the_help(copy: Path) -> None:
    code = BUDDY + (
        "from codebuddy_jupyter.commands import Invocation, help_rows, read, run\n"
        "assert any('/turns' in row.usage for row in help_rows())\n"
        "print(run(Invocation(buddy, print), read('/turns')))\n"
    )
    assert run(copy, code) == "The conversation has 0 turns."


def test_the_kind_of_server_is_recognised_by_its_models(copy: Path) -> None:
    code = (
        "import asyncio\n"
        "from codebuddy_jupyter.providers.kinds import recognise\n"
        "from codebuddy_jupyter.providers.http.probe import NO_ANSWER, ProbeAnswer\n"
        "models = {'data': [{'id': 'a', 'owned_by': 'my-server'}]}\n"
        "class Probe:\n"
        "    url, native_url = 'http://localhost:5555/v1', 'http://localhost:5555'\n"
        "    async def get(self, url):\n"
        "        listed = ProbeAnswer(200, {}, models)\n"
        "        return listed if url == f'{self.url}/models' else NO_ANSWER\n"
        "    async def post(self, *args):\n"
        "        return NO_ANSWER\n"
        "print(asyncio.run(recognise(Probe())).kind.name)\n"
    )
    assert run(copy, code) == "My Server"


def test_the_describer_describes(copy: Path) -> None:
    code = (
        "from email.message import EmailMessage\n"
        "from codebuddy_jupyter.context.describe import Describers\n"
        "message = EmailMessage()\n"
        "message['subject'] = 'hello'\n"
        "print(Describers().schema(message), '|', Describers().values(message))\n"
    )
    name = "email.message.EmailMessage"
    assert run(copy, code) == f"{name} | {name} 'hello'"


def test_the_setting_is_one_of_the_buddy(copy: Path) -> None:
    code = BUDDY + (
        "buddy.change({'language': 'French'})\n"
        "print('language' in buddy.traits(affects='prompt'), buddy.language)\n"
    )
    assert run(copy, code) == "True French"
