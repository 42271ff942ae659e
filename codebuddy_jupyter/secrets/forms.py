"""The forms of secrets that tell themselves by their looks, wherever they stand: a
table, each row with its source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .words import is_mixed, is_stand_in

# Not inside a longer word.
_ALONE = r"(?<![A-Za-z0-9_-])"
_CUT = r"(?=\.\.\.|…|\Z)"


def _any_body(_: str) -> bool:
    return True


def _not_words(body: str) -> bool:
    """Not ``AutoModelForSequenceClassification``, nor one long word in lower case."""
    return not re.fullmatch(
        r"[a-z]*(?:[A-Z][a-z]{2,})+\d?|[a-z]{1,24}|[A-Z]{1,24}", body
    )


def _not_protein(body: str) -> bool:
    """Not twenty letters of those that proteins are written in, nor a word in capitals."""
    return not re.fullmatch(r"[ACDEFGHIKLMNPQRSTVWY]+", body) or "EXAMPLE" in body


@dataclass(frozen=True)
class Form:
    """A form of secret.

    ``pattern`` is tried ``reach`` characters before each of the ``tells``, which are
    found much faster than any pattern; it holds a group ``secret`` where only a part is
    one. ``is_one`` looks at that part once more. ``source`` is where the form is told.
    """

    kind: str
    tells: tuple[str, ...]
    pattern: str
    source: str
    is_one: Callable[[str], bool] = _any_body
    reach: int = 0


_KEY = r"[A-Za-z0-9_-]"

FORMS: tuple[Form, ...] = (
    # Clouds
    Form(
        "aws key",
        ("AKIA", "ASIA", "ABIA", "ACCA"),
        rf"{_ALONE}(?P<secret>(?:AKIA|ASIA|ABIA|ACCA)(?:[A-Z0-9]{{16}}(?![A-Za-z0-9])|[A-Z0-9]{{8,15}}{_CUT}))",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
        _not_protein,
    ),
    Form(
        "aws secret",
        ("AKIA", "ASIA"),
        rf"{_ALONE}A[KS]IA[A-Z0-9]{{16}}[^A-Za-z0-9/+]{{1,20}}(?P<secret>[A-Za-z0-9/+]{{40}})(?![A-Za-z0-9/+=])",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
    ),
    Form(
        "aws session token",
        ("IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz"),
        r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9/+=%]{16,}+",
        "https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html",
    ),
    Form(
        "aws key",
        ("ABSK", "bedrock-api-key-"),
        rf"{_ALONE}(?:ABSK[A-Za-z0-9+/]{{60,}}+|bedrock-api-key-[A-Za-z0-9+/]{{16,}}+)={{0,2}}",
        "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html",
    ),
    Form(
        "signature in URL",
        ("-Signature=", "sig=", "&Signature=", "?Signature="),
        r"(?:(?<=Amz)-Signature|(?<=Goog)-Signature|[&?]Signature|(?<=[?&;])sig)=(?P<secret>[A-Za-z0-9%+/=_-]{20,}+)",
        "https://learn.microsoft.com/azure/storage/common/storage-sas-overview",
    ),
    Form(
        "google key",
        ("AIza",),
        rf"{_ALONE}AIza(?P<secret>{_KEY}{{20,}}+)",
        "https://cloud.google.com/docs/authentication/api-keys",
    ),
    Form(
        "google token",
        ("ya29.", "GOCSPX-", "1//0"),
        rf"{_ALONE}(?:ya29\.|GOCSPX-|1//0){_KEY}{{20,}}+",
        "https://developers.google.com/identity/protocols/oauth2",
    ),
    Form(
        "azure key",
        ("AccountKey=", "accountkey=", "AccessKey="),
        r"(?i:AccountKey|AccessKey)=(?P<secret>[A-Za-z0-9+/]{20,}+={0,2})",
        "https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
    ),
    Form(
        "azure secret",
        ("Q~",),
        r"(?<![\w~.-])[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}(?![\w~-])",
        "https://learn.microsoft.com/entra/identity-platform/quickstart-register-app",
        reach=4,
    ),
    Form(
        "digitalocean token",
        ("dop_v1_", "doo_v1_", "dor_v1_"),
        r"do[opr]_v1_(?P<secret>[a-f0-9]{8,}+)",
        "https://docs.digitalocean.com/reference/api/create-personal-access-token/",
    ),
    Form(
        "databricks token",
        ("dapi", "dkea", "dose"),
        rf"{_ALONE}(?:dapi|dkea|dose)(?P<secret>[a-f0-9]{{32}}(?:-\d)?|[a-f0-9]{{12,31}}{_CUT})(?![A-Za-z0-9])",
        "https://docs.databricks.com/dev-tools/auth/pat.html",
    ),
    Form(
        "vault token",
        ("hvs.", "hvb.", "hvr."),
        rf"{_ALONE}hv[sbr]\.{_KEY}{{20,}}+",
        "https://developer.hashicorp.com/vault/docs/concepts/tokens",
    ),
    Form(
        "terraform token",
        (".atlasv1.",),
        rf"{_ALONE}[A-Za-z0-9]{{14}}\.atlasv1\.{_KEY}{{20,}}+",
        "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens",
        reach=14,
    ),
    # Models
    Form(
        "anthropic key",
        ("sk-ant-",),
        rf"sk-ant-(?:[a-z]{{2,8}}\d\d-{_KEY}{{6,}}+|{_KEY}{{20,}}+)",
        "https://platform.claude.com/docs/en/api/overview",
    ),
    Form(
        "openai key",
        ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-", "sk-service-"),
        rf"sk-(?:proj|svcacct|admin|None|service)-(?P<secret>{_KEY}{{8,}}+)",
        "https://platform.openai.com/docs/api-reference/authentication",
    ),
    Form(
        "openrouter key",
        ("sk-or-",),
        r"sk-or-(?:v1-)?(?P<secret>[A-Za-z0-9]{12,}+)",
        "https://openrouter.ai/docs/api/reference/authentication",
    ),
    Form(
        "langfuse key",
        ("sk-lf-",),
        r"sk-lf-(?P<secret>[a-f0-9-]{12,}+)",
        "https://langfuse.com/docs/api",
    ),
    Form(
        "api key",
        ("sk-",),
        rf"{_ALONE}sk-(?P<secret>[A-Za-z0-9]{{20,}}+)",
        "https://api-docs.deepseek.com",
        _not_words,
    ),
    Form(
        "hugging face token",
        ("hf_", "api_org_"),
        rf"{_ALONE}(?:hf_|api_org_)(?P<secret>[A-Za-z0-9]{{20,}}+)(?!_)",
        "https://huggingface.co/docs/hub/security-tokens",
        _not_words,
    ),
    Form(
        "model key",
        (
            "gsk_",
            "xai-",
            "r8_",
            "pplx-",
            "nvapi-",
            "tgp_v1_",
            "csk-",
            "fw_",
            "jina_",
            "tvly-",
            "pcsk_",
            "lsv2_",
        ),
        rf"{_ALONE}(?:gsk_|xai-|r8_|pplx-|nvapi-|tgp_v1_|csk-|fw_|jina_|tvly-(?:dev-|prod-)?|pcsk_|lsv2_(?:pt|sk)_)"
        rf"(?P<secret>(?=[A-Za-z_-]*\d|[a-z]*[A-Z]){_KEY}{{16,}}+)",
        "https://console.groq.com/docs, https://docs.x.ai, "
        "https://replicate.com/docs/reference/http, "
        "https://docs.perplexity.ai, https://docs.nvidia.com/nim, https://docs.together.ai, "
        "https://inference-docs.cerebras.ai, https://docs.fireworks.ai, "
        "https://jina.ai, https://docs.tavily.com, "
        "https://docs.pinecone.io, https://docs.langchain.com/langsmith",
        _not_words,
    ),
    # Code and packages
    Form(
        "github token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"(?:gh[pousr]_(?P<secret>[A-Za-z0-9]{12,}+)|github_pat_[A-Za-z0-9_]{12,}+)",
        "https://github.blog/engineering/behind-githubs-new-authentication-token-formats/",
    ),
    Form(
        "gitlab token",
        (
            "glpat-",
            "gldt-",
            "glrt-",
            "glcbt-",
            "glptt-",
            "glft-",
            "glsoat-",
            "glagent-",
            "gloas-",
            "glimt-",
        ),
        rf"{_ALONE}gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-(?P<secret>[A-Za-z0-9_.-]{{12,}}+)",
        "https://docs.gitlab.com/security/tokens/",
    ),
    Form(
        "atlassian token",
        ("ATATT3", "ATCTT3", "ATBB"),
        rf"{_ALONE}(?:AT[AC]TT3[A-Za-z0-9_=-]{{20,}}+|ATBB[A-Za-z0-9]{{24,}}+)",
        "https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/",
    ),
    Form(
        "package registry token",
        ("npm_", "pypi-Ag", "rubygems_", "dckr_pat_", "dckr_oat_"),
        rf"{_ALONE}(?:npm_(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{{30,36}}(?!\w)|npm_[A-Za-z0-9]{{16,}}{_CUT}|pypi-Ag{_KEY}{{24,}}+"
        rf"|rubygems_[a-f0-9]{{20,}}+|dckr_[po]at_{_KEY}{{16,}}+)",
        "https://docs.npmjs.com/about-access-tokens, https://pypi.org/help/#apitoken, "
        "https://guides.rubygems.org/api-key-scopes/, "
        "https://docs.docker.com/security/access-tokens/",
    ),
    # Messages, money and the rest
    Form(
        "slack token",
        ("xox", "xapp-"),
        r"(?:xox[abcdeoprs]-|xoxe\.xox[bp]-|xapp-)(?P<secret>[A-Za-z0-9%-]{8,}+)",
        "https://docs.slack.dev/authentication/tokens",
    ),
    Form(
        "webhook address",
        ("hooks.slack.com/", "/api/webhooks/", ".webhook.office.com/"),
        r"(?:hooks\.slack\.com/(?:services|workflows|triggers)/|/api/webhooks/\d{10,25}/"
        r"|\.webhook\.office\.com/webhookb2/)(?P<secret>[A-Za-z0-9_/@-]{16,}+)",
        "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, "
        "https://discord.com/developers/docs/resources/webhook",
    ),
    Form(
        "discord token",
        (),
        r"[MNO](?<![\w.-].)[A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}(?![\w-])",
        "https://discord.com/developers/docs/reference#authentication",
    ),
    Form(
        "telegram token",
        (":AA",),
        r"(?<=\d{8}):(?P<secret>AA[A-Za-z0-9_-]{20,33})(?![A-Za-z0-9_-])",
        "https://core.telegram.org/bots/api#authorizing-your-bot",
    ),
    Form(
        "stripe key",
        ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"),
        r"(?:[sr]k_(?:live|test)_(?P<secret>[A-Za-z0-9]{10,}+)|whsec_[A-Za-z0-9+/=]{16,}+)",
        "https://docs.stripe.com/keys",
    ),
    Form(
        "twilio key",
        ("SK",),
        rf"{_ALONE}SK[0-9a-f]{{32}}(?![A-Za-z0-9])",
        "https://www.twilio.com/docs/iam/api-keys",
    ),
    Form(
        "sendgrid key",
        ("SG.",),
        rf"{_ALONE}SG\.{_KEY}{{16,}}+(?:\.{_KEY}{{10,}}+|{_CUT})",
        "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
    ),
    Form(
        "mail key",
        ("key-",),
        rf"{_ALONE}key-[0-9a-f]{{32}}(?![A-Za-z0-9])",
        "https://documentation.mailgun.com",
    ),
    Form(
        "mail key",
        ("-us",),
        rf"{_ALONE}[0-9a-f]{{32}}-us\d{{1,2}}(?![A-Za-z0-9])",
        "https://mailchimp.com/developer/marketing/docs/fundamentals/",
        reach=32,
    ),
    Form(
        "shop token",
        ("shpat_", "shpca_", "shppa_", "shpss_", "sq0atp-", "sq0csp-"),
        rf"(?:shp(?:at|ca|pa|ss)_[a-fA-F0-9]{{16,}}+|sq0(?:atp|csp)-{_KEY}{{16,}}+)",
        (
            "https://shopify.dev/docs/apps/build/authentication-authorization, "
            "https://developer.squareup.com/docs"
        ),
    ),
    Form(
        "service token",
        (
            *(
                "ntn_",
                "lin_api_",
                "figd_",
                "PMAK-",
                "NRAK-",
                "glsa_",
                "glc_",
                "dt0c01.",
                "dp.pt.",
                "sntrys_",
                "sntryu_",
            ),
            *(
                "sbp_",
                "sb_secret_",
                "pscale_",
                "nfp_",
                "HRKU-",
                "pnu_",
                "ops_eyJ",
                "AGE-SECRET-KEY-1",
            ),
        ),
        rf"{_ALONE}(?:ntn_|lin_api_|figd_|PMAK-|NRAK-|glsa_|glc_|dt0c01\.|dp\.pt\.|sntry[su]_|sbp_|sb_secret_"
        rf"|pscale_(?:tkn|pw|oauth)_|nfp_|HRKU-|pnu_|ops_(?=eyJ)|AGE-SECRET-KEY-(?=1))"
        rf"(?P<secret>(?=[A-Za-z_.-]*\d|[a-z]*[A-Z])[A-Za-z0-9_.+/=-]{{16,}}+)",
        "https://developers.notion.com, https://linear.app/developers, "
        "https://developers.figma.com, "
        "https://learning.postman.com, https://docs.newrelic.com, https://grafana.com/docs, "
        "https://docs.dynatrace.com, https://docs.doppler.com, "
        "https://docs.sentry.io, https://supabase.com/docs, "
        "https://planetscale.com/docs, https://docs.netlify.com, https://devcenter.heroku.com, "
        "https://docs.prefect.io, https://developer.1password.com, https://age-encryption.org/v1",
        _not_words,
    ),
    Form(
        "wandb key",
        ("wandb.login(",),
        r"wandb\.login\(\s{0,20}(?:key\s{0,4}=\s{0,4})?[\"'](?P<secret>[A-Za-z0-9_-]{20,200})",
        "https://docs.wandb.ai/ref/python/login",
    ),
    Form(
        "kaggle key",
        ("username",),
        r"""username\\?["']\s*:\s*\\?["'][^"'\\]{1,60}\\?["']\s*,"""
        r"""\s*\\?["']key\\?["']\s*:\s*\\?["'](?P<secret>[0-9a-f]{32})""",
        "https://www.kaggle.com/docs/api",
    ),
    # What several share
    Form(
        "web token",
        ("eyJ",),
        r"(?<![\w-])(?:eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{4,}+(?:\.[A-Za-z0-9_-]*+){0,3}"
        r"|eyJ(?:hbGciOi|0eXAiOi|raWQiOi)[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){0,4})",
        "https://www.rfc-editor.org/rfc/rfc7519",
    ),
    Form(
        "password in URL",
        ("://",),
        r"(?<=[A-Za-z0-9])(?<!github)://(?P<user>[^\s:/@'\"<>`]{0,80}+):(?P<secret>[^\s/'\"<>`?#]{1,256})@"
        r"(?=[\w\[.-])(?!sha256:)",
        "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
    ),
    Form(
        # Of databases also with a slash in it, which no web address can have there.
        "password in URL",
        ("://",),
        r"(?<=[A-Za-z0-9])(?<!http)(?<!https)(?<!github)://[^\s:/@'\"<>`]{0,80}+:(?!\d{1,5}[/?#])"
        r"(?P<secret>(?:[^\s'\"<>`:]|:(?!//)){1,128})@(?=[\w\[.-])(?!sha256:)",
        "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS",
    ),
    Form(
        "token in URL",
        ("://",),
        r"(?<=[A-Za-z0-9])://(?P<secret>[A-Za-z0-9_-]{20,200}+)@(?=[\w\[.-])",
        "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
        is_mixed,
    ),
    Form(
        "bearer token",
        ("earer ", "EARER "),
        r"(?:[Bb]earer|BEARER)[ \t]{1,4}(?P<secret>[A-Za-z0-9._~+/=-]{12,}+)",
        "https://www.rfc-editor.org/rfc/rfc6750#section-2.1",
        lambda body: (
            is_mixed(body) and bool(re.search(r"[A-Za-z0-9]{8}|\d[a-z]+\d|[A-Z]", body))
        ),
        reach=1,
    ),
    Form(
        "authorization header",
        ("uthorization", "UTHORIZATION"),
        r"(?i:authorization)\\?[\"']?\]?\s{0,4}[:=,]\s{0,4}f?\\?[\"']?"
        r"(?i:basic|bearer|token|apikey|digest|negotiate|aws4-hmac-sha256)[ \t]{1,4}"
        r"(?P<secret>[A-Za-z0-9._~+/=:-]{6,}+)",
        "https://www.rfc-editor.org/rfc/rfc7617#section-2",
        lambda body: bool(re.search(r"\d|=$|[a-z][A-Z]|[A-Z][a-z]+[A-Z]", body)),
        reach=1,
    ),
    Form(
        "cookie",
        ("ookie:", 'ookie":', "ookie':", "OOKIE:"),
        r"(?i:cookie)\\?[\"']?:[ \t]{0,4}\\?[\"']?"
        r"(?P<secret>[\w.-]{1,60}+=[^\s\"'\\;{}]{4,}+(?:;[ \t]?[\w.-]{1,60}+=[^\s\"'\\;]{1,}+)*)",
        "https://www.rfc-editor.org/rfc/rfc6265#section-4.2",
        reach=1,
    ),
    Form(
        "password in command",
        ("curl ", "http "),
        (
            r"(?:curl|http)\b[^\n]{0,200}?\s(?:-u|--user|-a|--auth)[ "
            r"=]?[\"']?[^\s:'\"]{1,80}+:(?P<secret>[^\s'\"]{2,200})"
        ),
        "https://curl.se/docs/manpage.html#-u",
    ),
    Form(
        # Only joined to the flag: `-p name` asks for the password and then names the
        # database.
        "password in command",
        ("mysql ", "mysqldump ", "mariadb "),
        r"[a-z]+[^\n]{0,200}?\s-p[\"']?(?P<secret>[^\s'\"-][^\s'\"]{2,100})",
        "https://dev.mysql.com/doc/refman/9.0/en/connecting.html",
    ),
    Form(
        "password in command",
        ("sshpass ", "docker login ", "redis-cli "),
        (
            r"(?:sshpass|docker login|redis-cli)[^\n]{0,200}?\s-[pa][ "
            r"]?[\"']?(?P<secret>[^\s'\"-][^\s'\"]{2,200})"
        ),
        "https://docs.docker.com/reference/cli/docker/login/",
    ),
    Form(
        "password",
        ("login ",),
        r"\blogin\s+\S{1,80}+\s+password\s+(?P<secret>\S{2,200})",
        "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html",
    ),
    Form(
        "password",
        ("user ", "USER ", "PASSWORD '", "SECRET '", "TOKEN '"),
        r"(?:(?i:user)\s{1,4}\S{1,60}\s{1,4}(?i:identified\s{1,4}by|(?:with\s{1,4})?password)\s{1,4}"
        r"|(?:PASSWORD|SECRET|TOKEN) )'(?P<secret>[^'\n]{3,200})'",
        "https://www.postgresql.org/docs/current/sql-createrole.html",
    ),
    Form(
        "password",
        ("auth=", "auth =", "BasicAuth(", "basic_auth(", ".login("),
        r"(?:auth\s{0,2}=\s{0,2}\(|BasicAuth\(|basic_auth\(|\.login\()\s{0,20}[\"'][^\"'\n]{1,100}[\"']\s{0,4},"
        r"\s{0,20}[\"'](?P<secret>[^\"'\n]{3,200})[\"']",
        "https://requests.readthedocs.io/en/latest/user/authentication/#basic-authentication",
    ),
)

