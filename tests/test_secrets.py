"""Secrets: planted ones are redacted, ordinary text stays, and no text takes long."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable
from html import escape
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.secrets.escapes import unescaped_views
from codebuddy_jupyter.secrets.redactor import Redactor, known_values, redact
from codebuddy_jupyter.secrets.syntax_formats import SYNTAX_FORMATS
from codebuddy_jupyter.secrets.vendor_formats import VENDOR_FORMATS
from codebuddy_jupyter.secrets.words import Strength, strength_of
from tests.support.innocent import CAREFUL, innocent_text
from tests.support.secrets_planted import PLANTED, TOKENS, Planted

SURROUNDINGS = {
    "alone": "{}",
    "in a sentence": "The key is {} and no other.",
    "in quotes": "client = Client('{}')",
    "in JSON": '{{"x": "{}"}}',
    "in a list": "['{}', 'b']",
    "in an f-string": 'print(f"{{x}} {}")',
    "in a query": "https://example.com/?x={}&y=1",
    "in a comment": "x = 1  # {}",
    "in a setting": "X={}\nY=2",
    "in markup": "<td>{}</td>",
    "in a traceback": "----> 1 call('{}')\n      2 pass",
    "in brackets": "x[{}]",
    "among other letters": "数据 {}。",
}
# A short prefix and random characters: half of that could be anything.
RECOGNISED_ONLY_WHOLE = {
    "azure client secret",
    "twilio key",
    "mailgun key",
    "mailchimp key",
    "discord token",
}
WRITTEN: dict[str, Callable[[str], str]] = {
    "as a repr": repr,
    "as JSON": json.dumps,
    "as a repr of bytes": lambda text: repr(text.encode()),
    "as a repr of a repr": lambda text: repr(repr(text)),
    "as JSON within JSON": lambda text: json.dumps(
        {"source": json.dumps({"source": text})}
    ),
    "in a container": lambda text: repr(["x", {"config": text}, "y"]),
    "with the line ends of Windows": lambda text: repr(text.replace("\n", "\r\n")),
    "indented by tabs": lambda text: repr("\t" + text.replace("\n", "\n\t\t")),
    "as a list of lines": lambda text: repr(text.splitlines()),
    "as the source of a cell": lambda text: json.dumps(text.splitlines(keepends=True)),
}
SINGLE_LINES = {
    name: token
    for name, token in TOKENS.items()
    if "\n" not in token and "PRIVATE" not in token
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_secret_is_redacted_and_the_text_around_it_stays(
    planted: Planted,
) -> None:
    redacted = Redactor().redact(planted.text)
    before, after = planted.text.split(planted.secret)
    assert planted.secret not in redacted.text
    assert redacted.text.endswith(f"]{after}")
    assert redacted.labels
    if "beside" not in planted.name:
        assert redacted.text.startswith(before)
        assert len(redacted.labels) == 1


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_secret_is_redacted_however_its_text_is_written(
    planted: Planted, write: Callable[[str], str]
) -> None:
    redacted = Redactor().redact(f"got {write(planted.text)} and went on").text
    assert planted.secret not in redacted
    assert repr(planted.secret)[1:-1] not in redacted
    assert redacted.startswith("got ")
    assert redacted.endswith(" and went on")


@pytest.mark.parametrize(
    ("line", "redacted"),
    [
        (
            r"'db:\n  password: Kb7xQ2mZ\n  port: 1'",
            r"'db:\n  password: [redacted: password]\n  port: 1'",
        ),
        (
            r"['db:\n  password: Kb7xQ2mZ', 1]",
            r"['db:\n  password: [redacted: password]', 1]",
        ),
        (
            r'{"a": "HOST=x\r\nDB_PASSWORD=plum\r\n"}',
            r'{"a": "HOST=x\r\nDB_PASSWORD=[redacted: password]\r\n"}',
        ),
        (
            r"'\tpassword = Kb7xQ2mZ\n\thost = x'",
            r"'\tpassword = [redacted: password]\n\thost = x'",
        ),
        (
            r"'[db]\\n\\tpassword: Kb7xQ2mZ\\n'",
            r"'[db]\\n\\tpassword: [redacted: password]\\n'",
        ),
        (
            r'"[db]\npassword = \"q7 \\"b c\"\n"',
            r'"[db]\npassword = \"[redacted: password]\"\n"',
        ),
        (r"x = 'password: Kb7xQ2mZ'", r"x = 'password: [redacted: password]'"),
    ],
    ids=["YAML", "last line", ".env", "INI", "escaped twice", "TOML", "one line"],
)
def test_in_an_escaped_text_only_the_secret_is_redacted(
    line: str, redacted: str
) -> None:
    assert Redactor().redact(line).text == redacted


@pytest.mark.parametrize("surrounding", SURROUNDINGS.values(), ids=SURROUNDINGS.keys())
@pytest.mark.parametrize("name", SINGLE_LINES)
def test_a_key_is_redacted_in_any_surroundings(name: str, surrounding: str) -> None:
    redacted = Redactor().redact(surrounding.format(SINGLE_LINES[name]))
    # What follows the prefix is the secret; `12345678:` of a bot is its public name.
    assert SINGLE_LINES[name][-12:] not in redacted.text
    assert len(redacted.labels) == 1


@pytest.mark.parametrize(
    "name", [name for name in SINGLE_LINES if name not in RECOGNISED_ONLY_WHOLE]
)
def test_a_key_that_is_cut_is_recognised_by_its_head(name: str) -> None:
    cut = SINGLE_LINES[name][: max(28, len(SINGLE_LINES[name]) * 3 // 4)]
    assert cut[-8:] not in Redactor().redact(f"key: {cut}").text


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


@pytest.mark.parametrize("line", [line for line in CAREFUL.splitlines() if line])
def test_a_line_that_only_looks_like_a_secret_stays(line: str) -> None:
    assert Redactor().redact(line).text == line


def test_nothing_of_a_megabyte_of_ordinary_text_is_redacted() -> None:
    text = innocent_text()
    assert len(text) >= 1_000_000
    assert Redactor().redact(text).labels == ()


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_no_ordinary_text_is_redacted_however_it_is_written(
    write: Callable[[str], str],
) -> None:
    assert Redactor().redact(write(CAREFUL + innocent_text()[:100_000])).labels == ()


@given(st.text(st.sampled_from("ab\n\\\\\\nr\"'"), max_size=60))
def test_every_view_of_a_text_maps_its_characters_to_the_original(text: str) -> None:
    letters = {"\n": "n", "\r": "r", "\t": "t"}
    for view in unescaped_views(text):
        for index, character in enumerate(view.text):
            start = view.original_index(index)
            end = view.original_index(index + 1)
            assert text[end - 1] in (character, letters.get(character))
            assert set(text[start : end - 1]) <= {"\\"}


@given(
    st.lists(
        st.one_of(
            st.sampled_from([planted.text for planted in PLANTED]),
            st.sampled_from(CAREFUL.splitlines()),
            st.text(max_size=20),
            st.sampled_from(
                [
                    "password=",
                    "token: ",
                    '"',
                    "'",
                    "\n",
                    "\\n",
                    " ",
                    "://",
                    "@",
                    ":",
                    "[redacted: ",
                    "]",
                    "İ",
                ]
            ),
        ),
        max_size=8,
    )
)
def test_redacting_twice_changes_nothing_more(parts: list[str]) -> None:
    redactor = Redactor()
    once = redactor.redact("".join(parts))
    assert redactor.redact(once.text).text == once.text


@given(
    st.text(max_size=60), st.sampled_from(sorted(SINGLE_LINES)), st.text(max_size=60)
)
def test_text_around_a_key_survives(before: str, name: str, after: str) -> None:
    redacted = Redactor().redact(f"{before}\n'{SINGLE_LINES[name]}'\n{after}")
    assert redacted.text.startswith(f"{before}\n'")
    assert redacted.text.endswith(f"'\n{after}")
    assert SINGLE_LINES[name][-12:] not in redacted.text


@given(st.text())
def test_text_without_secrets_is_returned_unchanged(text: str) -> None:
    redacted = Redactor().redact(text)
    assert redacted.labels or redacted.text is text


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "-",
            "eyJ",
            "eyJ.",
            "password=",
            "token: a[",
            "://a:",
            "sk-proj-",
            "hf_",
            "=",
            "\\",
            "curl -u ",
            "İ",
        ),
        *(
            "-----BEGIN " + "PRIVATE KEY-----",
            "-----END " + "PRIVATE KEY-----\n",
            "auth=(",
            "Cookie: a=",
            "A" * 64 + "\n",
            "PASSWORD=" + "\\n" * 100,
            '"Password: ")',
            "\\",
            "\\n",
            'x\ny = "\\n"\n',
        ),
    ],
)
def test_a_text_made_to_be_slow_is_read_in_a_time_that_grows_with_its_length(
    unit: str,
) -> None:
    # Were it quadratic, this would take minutes and run into the limit of every test.
    text = unit * (500_000 // len(unit))
    Redactor().redact(text)


def test_positions_are_cached_and_the_text_is_not() -> None:
    redactor, text = Redactor(), innocent_text()[:200_000]
    redactor.redact(text)
    cached = [
        size for item in redactor._cache.items() for size in map(sys.getsizeof, item)
    ]
    assert sum(cached) < 1000


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codebuddy_jupyter.secrets.redactor._CACHE_SIZE", 10)
    redactor = Redactor()
    for number in range(50):
        redactor.redact(f"text {number}")
    assert len(redactor._cache) == 10


def test_a_known_value_is_redacted_under_its_name() -> None:
    redactor = Redactor()
    redactor.know({"$DB_PASSWORD": "hunter2", "pin": "swordfish-and-more"})
    redacted = redactor.redact("got hunter2, xhunter2x and swordfish-and-more")
    assert (
        redacted.text == "got [redacted: $DB_PASSWORD], xhunter2x and [redacted: pin]"
    )
    assert redacted.labels == ("$DB_PASSWORD", "pin")


WAYS_TO_WRITE_A_VALUE: dict[str, Callable[[str], str]] = {
    "as it is": str,
    **{
        name: write
        for name, write in WRITTEN.items()
        if "Windows" not in name and "tabs" not in name
    },
    "in JSON as it is": lambda value: json.dumps(value, ensure_ascii=False),
    "in a query": lambda value: urlencode({"q": value}),
    "in a path": quote,
    "in a URL": lambda value: f"https://jo:{quote(value, safe='')}@example.com",
    "in HTML": escape,
    "in base64": lambda value: b64encode(value.encode()).decode(),
    "in base64 of bytes": lambda value: repr(b64encode(value.encode())),
}


@pytest.mark.parametrize(
    "write", WAYS_TO_WRITE_A_VALUE.values(), ids=WAYS_TO_WRITE_A_VALUE
)
@pytest.mark.parametrize(
    "value",
    [
        "kv7-plumplum",
        "it's-a/long-one",
        'x9 "b" & <c> 1',
        "naïve-schlüssel-7",
        "back\\slash-7",
    ],
)
def test_a_known_value_is_redacted_however_it_is_written(
    value: str, write: Callable[[str], str]
) -> None:
    redactor, written = Redactor(), write(value)
    redactor.know(known_values({"BILLING_PASSWORD": value}, {}))
    redacted = redactor.redact(f"x {written} y").text
    assert "[redacted: $BILLING_PASSWORD]" in redacted
    assert value not in redacted
    assert written not in redacted


@given(st.text(max_size=40))
def test_any_value_can_be_known(value: str) -> None:
    redactor = Redactor()
    redactor.know({"mine": f"x7{value}x7"})
    assert redactor.redact(f"x7{value}x7").text == "[redacted: mine]"


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_secret_is_known_from_the_environment(planted: Planted) -> None:
    known = known_values(
        {"BILLING_PASSWORD": planted.secret}, {"billing_password": planted.secret}
    )
    redactor = Redactor()
    redactor.know(known)
    for write in (str, repr, json.dumps):
        assert (
            planted.secret not in redactor.redact(f"x {write(planted.secret)} y").text
        )


def test_new_known_values_replace_those_before() -> None:
    redactor = Redactor()
    redactor.know({"one": "first-value-1"})
    assert redactor.redact("first-value-1").labels == ("one",)
    redactor.know({})
    assert redactor.redact("first-value-1").labels == ()


def test_known_values_come_from_the_environment_and_variables() -> None:
    environ = {
        "GITHUB_TOKEN": "abc123def456",
        "PATH": "/usr/bin",
        "DB_PASSWORD": "swordfish",
        "TOKENIZERS": "abc123def456",
    }
    names = {
        "api_key": "zyx987wvu",
        "secret": b"bytes-too-1",
        "df": object(),
        "conn_string": "mysql://u:x1@h/d",
    }
    assert known_values(environ, names) == {
        "$GITHUB_TOKEN": "abc123def456",
        "$DB_PASSWORD": "swordfish",
        "api_key": "zyx987wvu",
        "secret": "bytes-too-1",
        "conn_string": "mysql://u:x1@h/d",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sort_key", "price"),
        ("token", "<eos>"),
        ("token", "transformers"),
        ("API_KEY", "true"),
        ("API_KEY", "1"),
        ("DB_PASSWORD", "localhost"),
        ("DB_PASSWORD", "postgres"),
        ("password", "password"),
        ("SSH_KEY", "/home/jo/.ssh/id_rsa"),
        ("auth", "basic"),
        ("PWD", "/home/jo/project2"),
        ("SECRET", "id"),
        ("AUTH_TOKEN", "name"),
        ("password", ""),
    ],
)
def test_a_value_too_short_or_too_common_is_not_known(name: str, value: str) -> None:
    assert known_values({name: value}, {name: value}) == {}


def test_only_plain_texts_become_known_values() -> None:
    class Hostile(str):
        def __len__(self) -> int:
            raise AssertionError

        def __contains__(self, _: object) -> bool:
            raise AssertionError

    assert (
        known_values(
            {},
            {
                "password": Hostile("abc123def"),
                "token": 12345678901234,
                "secret": b"\xff\xfe" * 9,
            },
        )
        == {}
    )


NAMES_BY_STRENGTH: dict[Strength | None, str] = {
    "password": """
        password DB_PASSWORD dbPassword userpwd PGPASSWORD smtp_pass password2
        passwords_old_passwd my-password PassPhrase Passwort
        """,
    "secret": """
        api_key apikey X-Api-Key clientSecret SECRET_KEY hf_token accessToken STRIPE_KEY
        AWS_SECRET_ACCESS_KEY private_key
        """,
    "token": "token auth dsn connection_string",
    None: """
        sort_key key tokens secrets password_field max_tokens pad_token secret_santa
        public_key author monkey next_page_token __
        """,
}


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        (name, strength)
        for strength, names in NAMES_BY_STRENGTH.items()
        for name in names.split()
    ],
)
def test_a_name_suggests_a_secret_more_or_less_strongly(
    name: str, strength: Strength | None
) -> None:
    assert strength_of(name) == strength


def test_an_empty_name_suggests_no_secret() -> None:
    assert strength_of("") is None


def test_every_format_has_a_label_and_a_source() -> None:
    for secret_format in (*VENDOR_FORMATS, *SYNTAX_FORMATS):
        assert secret_format.label
        assert secret_format.source.startswith("https://")


def test_one_text_is_redacted_by_a_function() -> None:
    text = "password = 'Kb7xQ2mZ' for hunter2-and-more"
    assert redact(text) == "password = '[redacted: password]' for hunter2-and-more"
    assert redact(text, {"$PIN": "hunter2-and-more"}) == (
        "password = '[redacted: password]' for [redacted: $PIN]"
    )
