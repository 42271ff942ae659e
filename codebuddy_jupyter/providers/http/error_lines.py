"""The errors that users see when something goes wrong at a server: one line each, with
what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from ... import errors
from ...errors import Remedy
from ...settings.keys import NO_KEY, Key
from .address import normalise_base_url
from .server_error import ErrorResponse, message_in, quote
from .timeouts import TimedOut
from .transport import Access, past_proxy, proxy_login

# Models that an error names.
LISTED = 8


@dataclass(frozen=True)
class Server:
    """The server of a request, and what a user can do about it.

    Parameters
    ----------
    provider
        The provider's name, such as ``Local``.
    owner
        The class that holds its settings, such as ``LocalProvider``.
    url, key
        Where requests go, and the key that they carry.
    remedies
        What to do when nothing answers.
    key_remedies
        How to provide a key.
    access
        How the server is reached; its secrets are not repeated in errors.
    trust
        How to trust its certificate.
    has_headers
        Whether a setting of the provider adds headers to each request.
    """

    provider: str
    owner: str
    url: str
    key: Key
    remedies: tuple[Remedy, ...]
    key_remedies: tuple[Remedy, ...]
    access: Access
    trust: Remedy
    has_headers: bool = False

    def setting(self, name: str, value: str) -> str:
        """Return the command that changes a setting of the provider."""
        return f"%config {self.owner}.{name} = {value}"

    def setting_url(self, url: str) -> str:
        """Return the command that sets another base URL."""
        return self.setting("base_url", f'"{url}"')

    def quote(self, text: str) -> str:
        """Return a server's words for an error line: redacted, on one line, shortened."""
        return quote(text, self.access.secrets_by_name)

    @property
    def check_url(self) -> Remedy:
        """What to do when something other than a model server may be at the URL."""
        return Remedy("Check the base URL", self.setting_url(self.url))


def unreachable(
    server: Server, reason: str, *, passing: bool = False
) -> errors.Unreachable:
    """Return the error for no connection; ``passing`` is as for `errors.Unreachable`."""
    return errors.Unreachable(
        f"Nothing answers at {server.url} ({server.quote(reason)}).",
        *server.remedies,
        passing=passing,
    )


def proxy_failed(
    server: Server, reason: str, *, passing: bool = False
) -> errors.Unreachable:
    """Return the error for a proxy that does not answer or refuses the request;
    ``passing`` is as for `errors.Unreachable`.
    """
    what = (
        f"Requests to {server.url} go through the proxy {server.access.proxy}, "
        f"which failed ({server.quote(reason)})."
    )
    bypass = Remedy("Bypass the proxy", past_proxy(server.url))
    if "407" not in reason:
        return errors.Unreachable(what, bypass, passing=passing)
    log_in = Remedy("Give the proxy a user name and password", proxy_login(server.url))
    return errors.Unreachable(what, log_in, bypass, passing=passing)


def no_tls(server: Server, reason: str) -> errors.Unreachable:
    """Return the error for a TLS handshake that failed."""
    what = (
        f"There is no secure connection to {server.url} (TLS: {server.quote(reason)})."
    )
    if "CERTIFICATE" in reason.upper():
        return errors.Unreachable(what, server.trust)
    plain_url = server.url.replace("https://", "http://", 1)
    plain = Remedy("If the server speaks plain HTTP", server.setting_url(plain_url))
    return errors.Unreachable(what, plain)


def too_slow(server: Server, timeout: TimedOut) -> errors.Unreachable:
    """Return the error for a request that was not answered in time."""
    return errors.Unreachable(
        f"{server.url} accepted the request and sent nothing for {timeout.seconds:g} s.",
        _longer("If the model needs longer to load", server, timeout),
    )


def reply_timed_out(server: Server, timeout: TimedOut) -> errors.CutOff:
    """Return the error for a reply that began, and did not continue or end in time."""
    if timeout.setting == "total_timeout":
        what = f"The reply from {server.url} did not end within {timeout.seconds:g} s."
    else:
        what = f"The reply from {server.url} paused for {timeout.seconds:g} s."
    return errors.CutOff(
        f"{what} The part that was received is kept.",
        _longer("Wait longer", server, timeout),
    )


