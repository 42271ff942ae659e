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
        # `user/password@//host` in the URLs and commands of Oracle.
        "password in URL",
        (":thin:", ":oci:", ":oci8:", "sqlplus ", ".connect("),
        r"(?::(?:thin|oci8?):|sqlplus[ ]{1,4}(?:-\w[ ]{1,4}){0,3}|\.connect\(\s{0,4})[\"']?"
        r"[\w$#]{1,40}/(?P<secret>[^\s/@\"'<>{}]{2,128})@(?=[\w/(])",
        "https://docs.oracle.com/database/121/JJDBC/urls.htm",
    ),
    SecretFormat(
        # Parameters of URLs that hold keys, though their names are common words.
        "key in URL",
        (
            "?key=",
            "&key=",
            "?code=",
            "&code=",
            "appid=",
            "app_id=",
            "?apikey=",
            "sign=",
        ),
        r"[?&]?(?:key|code|appid|app_id|apikey|sign)="
        r"(?P<secret>(?:[0-9a-f]{32,}+|[A-Za-z0-9_-]{40,}+={0,2})(?![\w.-]))",
        "https://openweathermap.org/appid",
        is_mixed,
    ),
    SecretFormat(
        "webhook address",
        ("hooks.zapier.com/hooks/catch/", "maker.ifttt.com/trigger/"),
        r"(?:hooks\.zapier\.com/hooks/catch/\d+|maker\.ifttt\.com/trigger/[\w-]{1,80}"
        r"(?:/json)?/with/key)/(?P<secret>[A-Za-z0-9_-]{5,80})",
        "https://help.zapier.com/hc/en-us/articles/8496288690317",
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
        # Passwords of OpenSSL: `-passin pass:…`.
        "password in command",
        (" pass:",),
        r"(?<=in|ut|ss|-k)[ ]pass:(?P<secret>[^\s'\"$][^\s'\"]{2,200})",
        "https://docs.openssl.org/master/man1/openssl-passphrase-options/",
    ),
    SecretFormat(
        # Commands with a password behind a flag of one letter.
        "password in command",
        (
            *("az login ", "twine upload ", "podman login ", "helm registry login "),
            *("buildah login ", "skopeo login ", "oc login ", "mongosh ", "mongo "),
            *("cqlsh ", "7z "),
        ),
        r"[a-z0-9 ]{2,22}?[ ][^\n]{0,200}?(?<=[ ])-p[ ]?[\"']?"
        r"(?P<secret>[^\s'\"$-][^\s'\"]{3,200})",
        "https://learn.microsoft.com/cli/azure/authenticate-azure-cli",
        _is_not_prose,
    ),
    SecretFormat(
        "password in command",
        ("unzip ", "sqlcmd ", "bcp "),
        r"[a-z]+[^\n]{0,200}?\s-P[ ]?[\"']?(?P<secret>[^\s'\"$-][^\s'\"]{3,200})",
        "https://learn.microsoft.com/sql/tools/sqlcmd/sqlcmd-utility",
        _is_not_prose,
    ),
    SecretFormat(
        "password in command",
        ("ldapsearch ", "ldapmodify ", "smbclient ", "openssl enc "),
        r"(?:ldap(?:search|modify)[^\n]{0,200}?\s-w[ ]?"
        r"|smbclient[^\n]{0,200}?\s-U[ ]?[\w.\\-]{1,60}%"
        r"|openssl enc[^\n]{0,200}?\s-k[ ])"
        r"[\"']?(?P<secret>[^\s'\"$-][^\s'\"]{2,200})",
        "https://www.openldap.org/software/man.cgi?query=ldapsearch",
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
        # Calls that get nothing but a password, or a password at the end.
        "password",
        (
            *("set_password(", "make_password(", "check_password(", "hashpw("),
            *("verify_password(", "AzureKeyCredential(", "Auth.Token("),
            *("SecretStr(", "SecretBytes("),
        ),
        r"(?:(?:set|make|check|verify)_password|hashpw|AzureKeyCredential"
        r"|Auth\.Token|Secret(?:Str|Bytes))\(\s{0,20}"
        r"(?:(?:[\w.]{1,40}|[\"'][^\"'\n]{0,80}[\"'])\s{0,4},\s{0,4}){0,2}"
        r"[bfru]?[\"'](?P<secret>[^\"'\n]{3,200})[\"']\s{0,4}\)",
        "https://docs.djangoproject.com/en/stable/topics/auth/passwords/",
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
