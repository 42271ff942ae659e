"""Private keys, whole and cut off."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.private_keys import find_private_keys
from codebuddy_jupyter.secrets.redactor import Redactor
from tests.support.secrets_planted import TOKENS


@pytest.mark.parametrize("name", ["rsa key", "pkcs8 key", "openssh key", "pgp key"])
def test_a_key_block_is_recognised_by_either_end(name: str) -> None:
    lines = TOKENS[name].splitlines()
    head, tail = (
        "\n".join(lines[: len(lines) // 2]),
        "\n".join(lines[len(lines) // 2 :]),
    )
    assert (
        Redactor().redact(f"x\n{head}\n… 20 lines …").text
        == "x\n[redacted: private key]\n… 20 lines …"
    )
    assert (
        Redactor().redact(f"… 20 lines …\n{tail}\nx").text
        == "… 20 lines …\n[redacted: private key]\nx"
    )


def test_a_head_without_a_body_is_no_key() -> None:
    title = "BEGIN PRIVATE " + "KEY"
    assert list(find_private_keys(f"-----{title}-----\nis its first line")) == []


def test_a_tail_without_a_body_is_no_key() -> None:
    title = "END PRIVATE " + "KEY"
    assert list(find_private_keys(f"it ends with\n-----{title}-----")) == []


def test_two_keys_are_two_spans_and_the_text_between_stays() -> None:
    first, second = TOKENS["rsa key"], TOKENS["openssh key"]
    text = f"{first}\nand\n{second}"
    spans = [(span.start, span.end) for span in find_private_keys(text)]
    assert spans == [(0, len(first)), (len(text) - len(second), len(text))]
