"""Secrets that are recognised by the text around them: URLs, headers, commands, calls.

Web tokens are here as well, since many vendors use them. The keys of single vendors are
in `vendor_formats`.
"""

from __future__ import annotations

import re

from .formats import SecretFormat
from .words import is_mixed

_RANDOM_PART = re.compile(r"[A-Za-z0-9]{8}|\d[a-z]+\d|[A-Z]")
_NOT_PROSE = re.compile(r"\d|=$|[a-z][A-Z]|[A-Z][a-z]+[A-Z]")


def _is_bearer_token(secret: str) -> bool:
    """Reject words that follow "bearer" in a sentence."""
    return is_mixed(secret) and _RANDOM_PART.search(secret) is not None


def _is_not_prose(secret: str) -> bool:
    """Reject words that follow the name of a scheme in a sentence."""
    return _NOT_PROSE.search(secret) is not None


_WEB = (
    SecretFormat(
        "web token",
        ("eyJ",),
        r"(?<![\w-])"
        r"(?:eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{4,}+(?:\.[A-Za-z0-9_-]*+){0,3}"
        r"|eyJ(?:hbGciOi|0eXAiOi|raWQiOi)[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){0,4})",
        "https://www.rfc-editor.org/rfc/rfc7519",
    ),
    SecretFormat(
        "password in URL",
        ("://",),
        r"(?<=[A-Za-z0-9])(?<!github)://(?P<user>[^\s:/@'\"<>`]{0,80}+)"
        r":(?P<secret>[^\s/'\"<>`?#]{1,256})@(?=[\w\[.-])(?!sha256:)",
        "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
    ),
    SecretFormat(
        # In the URL of a database, the password may hold a slash, unlike on the web.
        "password in URL",
        ("://",),
        r"(?<=[A-Za-z0-9])(?<!http)(?<!https)(?<!github)://[^\s:/@'\"<>`]{0,80}+"
        r":(?!\d{1,5}[/?#])(?P<secret>(?:[^\s'\"<>`:]|:(?!//)){1,128})"
        r"@(?=[\w\[.-])(?!sha256:)",
        "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS",
    ),
    SecretFormat(
        "token in URL",
        ("://",),
        r"(?<=[A-Za-z0-9])://(?P<secret>[A-Za-z0-9_-]{20,200}+)@(?=[\w\[.-])",
        "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
        is_mixed,
    ),
    SecretFormat(
        "bearer token",
        ("earer ", "EARER "),
        r"(?:[Bb]earer|BEARER)[ \t]{1,4}(?P<secret>[A-Za-z0-9._~+/=-]{12,}+)",
        "https://www.rfc-editor.org/rfc/rfc6750#section-2.1",
        _is_bearer_token,
        anchor_offset=1,
    ),
    SecretFormat(
        "authorization header",
        ("uthorization", "UTHORIZATION"),
        r"(?i:authorization)\\?[\"']?\]?\s{0,4}[:=,]\s{0,4}f?\\?[\"']?"
        r"(?i:basic|bearer|token|apikey|digest|negotiate|aws4-hmac-sha256)[ \t]{1,4}"
        r"(?P<secret>[A-Za-z0-9._~+/=:-]{6,}+)",
        "https://www.rfc-editor.org/rfc/rfc7617#section-2",
        _is_not_prose,
        anchor_offset=1,
    ),
    SecretFormat(
        "cookie",
        ("ookie:", 'ookie":', "ookie':", "OOKIE:"),
        r"(?i:cookie)\\?[\"']?:[ \t]{0,4}\\?[\"']?"
        r"(?P<secret>[\w.-]{1,60}+=[^\s\"'\\;{}]{4,}+"
        r"(?:;[ \t]?[\w.-]{1,60}+=[^\s\"'\\;]{1,}+)*)",
        "https://www.rfc-editor.org/rfc/rfc6265#section-4.2",
        anchor_offset=1,
    ),
)

_COMMANDS = (
    SecretFormat(
        "password in command",
        ("curl ", "http "),
        r"(?:curl|http)\b[^\n]{0,200}?\s(?:-u|--user|-a|--auth)[ =]?[\"']?"
        r"[^\s:'\"]{1,80}+:(?P<secret>[^\s'\"]{2,200})",
        "https://curl.se/docs/manpage.html#-u",
    ),
    SecretFormat(
        # Only without a space behind the flag: `-p name` prompts for the password, and
        # names the database.
        "password in command",
        ("mysql ", "mysqldump ", "mariadb "),
        r"[a-z]+[^\n]{0,200}?\s-p[\"']?(?P<secret>[^\s'\"-][^\s'\"]{2,100})",
        "https://dev.mysql.com/doc/refman/9.0/en/connecting.html",
    ),
    SecretFormat(
        "password in command",
        ("sshpass ", "docker login ", "redis-cli "),
        r"(?:sshpass|docker login|redis-cli)[^\n]{0,200}?\s-[pa][ ]?[\"']?"
        r"(?P<secret>[^\s'\"-][^\s'\"]{2,200})",
        "https://docs.docker.com/reference/cli/docker/login/",
    ),
    SecretFormat(
        # A line of a netrc file.
        "password",
        ("login ",),
        r"\blogin\s+\S{1,80}+\s+password\s+(?P<secret>\S{2,200})",
        "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html",
    ),
    SecretFormat(
        # SQL.
        "password",
        ("user ", "USER ", "PASSWORD '", "SECRET '", "TOKEN '"),
        r"(?:(?i:user)\s{1,4}\S{1,60}\s{1,4}"
        r"(?i:identified\s{1,4}by|(?:with\s{1,4})?password)\s{1,4}"
        r"|(?:PASSWORD|SECRET|TOKEN) )'(?P<secret>[^'\n]{3,200})'",
        "https://www.postgresql.org/docs/current/sql-createrole.html",
    ),
    SecretFormat(
        # Calls with a user's name and a password.
        "password",
        ("auth=", "auth =", "BasicAuth(", "basic_auth(", ".login("),
        r"(?:auth\s{0,2}=\s{0,2}\(|BasicAuth\(|basic_auth\(|\.login\()"
        r"\s{0,20}[\"'][^\"'\n]{1,100}[\"']\s{0,4},"
        r"\s{0,20}[\"'](?P<secret>[^\"'\n]{3,200})[\"']",
        "https://requests.readthedocs.io/en/latest/user/authentication/#basic-authentication",
    ),
)

SYNTAX_FORMATS: tuple[SecretFormat, ...] = (*_WEB, *_COMMANDS)