# A form without a tell is looked for everywhere.
_TELLS = tuple((tell, form) for form in FORMS for tell in form.tells or ("",))

_LONGEST_BLOCK = 20_000
_BLOCK_HEAD = re.compile(
    r"-----? ?BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-----?|Private-Lines: \d+"
)
_BLOCK_TAIL = re.compile(
    r"-----? ?END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-----?"
)
# Between the lines of a block: white space, written-out line breaks, quotes of joined
# texts, numbers of a traceback.
_BETWEEN = r"(?:\\+[nr]|\s\d{1,5}(?=\s)|-+>|[\s\"',+()|>\\])*+"
_BLOCK_BODY = re.compile(
    rf"(?:{_BETWEEN}(?:[A-Za-z0-9+/]{{16,}}+=*+|(?:Proc-Type|DEK-Info|Version|Comment|Charset):[^\n\\]*+))*+"
    rf"(?:{_BETWEEN}[A-Za-z0-9+/=]{{1,80}}+(?={_BETWEEN}-----))?(?:{_BETWEEN}=[A-Za-z0-9+/]{{4}})?"
)
# Read backwards, from the end of a block whose head was cut off.
_BODY_BACKWARDS = re.compile(
    r"[\s\"',+\\n]*+[A-Za-z0-9+/=]{1,80}+(?:[\s\"',+|>]*+[A-Za-z0-9+/=\\]{16,}+(?:[\s\"',+]*+(?<=\s)\d{1,5}(?=\s))?)*+"
)


