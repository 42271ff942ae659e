"""Tokens of vendors that are a fixed prefix and random characters: a table of facts.

To add one, add a row. Formats that need more than that are in `vendor_formats`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import NamedTuple

from .formats import CHAR, START, SecretFormat
from .words import is_mixed

_HEX = "a-f0-9"
_LETTERS = "A-Za-z0-9"
_URL_SAFE = "A-Za-z0-9_-"
_BASE64 = "A-Za-z0-9+/"


class _Prefix(NamedTuple):
    """A prefix, the characters behind it, and how many there are.

    ``most`` is 0 where the prefix is so distinctive that more characters may follow.
    """

    prefix: str
    characters: str
    least: int
    source: str
    most: int = 0

    def format(self) -> SecretFormat:
        """Return the format to search for."""
        start = START + re.escape(self.prefix)
        repeat = f"{{{self.least},}}+"
        if self.most:
            repeat = f"{{{self.least},{self.most}}}(?!{CHAR})"
        pattern = f"{start}[{self.characters}]{repeat}={{0,2}}"
        return SecretFormat(
            "service token", (self.prefix,), pattern, self.source, self.is_random
        )

    def is_random(self, token: str) -> bool:
        """Return whether a token is more than a word behind the prefix."""
        return is_mixed(token[len(self.prefix) :])


# The least number of characters is mostly less than a whole token has, so that one that
# was cut off is recognised, too.
_PREFIXES = (
    _Prefix("CCIPAT_", _URL_SAFE, 16, "https://circleci.com/docs/managing-api-tokens/"),
    _Prefix("CCIPRJ_", _URL_SAFE, 16, "https://circleci.com/docs/managing-api-tokens/"),
    _Prefix("AKCp", _LETTERS, 40, "https://jfrog.com/help/r/api-key"),
    _Prefix("cmVmd", _LETTERS, 40, "https://jfrog.com/help/r/reference-tokens"),
    _Prefix("AQ.Ab", _URL_SAFE, 24, "https://ai.google.dev/gemini-api/docs/api-key"),
    _Prefix("sk_", _HEX, 48, "https://elevenlabs.io/docs/api-reference", 48),
    _Prefix("pa-", _URL_SAFE, 43, "https://docs.voyageai.com", 43),
    _Prefix("p8e-", _LETTERS, 32, "https://developer.adobe.com", 32),
    _Prefix("LTAI", _LETTERS, 12, "https://www.alibabacloud.com/help/en/ram/", 20),
    _Prefix("4b1d", _LETTERS, 38, "https://clickhouse.com/docs/cloud", 38),
    _Prefix("CLOJARS_", _LETTERS, 30, "https://clojars.org"),
    _Prefix("dnkey-", _URL_SAFE, 40, "https://docs.defined.net"),
    _Prefix("duffel_live_", f"={_URL_SAFE}", 24, "https://duffel.com/docs/api"),
    _Prefix("duffel_test_", f"={_URL_SAFE}", 24, "https://duffel.com/docs/api"),
    _Prefix("EZAK", _LETTERS, 40, "https://docs.easypost.com"),
    _Prefix("EZTK", _LETTERS, 40, "https://docs.easypost.com"),
    _Prefix("EAAA", _URL_SAFE, 40, "https://developer.squareup.com/docs"),
    _Prefix("EAAC", _LETTERS, 60, "https://developers.facebook.com/docs"),
    _Prefix("EAAG", _LETTERS, 60, "https://developers.facebook.com/docs"),
    _Prefix("EAAM", _LETTERS, 60, "https://developers.facebook.com/docs"),
    _Prefix("FLWSECK_TEST-", _URL_SAFE, 12, "https://developer.flutterwave.com"),
    _Prefix("FLWSECK-", _URL_SAFE, 12, "https://developer.flutterwave.com"),
    _Prefix("fo1_", _URL_SAFE, 30, "https://fly.io/docs/security/tokens/"),
    _Prefix("fm1a_", _BASE64, 50, "https://fly.io/docs/security/tokens/"),
    _Prefix("fm1r_", _BASE64, 50, "https://fly.io/docs/security/tokens/"),
    _Prefix("fm2_", _BASE64, 50, "https://fly.io/docs/security/tokens/"),
    _Prefix("fio-u-", f"={_URL_SAFE}", 40, "https://developer.frame.io"),
    _Prefix("glffct-", _URL_SAFE, 12, "https://docs.gitlab.com/security/tokens/"),
    _Prefix("GR1348941", _URL_SAFE, 16, "https://docs.gitlab.com/security/tokens/"),
    _Prefix("ico-", _LETTERS, 32, "https://www.infracost.io/docs", 32),
    _Prefix("s-s4t2ud-", _HEX, 32, "https://api.intra.42.fr/apidoc"),
    _Prefix("s-s4t2af-", _HEX, 32, "https://api.intra.42.fr/apidoc"),
    _Prefix("live_", _HEX, 35, "https://docs.lob.com", 35),
    _Prefix("test_", _HEX, 35, "https://docs.lob.com", 35),
    _Prefix("NRJS-", _HEX, 12, "https://docs.newrelic.com"),
    _Prefix("NRII-", _URL_SAFE, 16, "https://docs.newrelic.com"),
    _Prefix("NRIQ-", _URL_SAFE, 16, "https://docs.newrelic.com"),
    _Prefix("secret_", _LETTERS, 43, "https://developers.notion.com", 43),
    _Prefix("API-", "A-Z0-9", 26, "https://octopus.com/docs/octopus-rest-api", 26),
    _Prefix("sha256~", _URL_SAFE, 43, "https://docs.redhat.com/openshift", 43),
    _Prefix("pul-", _HEX, 40, "https://www.pulumi.com/docs", 40),
    _Prefix("rdme_", "a-z0-9", 40, "https://docs.readme.com"),
    _Prefix("tk-us-", _URL_SAFE, 48, "https://developers.scalingo.com", 48),
    _Prefix("xkeysib-", _URL_SAFE, 40, "https://developers.brevo.com"),
    _Prefix("xsmtpsib-", _URL_SAFE, 40, "https://developers.brevo.com"),
    _Prefix("sm_aat_", _LETTERS, 16, "https://console.settlemint.com/documentation"),
    _Prefix("sm_pat_", _LETTERS, 16, "https://console.settlemint.com/documentation"),
    _Prefix("sm_sat_", _LETTERS, 16, "https://console.settlemint.com/documentation"),
    _Prefix("shippo_live_", _HEX, 20, "https://docs.goshippo.com"),
    _Prefix("shippo_test_", _HEX, 20, "https://docs.goshippo.com"),
    _Prefix("sqp_", _HEX, 40, "https://docs.sonarsource.com", 40),
    _Prefix("squ_", _HEX, 40, "https://docs.sonarsource.com", 40),
    _Prefix("sqa_", _HEX, 40, "https://docs.sonarsource.com", 40),
    _Prefix("sgp_", "a-fA-F0-9_", 30, "https://sourcegraph.com/docs"),
    _Prefix("tfp_", f".={_URL_SAFE}", 40, "https://www.typeform.com/developers"),
    _Prefix("s.", _LETTERS, 24, "https://developer.hashicorp.com/vault/docs", 24),
    _Prefix("t1.", f".={_URL_SAFE}", 90, "https://yandex.cloud/docs/iam"),
    _Prefix("AQVN", _URL_SAFE, 34, "https://yandex.cloud/docs/iam", 38),
    _Prefix("YC", _URL_SAFE, 38, "https://yandex.cloud/docs/iam", 38),
    _Prefix("sl.", _URL_SAFE, 100, "https://www.dropbox.com/developers"),
    _Prefix("AAAAAAAAAAAAAAAAAAAAAA", f"{_LETTERS}%", 60, "https://docs.x.com"),
    _Prefix("sk_prod_", _LETTERS, 10, "https://docs.stripe.com/keys"),
    _Prefix("rk_prod_", _LETTERS, 10, "https://docs.stripe.com/keys"),
    _Prefix("tskey-", _URL_SAFE, 20, "https://tailscale.com/kb/1085/auth-keys"),
    _Prefix("oy2", "a-z0-9", 43, "https://learn.microsoft.com/nuget", 43),
    _Prefix("cio", _LETTERS, 32, "https://doc.rust-lang.org/cargo", 32),
    _Prefix("bkua_", _HEX, 24, "https://buildkite.com/docs/apis"),
    _Prefix("amzn1.oa2-cs.v1.", _HEX, 32, "https://developer.amazon.com"),
    _Prefix("fc-", _HEX, 32, "https://docs.firecrawl.dev", 32),
    _Prefix("e2b_", _HEX, 40, "https://e2b.dev/docs", 40),
    _Prefix("rpa_", _LETTERS, 30, "https://docs.runpod.io"),
    _Prefix("phx_", _LETTERS, 30, "https://posthog.com/docs/api"),
    _Prefix("KGAT_", _HEX, 20, "https://www.kaggle.com/docs/api"),
    _Prefix("wandb_v1_", _URL_SAFE, 30, "https://docs.wandb.ai"),
    _Prefix("ls__", _HEX, 32, "https://docs.langchain.com/langsmith", 32),
    _Prefix("figo_", _URL_SAFE, 20, "https://developers.figma.com"),
)


def _is_private_key(encoded: str) -> bool:
    """Return whether base64 text is that of a private key, not of a certificate."""
    return b"PRIVATE KEY" in _decoded(encoded, 64)


def _is_web_token(encoded: str) -> bool:
    """Return whether base64 text is that of a JSON web token, which is one itself."""
    decoded = _decoded(encoded, 200)
    return decoded.startswith(b"eyJ") and decoded.isascii()


def _decoded(encoded: str, length: int) -> bytes:
    compact = re.sub(r"\s", "", encoded[: 2 * length])
    try:
        return b64decode(compact[: length - length % 4])
    except (binascii.Error, ValueError):
        return b""


_OTHERS = (
    SecretFormat(
        "airtable token",
        ("pat",),
        rf"{START}pat[A-Za-z0-9]{{14}}\.(?P<secret>[a-f0-9]{{20,64}})(?!{CHAR})",
        "https://airtable.com/developers/web/guides/personal-access-tokens",
    ),
    SecretFormat(
        "mapbox token",
        ("k.eyJ",),
        rf"(?<![A-Za-z0-9_.-])[pst]k\.eyJ(?P<secret>{CHAR}{{24,}}+(?:\.{CHAR}*+)?)",
        "https://docs.mapbox.com/help/getting-started/access-tokens/",
        anchor_offset=1,
    ),
    SecretFormat(
        "service token",
        ("re_",),
        rf"{START}re_(?P<secret>[A-Za-z0-9]{{8}}_[A-Za-z0-9]{{20,28}})(?!{CHAR})",
        "https://resend.com/docs",
        is_mixed,
    ),
    SecretFormat(
        "service token",
        ("vcp_", "vci_", "vca_", "vcr_", "vck_"),
        rf"{START}vc[piark]_(?P<secret>[A-Za-z0-9]{{24,}}+)(?!{CHAR})",
        "https://vercel.com/docs/sign-in-with-vercel/tokens",
        is_mixed,
    ),
    SecretFormat(
        "service token",
        ("A3-",),
        rf"{START}A3-[A-Z0-9]{{6}}(?P<secret>(?:-[A-Z0-9]{{5,11}}){{3,6}})(?!{CHAR})",
        "https://support.1password.com/secret-key/",
        is_mixed,
    ),
    SecretFormat(
        "service token",
        ("sc_", "ext_", "scauth_", "authress_"),
        rf"{START}(?:sc|ext|scauth|authress)_[A-Za-z0-9]{{5,30}}\.[A-Za-z0-9]{{4,6}}"
        r"\.acc[_-](?P<secret>[A-Za-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{24,120})",
        "https://authress.io/knowledge-base/docs",
    ),
    SecretFormat(
        "service token",
        ("v1.0-",),
        rf"{START}v1\.0-(?P<secret>[a-f0-9]{{24}}-[a-f0-9]{{40,146}})(?!{CHAR})",
        "https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/",
    ),
    SecretFormat(
        "service token",
        ("pat.", "sat."),
        rf"{START}[ps]at\.{CHAR}{{22}}\.[A-Za-z0-9]{{24}}"
        r"\.(?P<secret>[A-Za-z0-9]{12,20})",
        "https://developer.harness.io/docs/platform/automation/api",
    ),
    SecretFormat(
        "service token",
        ("_mmk",),
        r"(?<![A-Za-z0-9_])[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk(?![A-Za-z0-9_])",
        "https://support.maxmind.com/hc/en-us/articles/license-keys",
        anchor_offset=36,
    ),
    SecretFormat(
        "service token",
        ("access-sandbox-", "access-development-", "access-production-"),
        rf"{START}access-(?:sandbox|development|production)-"
        r"(?P<secret>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
        "https://plaid.com/docs/api/tokens/",
    ),
    SecretFormat(
        "aws key",
        ("A3T",),
        rf"{START}A3T[A-Z0-9](?P<secret>[A-Z2-7]{{16}})(?![A-Za-z0-9])",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
    ),
    SecretFormat(
        "service token",
        ("eyJrIjoi",),
        rf"{START}eyJrIjoi(?P<secret>[A-Za-z0-9]{{40,}}+={{0,2}})",
        "https://grafana.com/docs/grafana/latest/developers/http_api/auth/",
    ),
    SecretFormat(
        "web token",
        ("ZXlK",),
        r"(?<![A-Za-z0-9+/])(?P<secret>ZXlK[A-Za-z0-9+/_-]{40,}+={0,2})",
        "https://www.rfc-editor.org/rfc/rfc7519",
        _is_web_token,
    ),
    SecretFormat(
        "private key",
        ("LS0tLS1CRUdJTi",),
        # It may be folded into lines.
        r"(?P<secret>LS0tLS1CRUdJTi[A-Za-z0-9+/]{16,}+"
        r"(?>(?:\\?\s{1,20}[A-Za-z0-9+/]{16,76}+(?=\\?\s|=|\Z))*)=*)",
        "https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/",
        _is_private_key,
    ),
)

TOKEN_FORMATS: tuple[SecretFormat, ...] = (
    *(row.format() for row in _PREFIXES),
    *_OTHERS,
)
