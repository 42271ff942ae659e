"""Made-up secrets of many formats, in the texts in which they occur.

They are put together on import, so that this file holds none of them. Each is random
letters in the format of a vendor's keys; none was ever issued.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_letters, ascii_uppercase, digits

_RANDOM = random.Random(7)
_ALNUM = ascii_letters + digits
_HEX = "0123456789abcdef"


def _characters(length: int, alphabet: str = _ALNUM) -> str:
    """Return random characters with a letter and a digit, as keys have them."""
    body = "".join(_RANDOM.choices(alphabet, k=length - 2))
    return (
        body[:3]
        + _RANDOM.choice([c for c in alphabet if c.isalpha()])
        + _RANDOM.choice("234567")
        + body[3:]
    )


def _key(*parts: str) -> str:
    return "".join(parts)


def _json64(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _block(
    title: str, *, lines: int = 12, line_end: str = "\n", end: bool = True
) -> str:
    body = [_characters(64, _ALNUM + "+/") for _ in range(lines)]
    body.append(_characters(30) + "==")
    head = f"-----BEGIN {title}-----"
    if not end:
        return line_end.join([head, *body[:-1]])
    return line_end.join([head, *body, f"-----END {title}-----"])


@dataclass(frozen=True)
class Planted:
    """A text of a notebook, and the secret in it that must not leave the notebook."""

    name: str
    text: str
    secret: str


def _tokens() -> dict[str, str]:
    """Return secrets that are recognised by their own format."""
    return {
        "aws access key": "AK" + "IA" + _characters(16, ascii_uppercase + "234567"),
        "aws temporary key": "AS" + "IA" + _characters(16, ascii_uppercase + "234567"),
        "aws session token": "IQoJb3Jp" + "Z2lu" + _characters(200, _ALNUM + "/+"),
        "google key": "AI" + "za" + _characters(35, _ALNUM + "-_"),
        "google oauth token": "ya" + "29." + _characters(60, _ALNUM + "-_"),
        "google client secret": "GOC" + "SPX-" + _characters(28, _ALNUM + "-_"),
        "azure client secret": _characters(3) + "8" + "Q~" + _characters(34),
        "openai key": "s" + "k-" + _characters(20) + "T3Blbk" + "FJ" + _characters(20),
        "openai project key": _key(
            "s",
            "k-proj-",
            _characters(74, _ALNUM + "-_"),
            "T3Blbk",
            "FJ",
            _characters(74, _ALNUM + "-_"),
        ),
        "openai service account key": _key(
            "s", "k-svcacct-", _characters(100, _ALNUM + "-_")
        ),
        "anthropic key": "s" + "k-ant-api03-" + _characters(93, _ALNUM + "-_") + "AA",
        "openrouter key": "s" + "k-or-v1-" + _characters(64, _HEX),
        "deepseek key": "s" + "k-" + _characters(32, _HEX),
        "hugging face token": "h" + "f_" + _characters(34),
        "groq key": "gs" + "k_" + _characters(52),
        "xai key": "xa" + "i-" + _characters(80),
        "replicate token": "r8" + "_" + _characters(37),
        "perplexity key": "ppl" + "x-" + _characters(48),
        "nvidia key": "nva" + "pi-" + _characters(64, _ALNUM + "-_"),
        "github token": "gh" + "p_" + _characters(36),
        "github app token": "gh" + "s_" + _characters(36),
        "github oauth token": "gh" + "o_" + _characters(36),
        "github fine-grained token": _key(
            "github", "_pat_", _characters(22), "_", _characters(59)
        ),
        "gitlab token": "gl" + "pat-" + _characters(20, _ALNUM + "-_"),
        "gitlab routable token": _key(
            "gl", "pat-", _characters(27, _ALNUM + "-_"), ".01.", _characters(9)
        ),
        "npm token": "np" + "m_" + _characters(36),
        "pypi token": "py" + "pi-AgEIcHlwaS5vcmc" + _characters(120, _ALNUM + "-_"),
        "docker token": "dckr" + "_pat_" + _characters(27, _ALNUM + "-_"),
        "atlassian token": _key(
            "ATA",
            "TT3xFfGF0",
            _characters(180, _ALNUM + "-_"),
            "=",
            _characters(8, "0123456789ABCDEF"),
        ),
        "slack bot token": _key(
            "xo",
            "xb-",
            _characters(12, digits + "a"),
            "-",
            _characters(13, digits + "a"),
            "-",
            _characters(24),
        ),
        "slack app token": _key(
            "xa",
            "pp-1-A0",
            _characters(9, ascii_uppercase),
            "-",
            _characters(13),
            "-",
            _characters(64, _HEX),
        ),
        "slack webhook": _key(
            "hooks.slack",
            ".com/services/T",
            _characters(8),
            "/B",
            _characters(9),
            "/",
            _characters(24),
        ),
        "discord token": _key(
            "M",
            _characters(25),
            ".",
            _characters(6),
            ".",
            _characters(38, _ALNUM + "-_"),
        ),
        "telegram token": _key(
            str(_RANDOM.randrange(10**9, 10**10)),
            ":A",
            "A",
            _characters(33, _ALNUM + "-_"),
        ),
        "stripe key": "sk" + "_live_" + _characters(99),
        "stripe restricted key": "rk" + "_live_" + _characters(24),
        "stripe webhook secret": "wh" + "sec_" + _characters(32),
        "twilio key": "S" + "K" + _characters(32, _HEX),
        "sendgrid key": _key(
            "S",
            "G.",
            _characters(22, _ALNUM + "-_"),
            ".",
            _characters(43, _ALNUM + "-_"),
        ),
        "mailgun key": "ke" + "y-" + _characters(32, _HEX),
        "mailchimp key": _characters(32, _HEX) + "-u" + "s14",
        "databricks token": "da" + "pi" + _characters(32, _HEX),
        "digitalocean token": "do" + "p_v1_" + _characters(64, _HEX),
        "vault token": "hv" + "s." + _characters(90, _ALNUM + "-_"),
        "terraform token": _key(
            _characters(14), ".atlas", "v1.", _characters(67, _ALNUM + "-_")
        ),
        "notion token": "nt" + "n_" + _characters(46),
        "linear key": "lin" + "_api_" + _characters(40),
        "grafana token": "gl" + "sa_" + _characters(32) + "_" + _characters(8, _HEX),
        "shopify token": "shp" + "at_" + _characters(32, _HEX),
        "new relic key": "NR" + "AK-" + _characters(27, ascii_uppercase + digits),
        "supabase token": "sb" + "p_" + _characters(40, _HEX),
        "json web token": ".".join(
            [
                _json64('{"alg":"HS256","typ":"JWT"}'),
                _json64('{"sub":"1234","name":"Jo"}'),
                _characters(43, _ALNUM + "-_"),
            ]
        ),
        "rsa key": _block("RSA " + "PRIVATE KEY"),
        "pkcs8 key": _block("PRIVATE" + " KEY"),
        "openssh key": _block("OPENSSH " + "PRIVATE KEY", lines=6),
        "pgp key": _block("PGP " + "PRIVATE KEY BLOCK", lines=30),
        "key in a JSON text": _block("PRIVATE" + " KEY", line_end="\\n"),
        "key without its end": _block("EC " + "PRIVATE KEY", end=False),
    }


def _in_context() -> list[Planted]:
    """Return secrets that are recognised by the text around them; {} is their position."""
    password, odd = _characters(12), "s3cr3t" + "&Pa$$!"
    hex32, key40, key88 = (
        _characters(32, _HEX),
        _characters(40, _ALNUM + "/+"),
        _characters(86, _ALNUM + "/+") + "==",
    )
    basic = b64encode(f"jo:{password}".encode()).decode()
    named = {
        "password in code": ('password = "{}"', odd),
        "short password in code": ("db_password = '{}'", "hunter2"),
        "password with spaces": ('password = "{}"', "correct horse battery staple"),
        "password as an argument": (
            'engine = connect(host="db", user="jo", password="{}")',
            password,
        ),
        "annotated password": ('password: str = "{}"', password),
        "password compared": ('if password == "{}":', password),
        "password in a dict": ("{{'user': 'jo', 'password': '{}'}}", password),
        "password in JSON": (
            '{{"user": "jo", "dbPassword": "{}", "port": 5432}}',
            password,
        ),
        "password in JSON within JSON": (
            '"source": "{{\\"password\\": \\"{}\\"}}"',
            password,
        ),
        "password in a saved notebook": (
            '"source": ["import os\\nDB_PASSWORD=\\"{}\\"\\n"]',
            password,
        ),
        "password in YAML": ("db:\n  host: x\n  password: {}\n  port: 1", password),
        "password in INI": ("[db]\nhost = x\npassword = {}\n", password),
        "password in .env": ("HOST=x\nDB_PASSWORD={}\nPORT=1", odd),
        "word as password in .env": ("POSTGRES_PASSWORD={}\n", "swordfish"),
        "password in TOML": ('[db]\npassword = "{}"\n', odd),
        "password in XML": ("<user>jo</user><password>{}</password>", password),
        "password as a flag": (
            "!tool login --user jo --password {} --host x",
            password,
        ),
        "token as a flag": ("!tool --token={} push", hex32),
        "exported token": ("export MY_API_TOKEN={}", hex32),
        "token set by a magic": ("%env SERVICE_API_KEY={}", hex32),
        "token in environ": ('os.environ["SERVICE_TOKEN"] = "{}"', hex32),
        "token in setdefault": ('os.environ.setdefault("SERVICE_TOKEN", "{}")', hex32),
        "api key": ('client = Client(api_key="{}")', hex32),
        "key in a header": ('headers = {{"X-Api-Key": "{}"}}', hex32),
        "password in a repr": ("Config(host='x', password='{}', port=1)", password),
        "password in a traceback": (
            "----> 3 connect(user='jo', password='{}')\n      4 print(1)",
            password,
        ),
        "password in numbered lines": (
            "      2 HOST=x\n----> 3 DB_PASSWORD={}\n",
            password,
        ),
        "aws secret": ("aws_secret_access_key = {}", key40),
        "aws secret beside its key": (
            'Session("AKI' + 'AIOSFODNN7EXAMPLE", "{}")',
            key40,
        ),
        "azure storage": (
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x",
            key88,
        ),
        "azure shared access": (
            "Endpoint=sb://a/;SharedAccessKeyName=b;SharedAccessKey={}",
            _characters(43) + "=",
        ),
        "azure signature": (
            "https://a.blob.core.windows.net/c?sv=2024-11-04&se=2025&sig={}&sp=r",
            _characters(40) + "%3D",
        ),
        "password in a connection string": (
            "Server=db;Database=x;Uid=sa;Pwd={};Encrypt=yes",
            "Abc!1234",
        ),
        "password in a DSN": ("host=db user=jo password={} dbname=x", password),
        "password in a database URL": (
            'create_engine("postgresql+psycopg://jo:{}@db:5432/x")',
            password,
        ),
        "odd password in a database URL": ("mysql://jo:{}@db/x", "p@ss/w0rd"),
        "password in a web address": ("https://jo:{}@example.com/x.csv", password),
        "snowflake": ("snowflake://jo:{}@acct/db/schema?warehouse=w", odd),
        "mongo": ("mongodb+srv://jo:{}@c0.mongodb.net/?retryWrites=true", password),
        "redis": ("redis://:{}@cache:6379/0", password),
        "token in a query": (
            "https://api.example.com/v1?x=1&access_token={}&y=2",
            hex32,
        ),
        "token before a host": ("https://{}@git.example.com/a/b.git", _characters(40)),
        "bearer": ("Authorization: Bearer {}", _characters(40)),
        "bearer in code": ('headers={{"Authorization": "Bearer {}"}}', _characters(40)),
        "bearer in curl": (
            "!curl -H 'Authorization: Bearer {}' https://example.com",
            _characters(40),
        ),
        "basic": ('{{"Authorization": "Basic {}"}}', basic),
        "curl user": ("!curl -u jo:{} https://example.com", password),
        "requests auth": ('requests.get(url, auth=("jo", "{}"))', password),
        "login": ('server.login("jo@example.com", "{}")', password),
        "sql user": ("CREATE USER jo WITH PASSWORD '{}';", password),
        "sql identified": ("CREATE USER jo IDENTIFIED BY '{}';", password),
        "netrc": ("machine example.com login jo password {}", password),
        "cookie": ("Cookie: {}\n", f"theme=dark; sessionid={hex32}"),
        "kaggle": ('{{"username":"jo","key":"{}"}}', hex32),
    }
    return [
        Planted(name, text.format(secret), secret)
        for name, (text, secret) in named.items()
    ]


TOKENS: dict[str, str] = _tokens()
PLANTED: list[Planted] = [
    *(Planted(name, f"value {secret} end", secret) for name, secret in TOKENS.items()),
    *_in_context(),
]

# Ways in which a text is written in outputs and files.
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
