"""The tokens of vendors, compared with the facts that a public set of rules records."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest

from codebuddy_jupyter.secrets.redactor import Redactor, redact
from tests.support.vendor_facts import ALNUM, BY_NAME, FACTS, Fact


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.vendor)
@pytest.mark.parametrize("text", ["x = call('{}')", "{}", "got {}, then went on"])
def test_a_token_of_each_vendor_is_redacted(fact: Fact, text: str) -> None:
    for seed in range(5):
        token = fact.token(random.Random(seed))
        redacted = Redactor().redact(text.format(token))
        assert token[-12:] not in redacted.text, token[:12]
        assert redacted.labels


@pytest.mark.parametrize("name", BY_NAME)
def test_a_token_without_a_format_is_redacted_by_its_name(name: str) -> None:
    token = "".join(random.Random(name).choices(ALNUM, k=30)) + "7q"
    for text in (f"{name}={token}", f'{name.lower()} = "{token}"', f"{name}: {token}"):
        assert token not in redact(text)


@pytest.mark.parametrize("lines", [False, True], ids=["one line", "folded"])
def test_a_private_key_in_base64_is_redacted_and_a_certificate_is_not(
    lines: bool,
) -> None:
    texts = []
    for kind in ("PRIVATE" + " KEY", "CERTIFICATE"):
        body = "".join(random.Random(kind).choices(ALNUM, k=600))
        pem = f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"
        encoded = b64encode(pem.encode()).decode()
        if lines:
            rows = [encoded[i : i + 64] for i in range(0, len(encoded), 64)]
            encoded = "\n      ".join(rows)
        texts.append(encoded)
    key, certificate = texts
    text = f"    client-certificate-data: {certificate}\n    client-key-data: {key}\n"
    redacted = redact(text)
    assert certificate in redacted
    assert key[:60] not in redacted
    assert key[-60:] not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "sk_" + "learn_pipeline_step_one",
        "pa-lmgren-notch-sensitivity-for-steel",
        "test_" + "a" * 35,
        "API-REFERENCE-DOCUMENTATION",
        "pattern.sub(pat.match, text)",
        "s." + "aVeryLongNameOfAnAttribute",
        "live_" + "streaming_of_the_concert",
        "AQ.Absolute",
    ],
)
def test_words_with_such_a_beginning_stay(text: str) -> None:
    assert redact(text) == text
