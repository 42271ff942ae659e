"""The key formats of vendors: a table, each row with its source.

To add one: where keys are a fixed prefix and random characters, add a row to
`token_formats`, otherwise a `SecretFormat` to one of the groups below. Then add what is
known of the key to `tests/support/vendor_facts.py`.
"""

from __future__ import annotations

import re

from .formats import CHAR, CUT, START, SecretFormat

_ONE_WORD = re.compile(r"[a-z]*(?:[A-Z][a-z]{2,})+\d?|[a-z]{1,24}|[A-Z]{1,24}")
_AMINO_ACIDS = re.compile(r"[ACDEFGHIKLMNPQRSTVWY]+")


def _is_not_word(secret: str) -> bool:
    """Reject one word, such as ``AutoModelForSequenceClassification``."""
    return not _ONE_WORD.fullmatch(secret)


def _is_not_protein(secret: str) -> bool:
    """Reject words in capitals and amino acid sequences, but not Amazon's examples."""
    return not _AMINO_ACIDS.fullmatch(secret) or "EXAMPLE" in secret


# After the prefix, 16 characters or more. A digit or a capital near the start is needed:
# otherwise it is a name, as in `fw_configuration_file`.
_MODEL_KEY_BODY = r"(?P<secret>(?=[A-Za-z_-]*\d|[a-z]*[A-Z])[A-Za-z0-9_-]{16,}+)"
_SERVICE_TOKEN_BODY = (
    r"(?P<secret>(?=[A-Za-z_.-]*\d|[a-z]*[A-Z])[A-Za-z0-9_.+/=-]{16,}+)"
)


def _model_key(prefix: str, source: str) -> SecretFormat:
    pattern = rf"{START}{re.escape(prefix)}{_MODEL_KEY_BODY}"
    return SecretFormat("model key", (prefix,), pattern, source, _is_not_word)


def _service_token(prefix: str, source: str) -> SecretFormat:
    pattern = rf"{START}{re.escape(prefix)}{_SERVICE_TOKEN_BODY}"
    return SecretFormat("service token", (prefix,), pattern, source, _is_not_word)


_MODEL_KEYS = (
    _model_key("gsk_", "https://console.groq.com/docs"),
    _model_key("xai-", "https://docs.x.ai"),
    _model_key("r8_", "https://replicate.com/docs/reference/http"),
    _model_key("pplx-", "https://docs.perplexity.ai"),
    _model_key("nvapi-", "https://docs.nvidia.com/nim"),
    _model_key("tgp_v1_", "https://docs.together.ai"),
    _model_key("csk-", "https://inference-docs.cerebras.ai"),
    _model_key("fw_", "https://docs.fireworks.ai"),
    _model_key("jina_", "https://jina.ai"),
    _model_key("pcsk_", "https://docs.pinecone.io"),
    _model_key("lsv2_pt_", "https://docs.langchain.com/langsmith"),
    _model_key("lsv2_sk_", "https://docs.langchain.com/langsmith"),
)

_SERVICE_TOKENS = (
    _service_token("ntn_", "https://developers.notion.com"),
    _service_token("lin_api_", "https://linear.app/developers"),
    _service_token("figd_", "https://developers.figma.com"),
    _service_token("PMAK-", "https://learning.postman.com"),
    _service_token("NRAK-", "https://docs.newrelic.com"),
    _service_token("glsa_", "https://grafana.com/docs"),
    _service_token("glc_", "https://grafana.com/docs"),
    _service_token("dt0c01.", "https://docs.dynatrace.com"),
    _service_token("dp.pt.", "https://docs.doppler.com"),
    _service_token("sntrys_", "https://docs.sentry.io"),
    _service_token("sntryu_", "https://docs.sentry.io"),
    _service_token("sbp_", "https://supabase.com/docs"),
    _service_token("sb_secret_", "https://supabase.com/docs"),
    _service_token("pscale_tkn_", "https://planetscale.com/docs"),
    _service_token("pscale_pw_", "https://planetscale.com/docs"),
    _service_token("pscale_oauth_", "https://planetscale.com/docs"),
    _service_token("nfp_", "https://docs.netlify.com"),
    _service_token("HRKU-", "https://devcenter.heroku.com"),
    _service_token("pnu_", "https://docs.prefect.io"),
)

