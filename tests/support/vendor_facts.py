"""Facts about the tokens of vendors, as a maintained public set of rules lists them.

Recorded from the default rules of gitleaks (https://github.com/gitleaks/gitleaks, the file
``config/gitleaks.toml`` at commit 009e025), of those rules that recognise a token by
its own format, and from the vendors' own announcements for the newer ones: only what
is before the random characters, which kind these are, and how many there are.
"""

from __future__ import annotations

import random
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import NamedTuple

ALNUM = ascii_letters + digits
LOWER = ascii_lowercase + digits
UPPER = ascii_uppercase + digits
HEX = "0123456789abcdef"
URL_SAFE = f"{ALNUM}-_"
BASE64 = f"{ALNUM}+/"
BASE32 = f"{ascii_uppercase}234567"


class Fact(NamedTuple):
    """A format: fixed texts, and between them characters of a kind, with their number."""

    vendor: str
    parts: tuple[str | tuple[str, int], ...]

    def token(self, rng: random.Random) -> str:
        """Return a made-up token, with a digit and letters of each case it may have."""
        return "".join(
            part if isinstance(part, str) else _characters(rng, *part)
            for part in self.parts
        )


def _characters(rng: random.Random, alphabet: str, number: int) -> str:
    body = rng.choices(alphabet, k=number)
    kinds = (digits, ascii_uppercase, ascii_lowercase)
    for position, kind in enumerate(kinds[:number]):
        allowed = [char for char in kind if char in alphabet]
        if allowed:
            body[position] = rng.choice(allowed)
    return "".join(body)


def _simple(vendor: str, prefix: str, alphabet: str, number: int) -> Fact:
    return Fact(vendor, (prefix, (alphabet, number)))


