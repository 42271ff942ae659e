"""Judge names and values: which names suggest a secret, which values are placeholders.

Judges single names and values; other modules search texts for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from .languages import (
    PASSWORD_PHRASES,
    QUALIFIERS,
    SECRET_PHRASES,
    TOKEN_PHRASES,
    folded,
)

# How much the name says about its value, the most certain first. A value named
# `password` is a secret even when it is short; one named `token` may be any word.
Strength = Literal["password", "secret", "token"]


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PASSWORD_ENDINGS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "contrasena",
    "pwd",
)
_CREDENTIALS = _word_set(
    "credential credentials creds dsn auth authorization sessionid sas"
)
_JOINED_KEY_NAME = re.compile(
    r".*(?:api|access|secret|private|auth|account|master|encryption|signing|storage)key"
)
# Words before `key` that make it a secret: `api_key`, not `sort_key`.
_SECRET_KEY_OWNERS = _word_set(
    """
    access account admin aes anthropic api app application auth aws azure client
    consumer crypto datadog deepl encryption fernet gemini google groq hmac jwt license
    master mistral openai private project sas sdk secret service session shared sign
    signing ssh storage stripe subscription wandb webhook
    """
)
# Words before `token` that make it a secret: `github_token`, not `next_token`.
_SECRET_TOKEN_OWNERS = _word_set(
    """
    access admin api app auth authentication aws azure bearer bot client csrf databricks
    db deploy discord do gh git github gitlab hf hub huggingface id influx jwt kaggle
    login my npm oauth personal private pypi refresh registry replicate sas secret
    security service session slack telegram tg user vault wandb webhook xsrf
    """
)
# Words before the last one that make the name harmless: `end_token` is a word of a
# vocabulary, `page_token` a position in a listing, `forgot_password` a link's text.
_HARMLESS_OWNERS = _word_set(
    """
    bos check cls continuation current end eos first forgot has hide input invalid is
    last mask next no num output pad page prev previous public require reset sep show
    special start stop sub unk use validate verify word wrong
    """
)
# Last words that say nothing about the value: `api_key_value`, `password2`.
_EMPTY_SUFFIXES = _word_set(
    """
    base bytes default dev live new old plain plaintext prod raw str string test text
    value
    """
)
_WORD = re.compile(r"[A-Z]+(?![a-zß-ÿ])|[A-Z]?[a-zß-ÿ]+|\d+|[^\W\d_A-Za-zß-ÿ]+")
# Words of a name that a phrase of `languages` can have.
_MAX_PHRASE = 5

_PLACEHOLDER = re.compile(
    r"""
    # Markup and variables of templates, shells and SQL: <token>, {key}, $TOKEN, :password
      <.*> | \{.*\} | \$\{.* | \$\(.* | \$[A-Za-z_]+ | %\w | %\(.*\)s | %[A-Za-z_]+%
    | \[[a-z ]+\] | \[redacted:.* | :[a-z_]+
    # Masked values: xxxx, ****, abc...xyz
    | [xX*.#_•?-]+ | .* (?: \.\.\. | … | xxxx | \*\*\* | ••• ) .*
    # Instructions: your-key, this is your token, insert_key
    | (?:this[-_ ]is[-_ ])?
      (?:your|put|insert|replace|enter|add|paste) (?:[-_ ].* | [a-z]*)
    | (?:this[-_ ]is[-_ ])?
      (?:my|the|some|any|an?) [-_ ] (?:[a-z]+[-_ ])* (?:pass(?:word)?|secret|token|key)
    | .*[-_ ](?:here|placeholder|not[-_ ](?:set|used|required|needed))
    | change[-_ ]?(?:me|this|it).{0,4} | replace[-_]?me
    # Empty and boolean values
    | none | null | nil | nan | n/?a | true | false | undefined | unset | empty | unknown
    | default | optional | required | hidden | masked | removed | redacted | anonymous
    # Values for tests and for servers that need no key
    | todo | fixme | tbd | test(?:ing)? | dummy | fake | sample | example | placeholder
    | foo | bar | baz | foobar
    | not[-_ ]?(?:needed|used|set|required|a[-_ ]real[-_ ]key)
    | no[-_ ]?(?:key|token|password)(?:[-_ ]\w+)?
    | ollama | lm-studio | sk-(?:no-key-required|fake|test|dummy) | token-abc123
    # Types
    | str(?:ing)? | text | bytes | int(?:eger)? | float | bool(?:ean)? | object | dict
    | list | any | varchar | char
    # Ways to log in, parts of a request, encodings
    | plaintext | basic | bearer | digest | oauth2? | jwt | header | cookie | body
    | query | form | input | utf-?8
    # Names of secrets
    | (?:api|access|secret|private|auth|client|db|user)?[-_ ]?
      (?:pass(?:word|wd|phrase)?|pwd|secret|token|key|auth)s?
    | credentials? | user(?:name)? | login
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_WORDS_ONLY = re.compile(
    r"""
      [A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+     # OPENAI_API_KEY
    | [a-z]+(?:[-_.]+[a-z]+)+           # api-key, settings.api_key
    | [A-Z]?[a-z]+(?:[A-Z][a-z]+)+      # apiKey, ApiKey
    | [A-Za-z]+(?:-[A-Za-z]+)+          # X-Api-Key
    | [A-Za-z]+(?:\.[A-Za-z_]+)+        # Settings.API_KEY
    """,
    re.VERBOSE,
)
_SECRET_STEM = re.compile(r"pass|pwd|secret|token|key|auth|cred", re.IGNORECASE)
_PATH = re.compile(
    r"""
      (?:~|\.{1,2}|[A-Za-z]:)? [\\/] [\w.\\/\ -]*
    | [\w.\\/-]+ \. (?:json|txt|pem|key|ya?ml|ini|toml|env|csv|p12|pfx|crt)
    """,
    re.VERBOSE,
)
# Holds slashes, as a path does.
_AWS_SECRET = re.compile(r"[A-Za-z0-9/+]{40}")
_HARMLESS_VALUES = (
    # URL
    re.compile(r"[a-z][a-z0-9+.-]{1,12}://\S*"),
    # Date
    re.compile(r"\d{4}-\d\d-\d\d.*"),
    # Entry point: `package.module:name`
    re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+:[A-Za-z_]\w*"),
)
# Words in texts beside an input field, in English, French, German, Spanish and
# Portuguese: "Enter your password", "Mot de passe oublié ?", "Must have 8 letters".
_LABEL_WORD = re.compile(
    r"""
    \b(?:
        an?|and|are|as|at|be|by|can|do|does|enter|for|from|has|have|in|incorrect|invalid
      | is|it|must|new|not|of|old|or|password|please|reset|required?|should|the|this|to
      | will|with|wrong|you|your
      | mot|la|le|et
      | passwort|das|die|der|ist|und|nicht
      | contraseña|el|un|una
      | senha|de
    )\b
    """,
    re.VERBOSE | re.IGNORECASE,
)

# Common default passwords that are also words of ordinary text.
_ORDINARY_WORDS = _word_set(
    """
    administrator anonymous clickhouse cassandra chocolate computer container customer
    database development elasticsearch employee football guest jupyter localhost
    minioadmin mongodb mysecret mysql neo4j notebook nobody oracle postgres postgresql
    princess production qwerty rabbitmq research root snowflake software standard
    staging student sunshine superuser supersecret superman system testing username
    welcome whatever workshop
    """
)


@lru_cache(maxsize=4096)
def strength_of(name: str) -> Strength | None:
    """Return how strongly a name suggests a secret; None where it does not.

    ``api_key`` and ``password`` suggest one, ``sort_key`` and ``password_field`` do not.
    """
    words = _meaningful_words(name)
    if not words:
        return None
    in_other_language = _strength_of_phrase(words)
    if in_other_language:
        return in_other_language
    last = words[-1]
    owner = words[-2] if len(words) > 1 else ""
    if owner in _HARMLESS_OWNERS:
        return None
    if _is_password_name(owner, last):
        return "password"
    if _is_secret_name(owner, last):
        return "secret"
    if last.endswith("token") or last in _CREDENTIALS:
        return "token"
    # The last word of `connection_string` was dropped as saying nothing.
    if last in ("connection", "conn") and name.lower().endswith(("string", "str")):
        return "token"
    return None


def _meaningful_words(name: str) -> list[str]:
    words = [word.lower() for word in _WORD.findall(folded(name))]
    while len(words) > 1 and _says_nothing(words):
        words.pop()
    return words


def _says_nothing(words: list[str]) -> bool:
    """Return whether the last word of a name says nothing about the value."""
    last = words[-1]
    if last in _EMPTY_SUFFIXES or last.isdecimal():
        return True
    if last == "data":
        # `client-key-data` of a configuration of Kubernetes.
        return words[-2] == "key"
    # `password_db` and `senha_banco`, but not `db`.
    return last in QUALIFIERS and _is_password_name("", words[-2])


def _strength_of_phrase(words: list[str]) -> Strength | None:
    """Return how strongly a name of another language than English suggests a secret."""
    if len(words) > 1 and words[-2] in _HARMLESS_OWNERS:
        return None
    phrases: tuple[tuple[Strength, frozenset[str]], ...] = (
        ("password", PASSWORD_PHRASES),
        ("secret", SECRET_PHRASES),
        ("token", TOKEN_PHRASES),
    )
    for end in range(len(words), 0, -1):
        if end < len(words) and words[end] not in QUALIFIERS:
            break
        endings = [
            "".join(words[start:end]) for start in range(max(0, end - _MAX_PHRASE), end)
        ]
        for strength, known in phrases:
            if not known.isdisjoint(endings) or _ends_with_any(words[end - 1], known):
                return strength
    return None


def _ends_with_any(word: str, phrases: frozenset[str]) -> bool:
    """Return whether a word of a script without word borders ends with a phrase."""
    return not word.isascii() and word.endswith(_not_ascii(phrases))


@lru_cache
def _not_ascii(phrases: frozenset[str]) -> tuple[str, ...]:
    return tuple(phrase for phrase in phrases if not phrase.isascii())


def _is_password_name(owner: str, last: str) -> bool:
    # Two words at a time, as `passWord` and `pass_word` are written, too.
    if (owner + last).endswith(_PASSWORD_ENDINGS):
        return True
    return last == "pw" or (last == "pass" and owner != "")


def _is_secret_name(owner: str, last: str) -> bool:
    if last == "pass" or last.endswith("secret") or _JOINED_KEY_NAME.fullmatch(last):
        return True
    if last == "key":
        return owner in _SECRET_KEY_OWNERS
    if last.endswith("token"):
        return (owner or last.removesuffix("token")) in _SECRET_TOKEN_OWNERS
    return False


def is_placeholder(value: str) -> bool:
    """Return whether a value only marks where a secret goes: ``<token>``, ``changeme``."""
    return _PLACEHOLDER.fullmatch(value) is not None


def looks_like_secret(strength: Strength, value: str) -> bool:
    """Return whether the value of a name of this strength is likely to be a secret.

    Placeholders, URLs, dates, paths, labels and names of secrets are not.
    """
    if is_placeholder(value) or _is_harmless(value):
        return False
    if strength == "password":
        is_label = " " in value and _LABEL_WORD.search(value)
        return len(value) >= 3 and not is_label
    if re.search(r"\s", value):
        return False
    if strength == "secret":
        min_length = 8 if value.isalpha() else 6
        return len(value) >= min_length
    return len(value) >= 12 and is_mixed(value)


def _is_harmless(value: str) -> bool:
    if any(pattern.fullmatch(value) for pattern in _HARMLESS_VALUES):
        return True
    if _WORDS_ONLY.fullmatch(value) and _SECRET_STEM.search(value):
        return True
    return bool(_PATH.fullmatch(value) and not _AWS_SECRET.fullmatch(value))


# What stands in the column of a password in a table about passwords, not of them.
_HARMLESS_CELL = re.compile(
    r"""
      [+-]?\d{1,3} | [+-]?[\d,]*\.\d+(?:e[+-]?\d+)? %? | nat | <na>
    | yes | no | ja | nein | oui | non | sí | si | да | нет | 是 | 否 | [✓✔✗✘xy]
    | [\W_]+ | (?:\\+(?:u[0-9a-f]{4}|x[0-9a-f]{2})){1,3}
    | u?int\d+ | float\d+ | object | category | varchar.* | datetime.* | string.*
    | large_string | binary | timestamp.* | list\[.*
    """,
    re.VERBOSE | re.IGNORECASE,
)


_LONG_CELL = 12
_ABOUT_PASSWORDS = re.compile(
    r"\b(?:password|passwort|contraseña|senha|mot de passe|enter|must|requires?d?|reset)\b",
    re.IGNORECASE,
)


def are_secrets_of_column(strength: Strength, values: Sequence[str]) -> list[bool]:
    """Return which values of a column are secrets, judged together.

    In a column for passwords, all are that can be one. In a column ``token``, which may
    hold words as well, either most look random, and then all count, or none do.
    """
    can_be_secret = []
    for value in values:
        can_be_secret.append(_can_be_secret_cell(value))
    if strength == "token":
        candidates = [value for value in values if _can_be_secret_cell(value)]
        random = [value for value in candidates if _is_random_cell(value)]
        if 2 * len(random) < len(candidates):
            return [len(value) >= 16 and value in random for value in values]
    return can_be_secret


def _can_be_secret_cell(value: str) -> bool:
    # A long value may have been cut; a short one with dots was masked.
    uncut = value.rstrip("….")
    value = uncut if len(uncut) >= _LONG_CELL else value
    if len(value) < 3 or is_placeholder(value) or _HARMLESS_CELL.fullmatch(value):
        return False
    return not (" " in value and _ABOUT_PASSWORDS.search(value))


def _is_random_cell(value: str) -> bool:
    """Return whether a value, which may have been cut, has letters and digits mixed."""
    return len(value) >= 8 and " " not in value and is_mixed(value)


# The label to show, by what the name contains.
_LABELS = {"token": "token", "secret": "secret", "api": "api key", "key": "key"}


def label_of(name: str, strength: Strength) -> str:
    """Return the label to show in place of the value of a name."""
    if strength == "password":
        return "password"
    lowered = name.lower()
    for part, label in _LABELS.items():
        if part in lowered:
            return label
    return "credential"


def is_distinctive(strength: Strength, value: str) -> bool:
    """Return whether a value is unlikely to occur in ordinary text."""
    if "PRIVATE KEY" in value:
        return True
    if "://" in value:
        return "@" in value
    if "\n" in value or value.isdigit() or not looks_like_secret(strength, value):
        return False
    if value.isalpha():
        min_length = 12 if strength == "secret" else 8
        return len(value) >= min_length and value.casefold() not in _ORDINARY_WORDS
    return len(value) >= 8 or (len(value) >= 6 and is_mixed(value))


def is_mixed(value: str) -> bool:
    """Return whether a value has letters and digits, as random keys have."""
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))
