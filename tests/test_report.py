"""The report of an examination: as a terminal shows it, as Markdown, and as JSON without
secrets.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.doctor.report import Report
from codebuddy_jupyter.errors import Remedy, ServerError
from codebuddy_jupyter.messages import Model
from codebuddy_jupyter.providers.checks import Check
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.settings.keys import Key
from tests.support.command_line import run_line
from tests.support.fakes import FakeProvider
from tests.support.reports import lines, report_on


def test_a_report_of_json_holds_no_key_and_no_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "q7Rk29-of-the-Environment")
    told = {
        f"{Path.home()}/models/a.gguf": "~/models/a.gguf",
        "/home/ann/x and /Users/ann/y": "/home/…/x and /Users/…/y",
        r"C:\Users\ann\x": r"C:\Users\…\x",
        "it said q7Rk29-of-the-Environment": "it said [redacted: $HF_TOKEN]",
        "it said my-own-key": "it said [redacted: API key]",
        "http://me:word@proxy:3128": "http://me:[redacted: password in URL]@proxy:3128",
    }
    checks = tuple(Check("c", True, text) for text in told)
    report = Report("Local", checks, {}, {"API key": Key("my-own-key")})
    shown = json.loads(report.json())["checks"]
    assert [check["finding"] for check in shown] == list(told.values())


# Put together here, so that this file holds none of them.
SECRETS = {
    "AWS": "AK" + "IAQ3EGRTYU7PLMNB2K",
    "Google": "AI" + "zaSyB1c2D3e4F5g6H7i8J9k0L1m2N3o4P5q6R",
    "GitHub": "github" + "_pat_11ABCDEFG0abcdefghijkl_" + "0123456789abcdefABCD" * 3,
    "GitLab": "gl" + "pat-abcdefghij0123456789",
    "JWT": (
        "ey" + "JhbGciOiJIUzI1NiJ9." + "ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0."
        "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    ),
    "Slack": "xo" + "xb-123456789012-abcdefghijklmnopqrstuvwx",
    "OpenAI": "sk-" + "proj-abcdefghijkl0123456789ABCDEFGHIJKL",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_the_json_of_the_command_redacts_a_secret_in_a_finding(
    buddy: Buddy, fake: FakeProvider, secret: str
) -> None:
    remedy = Remedy("Look", f"curl -H 'Authorization: Bearer {secret}' URL")
    fake.replies = [[ServerError(f"It refused {secret} of {secret}!", remedy)]]
    shown = run_line(buddy, "/doctor --json")
    assert secret not in shown
    assert shown.count("[redacted: ") == 3


@pytest.mark.parametrize(
    "words",
    [
        "password=hunter22xyz",
        "It was called with password=hunter22xyz here.",
        "The login failed (user=ann, password=hunter22xyz)",
        "Server=db;User=ann;Password=hunter22xyz;",
        "It said password='hunter22xyz' to me.",
    ],
)
def test_the_json_of_the_command_redacts_a_password_in_a_finding(
    buddy: Buddy, fake: FakeProvider, words: str
) -> None:
    fake.replies = [[ServerError(words)]]
    shown = run_line(buddy, "/doctor --json")
    assert "hunter22xyz" not in shown
    assert "[redacted: password]" in shown


def test_the_headers_of_a_request_are_redacted() -> None:
    provider = LocalProvider(headers={"X-Gateway": "plain words"})
    report = Report("Local", (Check("c", True, "plain words"),), {}, provider.secrets())
    assert "plain words" not in report.json()
    assert "[redacted: header X-Gateway]" in report.json()


def test_hostile_words_of_a_server_are_shown_as_text() -> None:
    words = (
        "<img src=x onerror=alert(1)> `code` **bold** [a](javascript:b)\n\n# heading"
    )
    provider = FakeProvider()
    provider.offers = [Model(words)]
    shown = report_on(provider).markdown()
    tokens = MarkdownIt("commonmark", {"html": True}).parse(shown)
    kinds = {token.type for token in tokens} | {
        child.type for token in tokens for child in token.children or ()
    }
    assert not kinds & {
        "html_inline",
        "html_block",
        "link_open",
        "heading_open",
        "image",
    }


def test_hostile_words_of_a_server_stay_on_their_line_in_a_terminal() -> None:
    provider = FakeProvider()
    provider.offers = [Model("two\n✓ lines")]
    assert "- model fake-1 is not in the server's list, which has two ✓ lines" in lines(
        provider
    )