_CLOUDS = (
    SecretFormat(
        "aws key",
        ("AKIA", "ASIA", "ABIA", "ACCA"),
        rf"{START}(?P<secret>(?:AKIA|ASIA|ABIA|ACCA)"
        rf"(?:[A-Z0-9]{{16}}(?![A-Za-z0-9])|[A-Z0-9]{{8,15}}{CUT}))",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
        _is_not_protein,
    ),
    SecretFormat(
        "aws secret",
        ("AKIA", "ASIA"),
        rf"{START}A[KS]IA[A-Z0-9]{{16}}[^A-Za-z0-9/+]{{1,20}}"
        r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
    ),
    SecretFormat(
        "aws session token",
        ("IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz"),
        r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9/+=%]{16,}+",
        "https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html",
    ),
    SecretFormat(
        "aws key",
        ("ABSK", "bedrock-api-key-"),
        rf"{START}(?:ABSK[A-Za-z0-9+/]{{60,}}+"
        r"|bedrock-api-key-[A-Za-z0-9+/]{16,}+)={0,2}",
        "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html",
    ),
    SecretFormat(
        "signature in URL",
        ("-Signature=", "sig=", "&Signature=", "?Signature="),
        r"(?:(?<=Amz)-Signature|(?<=Goog)-Signature|[&?]Signature|(?<=[?&;])sig)="
        r"(?P<secret>[A-Za-z0-9%+/=_-]{20,}+)",
        "https://learn.microsoft.com/azure/storage/common/storage-sas-overview",
    ),
    SecretFormat(
        "google key",
        ("AIza",),
        rf"{START}AIza(?P<secret>{CHAR}{{20,}}+)",
        "https://cloud.google.com/docs/authentication/api-keys",
    ),
    SecretFormat(
        "google token",
        ("ya29.", "GOCSPX-", "1//0"),
        rf"{START}(?:ya29\.|GOCSPX-|1//0){CHAR}{{20,}}+",
        "https://developers.google.com/identity/protocols/oauth2",
    ),
    SecretFormat(
        "azure key",
        ("AccountKey=", "accountkey=", "AccessKey="),
        r"(?i:AccountKey|AccessKey)=(?P<secret>[A-Za-z0-9+/]{20,}+={0,2})",
        "https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
    ),
    SecretFormat(
        "azure secret",
        ("Q~",),
        r"(?<![\w~.-])[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}(?![\w~-])",
        "https://learn.microsoft.com/entra/identity-platform/quickstart-register-app",
        anchor_offset=4,
    ),
    SecretFormat(
        "digitalocean token",
        ("dop_v1_", "doo_v1_", "dor_v1_"),
        r"do[opr]_v1_(?P<secret>[a-f0-9]{8,}+)",
        "https://docs.digitalocean.com/reference/api/create-personal-access-token/",
    ),
    SecretFormat(
        "databricks token",
        ("dapi", "dkea", "dose"),
        rf"{START}(?:dapi|dkea|dose)"
        rf"(?P<secret>[a-f0-9]{{32}}(?:-\d)?|[a-f0-9]{{12,31}}{CUT})(?![A-Za-z0-9])",
        "https://docs.databricks.com/dev-tools/auth/pat.html",
    ),
    SecretFormat(
        "vault token",
        ("hvs.", "hvb.", "hvr."),
        rf"{START}hv[sbr]\.{CHAR}{{20,}}+",
        "https://developer.hashicorp.com/vault/docs/concepts/tokens",
    ),
    SecretFormat(
        "terraform token",
        (".atlasv1.",),
        rf"{START}[A-Za-z0-9]{{14}}\.atlasv1\.{CHAR}{{20,}}+",
        "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens",
        anchor_offset=14,
    ),
)