def too_much(server: Server, size: int) -> errors.CutOff:
    """Return the error for a reply that is larger than ``size`` bytes."""
    return errors.CutOff(
        f"The reply was stopped: {server.url} sent more than {size >> 20} MiB. "
        "The part that was received is kept.",
        Remedy("Check the server's log"),
        Remedy("Limit the reply", "%%buddy --max-tokens 1000"),
    )


def hung_up(server: Server, reason: str) -> errors.NoReply:
    """Return the error for a connection that ended before an answer."""
    why = f" ({server.quote(reason)})" if reason else ""
    return errors.NoReply(
        f"{server.url} closed the connection without an answer{why}.",
        Remedy("Check the server's log, then ask again"),
        server.check_url,
    )


def cut_off(server: Server, body: object) -> errors.CutOff:
    """Return the error for a reply that broke off; ``body`` is what came besides it."""
    message = server.quote(message_in(body))
    why = f": {message}" if message else ""
    return errors.CutOff(
        f"{_sentence(f'The reply was cut off by {server.url}{why}')} "
        "The part that was received is kept.",
        Remedy("Ask again to continue"),
    )


def no_reply(server: Server, status: int, body: object) -> errors.NoReply:
    """Return the error for a successful answer that is not a reply."""
    return errors.NoReply(
        f"{server.url} answered {status}, but not with a reply: {describe(server, body)}.",
        server.check_url,
    )


def no_infill(server: Server, model: str) -> errors.NoInfill:
    """Return the error for a model that cannot write what stands between two texts."""
    return errors.NoInfill(
        f"{model} ({server.provider}) cannot complete code in the middle of a text.",
        Remedy(
            "Set a model that can, such as a Qwen Coder",
            '%config Buddy.completion_model = "NAME"',
        ),
    )


def no_models(server: Server, body: object) -> errors.NoReply:
    """Return the error for an answer that is not a list of models."""
    return errors.NoReply(
        f"{server.url} does not list models: {describe(server, body)}.",
        server.check_url,
    )


def describe(server: Server, body: object) -> str:
    """Return what an unexpected body is, in a few words."""
    message = server.quote(message_in(body))
    if not message:
        return "nothing came"
    if isinstance(body, str) and body.lstrip().startswith("<"):
        return f'a web page "{message}"'
    return f'it says "{message}"'


def error_reply(
    server: Server,
    response: ErrorResponse,
    model: str = "",
    models: Iterable[str] = (),
) -> errors.ProviderError:
    """Return the error for an error response.

    Parameters
    ----------
    server
        The server that sent it.
    response
        What it sent.
    model
        The requested model; empty if there was none.
    models
        The models that the server has, if known.
    """
    status = response.status
    if response.is_overflow():
        return _too_long(server, response, model)
    if status == 407 and server.access.proxy:
        return proxy_failed(server, "407 Proxy Authentication Required")
    if response.lacks_credit() or _is_closed_to_user(response):
        return _not_for_user(server, response)
    if response.refuses_key() or (status == 403 and server.key != NO_KEY):
        return _key_refused(server, response)
    if model and response.is_missing_model():
        return _no_model(server, model, list(models))
    if response.location:
        return _redirect(server, response)
    number = f" ({status})" if status else ""
    problem = "answered with an error"
    if status == 429:
        problem = "is rate-limiting"
    message = server.quote(response.message) or "no message"
    return errors.ServerError(
        f"{server.url} {problem}{number}: {_sentence(message)}",
        *_error_remedies(server, response),
        status=status,
    )


def _longer(text: str, server: Server, timeout: TimedOut) -> Remedy:
    """Return the remedy that doubles a time limit."""
    return Remedy(text, server.setting(timeout.setting, f"{2 * timeout.seconds:g}"))


def _too_long(
    server: Server, response: ErrorResponse, model: str
) -> errors.PromptTooLong:
    tokens, window = response.tokens_and_window()
    length = "too many tokens"
    if tokens:
        length = f"{tokens:,} tokens"
    limit = "a smaller context window"
    if window:
        limit = f"a context window of {window:,}"
    message = ""
    if not (tokens or window):
        message = f" ({server.quote(response.message)})"
    return errors.PromptTooLong(
        f"The prompt is too long for {model or 'the model'}: {length} for "
        f"{limit}{message}.",
        Remedy("Shorten it"),
        Remedy("Start a new conversation", "%buddy /reset"),
        tokens=tokens,
        window=window,
    )