def find_forms(text: str) -> Iterator[tuple[int, int, str]]:
    """Where in ``text`` something stands that has the form of a secret: start, end and
    kind.
    """
    if "PRIVATE KEY" in text or "Private-Lines" in text:
        yield from _blocks(text)
    for tell, form in _TELLS:
        if tell in text:
            for found in _matches(form, tell, text):
                part = "secret" if found.groupdict().get("secret") else 0
                if (
                    form.is_one(found[part])
                    and not _is_stand_in(found[part])
                    and not _is_port(found)
                ):
                    yield _start_of(found, part), found.end(part), form.kind


def _matches(form: Form, tell: str, text: str) -> Iterator[re.Match[str]]:
    # Compiled when first met, and kept by `re`: most sessions meet few of the forms.
    pattern = re.compile(form.pattern)
    if not tell:
        yield from pattern.finditer(text)
        return
    place = text.find(tell)
    while place >= 0:
        found = pattern.match(text, place - form.reach) if place >= form.reach else None
        if found:
            yield found
        place = text.find(tell, max(found.end() if found else 0, place + len(tell)))


def _start_of(found: re.Match[str], part: str | int) -> int:
    """Where the secret begins: the prefix of a key belongs to it, what names it or
    stands before it does not.
    """
    head = found.string[found.start() : found.start(part)]
    return (
        found.start()
        if re.fullmatch(r"[A-Za-z0-9_.-]*[_-]|AIza|dapi|dkea|dose", head)
        else found.start(part)
    )