_MODELS = (
    SecretFormat(
        "anthropic key",
        ("sk-ant-",),
        rf"sk-ant-(?:[a-z]{{2,8}}\d\d-{CHAR}{{6,}}+|{CHAR}{{20,}}+)",
        "https://platform.claude.com/docs/en/api/overview",
    ),
    SecretFormat(
        "openai key",
        ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-", "sk-service-"),
        rf"sk-(?:proj|svcacct|admin|None|service)-(?P<secret>{CHAR}{{8,}}+)",
        "https://platform.openai.com/docs/api-reference/authentication",
    ),
    SecretFormat(
        "openrouter key",
        ("sk-or-",),
        r"sk-or-(?:v1-)?(?P<secret>[A-Za-z0-9]{12,}+)",
        "https://openrouter.ai/docs/api/reference/authentication",
    ),
    SecretFormat(
        "langfuse key",
        ("sk-lf-",),
        r"sk-lf-(?P<secret>[a-f0-9-]{12,}+)",
        "https://langfuse.com/docs/api",
    ),
    SecretFormat(
        "api key",
        ("sk-",),
        rf"{START}sk-(?P<secret>[A-Za-z0-9]{{20,}}+)",
        "https://api-docs.deepseek.com",
        _is_not_word,
    ),
    SecretFormat(
        "hugging face token",
        ("hf_", "api_org_"),
        rf"{START}(?:hf_|api_org_)(?P<secret>[A-Za-z0-9]{{20,}}+)(?!_)",
        "https://huggingface.co/docs/hub/security-tokens",
        _is_not_word,
    ),
    SecretFormat(
        "model key",
        ("tvly-",),
        rf"{START}tvly-(?:dev-|prod-)?{_MODEL_KEY_BODY}",
        "https://docs.tavily.com",
        _is_not_word,
    ),
)

_CODE_AND_PACKAGES = (
    SecretFormat(
        "github token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"(?:gh[pousr]_(?P<secret>[A-Za-z0-9]{12,}+)|github_pat_[A-Za-z0-9_]{12,}+)",
        "https://github.blog/engineering/behind-githubs-new-authentication-token-formats/",
    ),
    SecretFormat(
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
        rf"{START}gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-"
        r"(?P<secret>[A-Za-z0-9_.-]{12,}+)",
        "https://docs.gitlab.com/security/tokens/",
    ),
    SecretFormat(
        "atlassian token",
        ("ATATT3", "ATCTT3", "ATBB"),
        rf"{START}(?:AT[AC]TT3[A-Za-z0-9_=-]{{20,}}+|ATBB[A-Za-z0-9]{{24,}}+)",
        "https://support.atlassian.com/atlassian-account/docs/"
        "manage-api-tokens-for-your-atlassian-account/",
    ),
    SecretFormat(
        "package registry token",
        ("npm_",),
        rf"{START}(?:npm_(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{{30,36}}(?!\w)"
        rf"|npm_[A-Za-z0-9]{{16,}}{CUT})",
        "https://docs.npmjs.com/about-access-tokens",
    ),
    SecretFormat(
        "package registry token",
        ("pypi-Ag",),
        rf"{START}pypi-Ag{CHAR}{{24,}}+",
        "https://pypi.org/help/#apitoken",
    ),
    SecretFormat(
        "package registry token",
        ("rubygems_",),
        rf"{START}rubygems_[a-f0-9]{{20,}}+",
        "https://guides.rubygems.org/api-key-scopes/",
    ),
    SecretFormat(
        "package registry token",
        ("dckr_pat_", "dckr_oat_"),
        rf"{START}dckr_[po]at_{CHAR}{{16,}}+",
        "https://docs.docker.com/security/access-tokens/",
    ),
)