def _is_closed_to_user(response: ErrorResponse) -> bool:
    return response.is_for_other_regions() or response.needs_verification()


def _not_for_user(server: Server, response: ErrorResponse) -> errors.ServerError:
    """Return the error for a request that the service does not let this user make."""
    status = response.status
    number = f"{status}: " if status else ""
    message = server.quote(response.message) or "no message"
    other = Remedy("Choose another model", "%buddy /models")
    switch = Remedy("Switch", "%buddy /use PROVIDER")
    if response.lacks_credit():
        what = "has no credit or quota left for this account"
        remedies = [Remedy("Add some at the provider"), switch]
    elif response.needs_verification():
        what = "requires a verified account"
        remedies = [Remedy("Verify the account at the provider"), other, switch]
    else:
        what = "does not offer this model in your region"
        remedies = [switch, other]
    return errors.ServerError(
        f"{server.url} {what} ({number}{message}).", *remedies, status=status
    )


def _login_refused(server: Server, message: str) -> errors.KeyRefused:
    """Return the error for a server that wants a user name and a password."""
    what = f"{server.url} requires a user name and a password ({message})."
    if server.access.login:
        what = f"{server.url} rejects the user name or the password ({message})."
    scheme, _, place = server.url.partition("://")
    url = server.setting_url(f"{scheme}://NAME:PASSWORD@{place}")
    remedies = [Remedy("Give them in the base URL, which never shows them", url)]
    if server.has_headers:
        value = '{"Authorization": "Basic …"}'
        header = Remedy("Send a header", server.setting("headers", value))
        remedies.append(header)
    return errors.KeyRefused(what, *remedies)


def _sentence(text: str) -> str:
    """Return a text that ends as a sentence does, once."""
    text = text.rstrip(" .")
    if text.endswith(("!", "?", "…", "。")):
        return text
    return f"{text}."


def _key_refused(server: Server, response: ErrorResponse) -> errors.KeyRefused:
    message = server.quote(response.message) or "no message"
    if response.challenge.lower().startswith("basic"):
        return _login_refused(server, message)
    if server.key == NO_KEY:
        what = f"{server.url} requires a key ({message})."
    else:
        what = f"{server.url} rejects the key for {server.provider} ({message})."
    return errors.KeyRefused(what, *server.key_remedies)


def _no_model(server: Server, model: str, models: list[str]) -> errors.ModelNotFound:
    similar = difflib.get_close_matches(model, models, n=LISTED, cutoff=0.3)
    others = [name for name in models if name not in similar]
    offered = similar + others
    missing = f"There is no model {model!r} at {server.url}"
    if not offered:
        return errors.ModelNotFound(
            f"{missing}, and it lists none.", Remedy("Download or load one there first")
        )
    names = [server.quote(name) for name in offered[:LISTED]]
    more = ""
    if len(offered) > LISTED:
        more = f" and {len(offered) - LISTED} more"
    return errors.ModelNotFound(
        f"{missing}. It has {', '.join(names)}{more}.",
        Remedy("Switch", f"%buddy /use {names[0]}"),
    )


def _redirect(server: Server, response: ErrorResponse) -> errors.ServerError:
    target = server.quote(_base_url_of(response.location))
    return errors.ServerError(
        f"{server.url} redirects to {server.quote(response.location)}; a key is not "
        "sent there automatically.",
        Remedy("If that is right", server.setting_url(target)),
        status=response.status,
    )


def _base_url_of(location: str) -> str:
    try:
        return normalise_base_url(location.split("?")[0])
    except ValueError:
        return location


def _error_remedies(server: Server, response: ErrorResponse) -> list[Remedy]:
    """Return what to do about an error of no special kind, by its status."""
    status = response.status
    if status == 404:
        return [server.check_url]
    if status == 429:
        retry = "Retry later"
        if response.retry_after:
            retry = f"Retry in {response.retry_after:,.0f} s"
        return [Remedy(retry), Remedy("Switch", "%buddy /use PROVIDER")]
    if status in (502, 504) and server.access.proxy:
        bypass = f"If the proxy {server.access.proxy} sent this, bypass it"
        return [Remedy(bypass, past_proxy(server.url))]
    if status is None or status >= 500:
        return [Remedy("Check the server's log, then ask again")]
    return [Remedy("Correct the request and ask again")]