FACTS: tuple[Fact, ...] = (
    Fact(
        "1Password secret key",
        (
            *("A3-", (UPPER, 6), "-", (UPPER, 11), "-", (UPPER, 5), "-"),
            *((UPPER, 5), "-", (UPPER, 5)),
        ),
    ),
    _simple("1Password service account", "ops_eyJ", BASE64, 250),
    _simple("Adobe", "p8e-", LOWER, 32),
    _simple("age", "AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    Fact("Airtable", ("pat", (ALNUM, 14), ".", (HEX, 64))),
    _simple("Alibaba", "LTAI", ALNUM, 20),
    Fact("Anthropic", ("sk-ant-", "api03-", (URL_SAFE, 93), "AA")),
    Fact("Anthropic admin", ("sk-ant-", "admin01-", (URL_SAFE, 93), "AA")),
    _simple("Artifactory", "AKCp", ALNUM, 69),
    _simple("Artifactory reference", "cmVmd", ALNUM, 59),
    _simple("Atlassian", "ATATT3", URL_SAFE, 186),
    Fact(
        "Authress",
        ("sc_", (ALNUM, 12), ".", (ALNUM, 5), ".acc_", (LOWER, 16), ".", (BASE64, 43)),
    ),
    *(_simple("AWS", "A" + rest, BASE32, 16) for rest in ("KIA", "SIA", "BIA", "CCA")),
    _simple("AWS", "A3TX", BASE32, 16),
    Fact("Azure", ((ALNUM, 3), "8", "Q~", (ALNUM, 34))),
    _simple("CircleCI", "CCIPAT_", ALNUM, 22),
    Fact("CircleCI whole", ("CCIPAT_", (ALNUM, 22), "_", (HEX, 40))),
    Fact("CircleCI project", ("CCIPRJ_", (ALNUM, 22), "_", (HEX, 40))),
    _simple("ClickHouse", "4b1d", ALNUM, 38),
    _simple("Clojars", "CLOJARS_", LOWER, 60),
    Fact("Cloudflare origin", ("v1.0-", (HEX, 24), "-", (HEX, 146))),
    _simple("Databricks", "dapi", HEX, 32),
    Fact("Defined Networking", ("dnkey-", (LOWER, 26), "-", (LOWER, 52))),
    *(_simple("DigitalOcean", f"do{x}_v1_", HEX, 64) for x in "opr"),
    _simple("Doppler", "dp.pt.", LOWER, 43),
    _simple("Dropbox", "sl.", URL_SAFE, 135),
    _simple("Duffel", "duffel_live_", URL_SAFE, 43),
    Fact("Dynatrace", ("dt0c01.", (UPPER, 24), ".", (UPPER, 64))),
    _simple("EasyPost", "EZAK", ALNUM, 54),
    _simple("EasyPost test", "EZTK", ALNUM, 54),
    _simple("ElevenLabs", "sk_", HEX, 48),
    _simple("Facebook", "EAAC", ALNUM, 120),
    Fact("Flutterwave", ("FLWSECK_TEST-", (HEX, 32), "-X")),
    _simple("Fly.io", "fo1_", URL_SAFE, 43),
    _simple("Fly.io", "fm2_", BASE64, 120),
    _simple("Frame.io", "fio-u-", URL_SAFE, 64),
    _simple("Google", "AI" + "za", URL_SAFE, 35),
    _simple("Gemini", "AQ.Ab8", URL_SAFE, 44),
    *(_simple("GitHub", f"gh{x}_", ALNUM, 36) for x in "pousr"),
    Fact("GitHub fine-grained", ("github_", "pat_", (ALNUM, 22), "_", (ALNUM, 59))),
    *(
        _simple("GitLab", f"gl{kind}-", ALNUM, 20)
        for kind in [
            "pat",
            "dt",
            "rt",
            "cbt",
            "ptt",
            "ft",
            "soat",
            "agent",
            "oas",
            "imt",
            "ffct",
        ]
    ),
    _simple("GitLab runner", "GR1348941", ALNUM, 20),
    Fact("GitLab session", ("Cookie: _gitlab_session=", (HEX, 32))),
    _simple("Grafana", "eyJrIjoi", ALNUM, 80),
    _simple("Grafana Cloud", "glc_", ALNUM, 60),
    Fact("Grafana service", ("glsa_", (ALNUM, 32), "_", (HEX, 8))),
    Fact("Harness", ("pat.", (ALNUM, 22), ".", (ALNUM, 24), ".", (ALNUM, 20))),
    Fact("Terraform", ((ALNUM, 14), ".atlas", "v1.", (URL_SAFE, 67))),
    _simple("Heroku", "HRKU-AA", URL_SAFE, 58),
    _simple("Hugging Face", "h" + "f_", ALNUM, 34),
    _simple("Hugging Face organisation", "api_" + "org_", ALNUM, 34),
    _simple("Infracost", "ico-", ALNUM, 32),
    _simple("Intra 42", "s-s4t2ud-", HEX, 64),
    _simple("Linear", "lin_api_", ALNUM, 40),
    _simple("Lob", "live_", HEX, 35),
    Fact("Mailchimp", ((HEX, 32), "-us", "12")),
    _simple("Mailgun", "key-", HEX, 32),
    Fact("Mapbox", ("sk.", "eyJ1Ijoi", (ALNUM, 52), ".", (URL_SAFE, 22))),
    Fact("Mapbox public", ("pk.", "eyJ1Ijoi", (ALNUM, 52), ".", (URL_SAFE, 22))),
    Fact("MaxMind", ((ALNUM, 6), "_", (ALNUM, 29), "_mmk")),
    Fact(
        "Microsoft Teams",
        (
            *("https://a.webhook", ".office.com/webhookb2/", (HEX, 8), "-", (HEX, 12)),
            *("@", (HEX, 8), "/IncomingWebhook/", (HEX, 32)),
        ),
    ),
    _simple("New Relic", "NRAK-", UPPER, 27),
    _simple("New Relic browser", "NRJS-", HEX, 19),
    _simple("New Relic insert", "NRII-", ALNUM, 32),
    Fact("Notion", ("ntn_", (digits, 11), (ALNUM, 35))),
    _simple("npm", "np" + "m_", ALNUM, 36),
    _simple("Octopus", "API-", UPPER, 26),
    Fact(
        "OpenAI",
        ("sk-", "proj-", (URL_SAFE, 74), "T3Blbk", "FJ", (URL_SAFE, 74)),
    ),
    _simple("OpenShift", "sha256~", URL_SAFE, 43),
    _simple("Perplexity", "pplx-", ALNUM, 48),
    Fact(
        "Plaid",
        (
            *("access-production-", (HEX, 8), "-", (HEX, 4), "-", (HEX, 4), "-"),
            *((HEX, 4), "-", (HEX, 12)),
        ),
    ),
    *(
        _simple("PlanetScale", f"pscale_{kind}_", URL_SAFE, 43)
        for kind in ("tkn", "pw", "oauth")
    ),
    Fact("Postman", ("PMAK-", (HEX, 24), "-", (HEX, 34))),
    _simple("Prefect", "pnu_", ALNUM, 36),
    _simple("Pulumi", "pul-", HEX, 40),
    _simple("PyPI", "pypi-AgEI" + "cHlwaS5vcmc", URL_SAFE, 80),
    _simple("ReadMe", "rdme_", LOWER, 70),
    _simple("RubyGems", "rubygems_", HEX, 48),
    _simple("Scalingo", "tk-us-", URL_SAFE, 48),
    Fact("SendGrid", ("SG.", (URL_SAFE, 22), ".", (URL_SAFE, 43))),
    Fact("Brevo", ("xkeysib-", (HEX, 64), "-", (ALNUM, 16))),
    _simple("Sentry user", "sntryu_", HEX, 64),
    _simple("Sentry organisation", "sntrys_eyJpYXQiO", ALNUM, 120),
    *(
        _simple("SettleMint", f"sm_{kind}_", ALNUM, 16)
        for kind in ("aat", "pat", "sat")
    ),
    _simple("Shippo", "shippo_live_", HEX, 40),
    *(_simple("Shopify", f"shp{kind}_", HEX, 32) for kind in ("at", "ca", "pa", "ss")),
    _simple("SonarQube", "sqp_", HEX, 40),
    Fact("Slack bot", ("xo", "xb-", (digits, 12), "-", (digits, 12), "-", (ALNUM, 24))),
    Fact("Slack app", ("xa", "pp-1-", (UPPER, 11), "-", (digits, 13), "-", (HEX, 64))),
    Fact("Slack user", ("xo", "xp-", (digits, 12), "-", (digits, 12), "-", (HEX, 32))),
    Fact("Slack webhook", ("https://hooks.slack", ".com/services/", (BASE64, 44))),
    Fact("Sourcegraph", ("sgp_", (HEX, 16), "_", (HEX, 40))),
    _simple("Square", "sq0atp-", URL_SAFE, 22),
    _simple("Square", "EAAA", URL_SAFE, 60),
    *(_simple("Stripe", f"sk_{kind}_", ALNUM, 24) for kind in ("live", "test", "prod")),
    Fact("Telegram", ((digits, 10), ":A", "A", (URL_SAFE, 33))),
    _simple("Twilio", "SK", HEX, 32),
    _simple("Twitter", "A" * 22, ALNUM, 90),
    _simple("Typeform", "tfp_", URL_SAFE, 59),
    _simple("Vault", "hvs.", URL_SAFE, 95),
    _simple("Vault batch", "hvb.", URL_SAFE, 140),
    _simple("Vault, old", "s.", ALNUM, 24),
    _simple("Voyage", "pa-", URL_SAFE, 43),
    _simple("Yandex", "AQVN", URL_SAFE, 36),
    _simple("Yandex AWS", "YC", URL_SAFE, 38),
    Fact("Yandex IAM", ("t1.", (ALNUM, 40), ".", (URL_SAFE, 86))),
)

# What the rules recognise only beside the vendor's name: here it is the name of the
# variable or the setting that shows the secret.
BY_NAME: tuple[str, ...] = (
    "ADAFRUIT_API_KEY",
    "ADOBE_CLIENT_SECRET",
    "AIRTABLE_API_KEY",
    "ALGOLIA_API_KEY",
    "ALIBABA_SECRET_KEY",
    "ASANA_CLIENT_SECRET",
    "BEAMER_API_TOKEN",
    "BITBUCKET_CLIENT_SECRET",
    "BITTREX_SECRET_KEY",
    "CLOUDFLARE_API_KEY",
    "CODECOV_ACCESS_TOKEN",
    "CO_API_KEY",
    "COHERE_API_KEY",
    "COINBASE_ACCESS_TOKEN",
    "CONFLUENT_SECRET_KEY",
    "CONTENTFUL_TOKEN",
    "DATADOG_ACCESS_TOKEN",
    "DISCORD_CLIENT_SECRET",
    "DRONECI_ACCESS_TOKEN",
    "ETSY_TOKEN",
    "FACEBOOK_SECRET",
    "FASTLY_API_TOKEN",
    "FINNHUB_ACCESS_TOKEN",
    "FRESHBOOKS_ACCESS_TOKEN",
    "GITTER_ACCESS_TOKEN",
    "GOCARDLESS_API_TOKEN",
    "HUBSPOT_API_KEY",
    "INTERCOM_API_KEY",
    "JFROG_API_KEY",
    "KRAKEN_ACCESS_TOKEN",
    "KUCOIN_SECRET_KEY",
    "LAUNCHDARKLY_ACCESS_TOKEN",
    "LINKEDIN_CLIENT_SECRET",
    "MERAKI_API_KEY",
    "NETLIFY_ACCESS_TOKEN",
    "NYTIMES_ACCESS_TOKEN",
    "OKTA_ACCESS_TOKEN",
    "PLAID_SECRET",
    "PRIVATEAI_API_TOKEN",
    "RAPIDAPI_ACCESS_TOKEN",
    "SENDBIRD_ACCESS_TOKEN",
    "SNYK_TOKEN",
    "SONAR_TOKEN",
    "SQUARESPACE_ACCESS_TOKEN",
    "SUMOLOGIC_ACCESS_TOKEN",
    "TRAVIS_ACCESS_TOKEN",
    "TWITCH_API_TOKEN",
    "TWITTER_API_SECRET",
    "YANDEX_API_KEY",
    "ZENDESK_SECRET_KEY",
    "MISTRAL_API_KEY",
    "DEEPGRAM_API_KEY",
)