_MESSAGES = (
    SecretFormat(
        "slack token",
        ("xox", "xapp-"),
        r"(?:xox[abcdeoprs]-|xoxe\.xox[bp]-|xapp-)(?P<secret>[A-Za-z0-9%-]{8,}+)",
        "https://docs.slack.dev/authentication/tokens",
    ),
    SecretFormat(
        "webhook address",
        ("hooks.slack.com/",),
        r"hooks\.slack\.com/(?:services|workflows|triggers)/"
        r"(?P<secret>[A-Za-z0-9_/+@-]{16,}+)",
        "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    ),
    SecretFormat(
        "webhook address",
        ("/webhooks/",),
        r"(?<=[i\d])/webhooks/\d{10,25}/(?P<secret>[A-Za-z0-9_/@-]{16,}+)",
        "https://discord.com/developers/docs/resources/webhook",
    ),
    SecretFormat(
        "webhook address",
        (".webhook.office.com/",),
        r"\.webhook\.office\.com/webhookb2/(?P<secret>[A-Za-z0-9_/@-]{16,}+)",
        "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/"
        "how-to/add-incoming-webhook",
    ),
    SecretFormat(
        "discord token",
        (),
        r"[MNO](?<![\w.-].)[A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\."
        r"[A-Za-z0-9_-]{27,40}(?![\w-])",
        "https://discord.com/developers/docs/reference#authentication",
    ),
    SecretFormat(
        "telegram token",
        (":AA",),
        r"(?<=\d{8}):(?P<secret>AA[A-Za-z0-9_-]{20,33})(?![A-Za-z0-9_-])",
        "https://core.telegram.org/bots/api#authorizing-your-bot",
    ),
)

_OTHERS = (
    SecretFormat(
        "stripe key",
        ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"),
        r"(?:[sr]k_(?:live|test)_(?P<secret>[A-Za-z0-9]{10,}+)"
        r"|whsec_[A-Za-z0-9+/=]{16,}+)",
        "https://docs.stripe.com/keys",
    ),
    SecretFormat(
        "twilio key",
        ("SK",),
        rf"{START}SK[0-9a-f]{{32}}(?![A-Za-z0-9])",
        "https://www.twilio.com/docs/iam/api-keys",
    ),
    SecretFormat(
        "sendgrid key",
        ("SG.",),
        rf"{START}SG\.{CHAR}{{16,}}+(?:\.{CHAR}{{10,}}+|{CUT})",
        "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
    ),
    SecretFormat(
        "mail key",
        ("key-",),
        rf"{START}key-[0-9a-f]{{32}}(?![A-Za-z0-9])",
        "https://documentation.mailgun.com",
    ),
    SecretFormat(
        "mail key",
        ("-us",),
        rf"{START}[0-9a-f]{{32}}-us\d{{1,2}}(?![A-Za-z0-9])",
        "https://mailchimp.com/developer/marketing/docs/fundamentals/",
        anchor_offset=32,
    ),
    SecretFormat(
        "shop token",
        ("shpat_", "shpca_", "shppa_", "shpss_"),
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{16,}+",
        "https://shopify.dev/docs/apps/build/authentication-authorization",
    ),
    SecretFormat(
        "shop token",
        ("sq0atp-", "sq0csp-"),
        rf"sq0(?:atp|csp)-{CHAR}{{16,}}+",
        "https://developer.squareup.com/docs",
    ),
    SecretFormat(
        "service token",
        ("ops_eyJ",),
        rf"{START}ops_(?P<secret>eyJ[A-Za-z0-9_.+/=-]{{13,}}+)",
        "https://developer.1password.com",
        _is_not_word,
    ),
    SecretFormat(
        "service token",
        ("AGE-SECRET-KEY-1",),
        rf"{START}AGE-SECRET-KEY-(?P<secret>1[A-Za-z0-9_.+/=-]{{15,}}+)",
        "https://age-encryption.org/v1",
    ),
    SecretFormat(
        "wandb key",
        ("wandb.login(",),
        r"wandb\.login\(\s{0,20}(?:key\s{0,4}=\s{0,4})?"
        r"[\"'](?P<secret>[A-Za-z0-9_-]{20,200})",
        "https://docs.wandb.ai/ref/python/login",
    ),
    SecretFormat(
        "kaggle key",
        ("username",),
        r"""username\\?["']\s*:\s*\\?["'][^"'\\]{1,60}\\?["']\s*,"""
        r"""\s*\\?["']key\\?["']\s*:\s*\\?["'](?P<secret>[0-9a-f]{32})""",
        "https://www.kaggle.com/docs/api",
    ),
)

VENDOR_FORMATS: tuple[SecretFormat, ...] = (
    *_CLOUDS,
    *_MODELS,
    *_MODEL_KEYS,
    *_CODE_AND_PACKAGES,
    *_MESSAGES,
    *_SERVICE_TOKENS,
    *_OTHERS,
)
