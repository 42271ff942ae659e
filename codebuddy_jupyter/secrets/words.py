"""Which names promise a secret, and which values only stand in for one.

Says nothing about where either stands.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

Strength = Literal["password", "secret", "token"]
"""What a name says of its value, the surest first: a ``token`` is as often a word of a
text as it is a key.
"""

_PASSWORDS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "contraseña",
    "senha",
    "pwd",
)
_CREDENTIALS = {
    "credential",
    "credentials",
    "creds",
    "dsn",
    "auth",
    "authorization",
    "sessionid",
    "sas",
}
_JOINED_KEYS = re.compile(
    r".*(?:api|access|secret|private|auth|account|master|encryption|signing|storage)key"
)
_OWNER_OF_KEYS = re.compile(
    r"""
    access | account | admin | aes | anthropic | api | app | application | auth | aws | azure | client |
    consumer | crypto | datadog | deepl | encryption | fernet | gemini | google | groq | hmac | jwt | license |
    master | mistral | openai | private | project | sas | sdk | secret | service | session | shared | sign |
    signing | ssh | storage | stripe | subscription | wandb | webhook
    """,
    re.VERBOSE,
)
_OWNER_OF_TOKENS = re.compile(
    r"""
    access | admin | api | app | auth | authentication | aws | azure | bearer | bot | client | csrf | databricks
    | db | deploy | discord | do | gh | git | github | gitlab | hf | hub | huggingface | id | influx | jwt |
    kaggle | login | my | npm | oauth | personal | private | pypi | refresh | registry | replicate | sas |
    secret | security | service | session | slack | tg | telegram | user | vault | wandb | webhook | xsrf
    """,
    re.VERBOSE,
)
# `end_token` is a word of a vocabulary, `page_token` a place in a listing,
# `forgot_password` the text of a link.
_NOT_BEFORE = re.compile(
    r"""
    bos | check | cls | continuation | current | eos | end | first | forgot | has | hide | input | invalid | is
    | last | mask | next | no | num | output | pad | page | prev | previous | public | require | reset | sep |
    show | special | start | stop | sub | unk | use | validate | verify | word | wrong
    """,
    re.VERBOSE,
)
_SAY_NOTHING = re.compile(
    r"value|raw|plain|plaintext|text|str|string|bytes|old|new|prod|dev|test|live|default|base|\d+"
)
_WORD = re.compile(r"[A-Z]+(?![a-zß-ÿ])|[A-Z]?[a-zß-ÿ]+|\d+")


@lru_cache(maxsize=4096)
def strength_of(name: str) -> Strength | None:
    """What ``name`` says of its value; None where it promises no secret
    (``password_field``, ``sort_key``).
    """
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and _SAY_NOTHING.fullmatch(words[-1]):
        words.pop()
    if not words:
        return None
    last, owner = words[-1], words[-2] if len(words) > 1 else ""
    if _NOT_BEFORE.fullmatch(owner):
        return None
    if (
        (owner + last).endswith(_PASSWORDS)
        or last == "pw"
        or (last == "pass" and owner)
    ):
        return "password"
    if (
        last == "pass"
        or last.endswith("secret")
        or _JOINED_KEYS.fullmatch(last)
        or (last == "key" and _OWNER_OF_KEYS.fullmatch(owner))
    ):
        return "secret"
    if last.endswith("token"):
        return "secret" if _OWNER_OF_TOKENS.fullmatch(owner or last[:-5]) else "token"
    # `connection_string`: its last word says nothing and went.
    is_connection = last in ("connection", "conn") and name.lower().endswith(
        ("string", "str")
    )
    return "token" if last in _CREDENTIALS or is_connection else None


_STAND_IN = re.compile(
    r"""
      <.*> | \{.*\} | \$\{.* | \$\(.* | \$[A-Za-z_]+ | %\w | %\(.*\)s | %[A-Za-z_]+% | \[[a-z ]+\] | \[redacted:.*
    | :[a-z_]+ | [xX*.#_•?-]+                 # :password of SQL, xxxx, ****
    | .* (?: \.\.\. | … | xxxx | \*\*\* | ••• ) .*
    | (?:this[-_ ]is[-_ ])? (?:your|put|insert|replace|enter|add|paste) (?:[-_ ].* | [a-z]*)
    | (?:this[-_ ]is[-_ ])? (?:my|the|some|any|an?) [-_ ] (?:[a-z]+[-_ ])* (?:pass(?:word)?|secret|token|key)
    | .*[-_ ](?:here|placeholder|not[-_ ](?:set|used|required|needed))
    | change[-_ ]?(?:me|this|it).{0,4} | replace[-_]?me | none | null | nil | nan | n/?a | true | false | undefined
    | unset | empty | unknown | default | optional | required | hidden | masked | removed | redacted | anonymous
    | todo | fixme | tbd | test(?:ing)? | dummy | fake | sample | example | foo | bar | baz | foobar | placeholder
    | not[-_ ]?(?:needed|used|set|required|a[-_ ]real[-_ ]key) | no[-_ ]?(?:key|token|password)(?:[-_ ]\w+)? | ollama
    | sk-(?:no-key-required|fake|test|dummy) | lm-studio | token-abc123
    | str(?:ing)? | text | bytes | int(?:eger)? | float | bool(?:ean)? | object | dict | list | any | varchar | char
    | plaintext | basic | bearer | digest | oauth2? | jwt | header | cookie | body | query | form | input | utf-?8
    | (?:api|access|secret|private|auth|client|db|user)?[-_ ]?(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|auth)s?
    | credentials? | user(?:name)? | login
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_NAMES_ONLY = re.compile(
    r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[a-z]+(?:[-_.]+[a-z]+)+|[A-Z]?[a-z]+(?:[A-Z][a-z]+)+|[A-Za-z]+(?:-[A-Za-z]+)+"
    r"|[A-Za-z]+(?:\.[A-Za-z_]+)+"
)
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+:[A-Za-z_]\w*")
_NAMES_A_SECRET = re.compile(r"(?i)pass|pwd|secret|token|key|auth|cred")
_PATH = re.compile(
    r"(?:~|\.{1,2}|[A-Za-z]:)?[\\/][\w.\\/ "
    r"-]*|[\w.\\/-]+\.(?:json|txt|pem|key|ya?ml|ini|toml|env|csv|p12|pfx|crt)"
)
_AWS_SECRET = re.compile(r"[A-Za-z0-9/+]{40}")
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,12}://\S*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d.*")
# Texts beside an input field: "Enter your password", "Mot de passe oublié ?", "Must
# have 8 letters".
_LABEL = re.compile(
    r"\b(?:an?|and|are|as|at|be|by|can|do|does|enter|for|from|has|have|in|incorrect|invalid|is|it|must|new|not|of|old|or"
    r"|password|please|reset|required?|should|the|this|to|will|with|wrong|you|your|mot|la|le|et|passwort|das|die|der"
    r"|ist|und|nicht|contraseña|el|un|una|senha|de)\b",
    re.IGNORECASE,
)


def is_stand_in(value: str) -> bool:
    """Whether ``value`` only stands where a secret will:

    ``<token>``, ``$TOKEN``, ``changeme``, ``xxxx``, ``None``.
    """
    return bool(_STAND_IN.fullmatch(value))


def looks_like_secret(strength: Strength, value: str) -> bool:
    """Whether ``value`` is what a name with that promise promises, and neither a word,
    a label nor a path.
    """
    if is_stand_in(value) or any(
        form.fullmatch(value) for form in (_URL, _DATE, _MODULE)
    ):
        return False
    if _NAMES_ONLY.fullmatch(value) and _NAMES_A_SECRET.search(value):
        return False
    if _PATH.fullmatch(value) and not _AWS_SECRET.fullmatch(value):
        return False
    if strength == "password":
        return len(value) >= 3 and not (" " in value and _LABEL.search(value))
    if re.search(r"\s", value):
        return False
    if strength == "secret":
        return len(value) >= 8 or (len(value) >= 6 and not value.isalpha())
    return len(value) >= 12 and is_mixed(value)


def is_mixed(value: str) -> bool:
    """Whether letters and digits are mixed in ``value``, as in what a machine drew by
    lot.
    """
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))