def _is_stand_in(body: str) -> bool:
    return is_stand_in(body) or bool(re.match(r"(?i)your|example[-_]|[-_]*x{4}", body))


def _is_port(found: re.Match[str]) -> bool:
    """Of ``http://host.name:8080@path``, where what seems a password is a port."""
    user = found.groupdict().get("user")
    return bool(
        user
        and re.fullmatch(r"\d{2,5}", found["secret"])
        and re.search(r"\.|^localhost$|^host", user)
    )


def _blocks(text: str) -> Iterator[tuple[int, int, str]]:
    """Private keys over many lines, whole or cut."""
    end = 0
    for head in _BLOCK_HEAD.finditer(text):
        if head.start() < end:
            continue
        body = _BLOCK_BODY.match(text, head.end())
        if body and len(re.sub(r"[^A-Za-z0-9+/]", "", body[0])) >= 16:
            tail = re.compile(_BETWEEN).match(text, body.end())
            close = _BLOCK_TAIL.match(text, tail.end() if tail else body.end())
            end = close.end() if close else body.end()
            yield head.start(), end, "private key"
    for tail in _BLOCK_TAIL.finditer(text):
        if tail.start() >= end:
            start = _back_over_body(text, tail.start())
            if start < tail.start():
                yield start, tail.end(), "private key"
            end = tail.end()


def _back_over_body(text: str, end: int) -> int:
    """Where the lines of a block begin whose head was cut off, given where they end."""
    before = text[max(0, end - _LONGEST_BLOCK) : end][::-1]
    body = _BODY_BACKWARDS.match(before)
    if not body or len(re.sub(r"[^A-Za-z0-9+/]", "", body[0])) < 16:
        return end
    return end - len(body[0].rstrip())
