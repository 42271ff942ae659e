"""From what went wrong at a server to the error that the user meets: one line that says
what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ... import errors
from ...keys import NO_KEY, Key
from .address import normalise_base_url
from .server_error import ErrorResponse, one_line, shortened, words
from .timeouts import TimedOut
from .transport import Access, past_proxy

# models that an error names
LISTED = 8


@dataclass(frozen=True)
class Server:
    """Whom a request goes to, and what a person can do about it.

    Parameters
    ----------
    provider
        The provider's name, such as ``Local``.
    owner
        The class that holds its settings, such as ``LocalProvider``.
    url, key
        Where requests go, and with what.
    remedy
        What to do when nothing answers, as a sentence without its full stop.
    key_help
        How to give a key, as sentences.
    access
        How it is reached, and what is shown to it alone.
    trust_help
        How to trust its certificate, as the end of a sentence.
    """

    provider: str
    owner: str
    url: str
    key: Key
    remedy: str
    key_help: str
    access: Access
    trust_help: str

    def setting(self, name: str, value: str) -> str:
        """The line that changes a setting of the provider."""
        return f"%config {self.owner}.{name} = {value}"

    def setting_url(self, url: str) -> str:
        """The line that points the provider to another server."""
        return self.setting("base_url", f'"{url}"')

    def quote(self, text: str) -> str:
        """A server's words for an error line: on one line, without what is secret, and
        not too long.
        """
        for secret in self.access.secrets:
            text = text.replace(secret, "…")
        return shortened(one_line(text))

    @property
    def look_at_url(self) -> str:
        """What to do when something else than a model server may be there."""
        return f"Look at the base URL: {self.setting_url(self.url)}"


def unreachable(
    server: Server, reason: str, *, passing: bool = False
) -> errors.Unreachable:
    """No connection; ``passing`` where that may be over in a moment."""
    line = f"Nothing answers at {server.url} ({server.quote(reason)}). {server.remedy}"
    return errors.Unreachable(line, passing=passing)


def no_way_through(
    server: Server, reason: str, *, passing: bool = False
) -> errors.Unreachable:
    """The proxy on the way does not answer, or lets nothing through; ``passing`` as in
    `unreachable`.
    """
    secret = (
        "Name and password can stand in its address in the environment: "
        "http://NAME:PASSWORD@HOST:PORT. "
    )
    line = (
        f"Requests to {server.url} go through the proxy {server.access.proxy}, "
        "which does not let them through "
        f"({server.quote(reason)}). {secret if '407' in reason else ''}To go "
        f"past it: {past_proxy(server.url)}"
    )
    return errors.Unreachable(line, passing=passing)


def no_tls(server: Server, reason: str) -> errors.Unreachable:
    """Something is there, but no connection that is safe."""
    what = f"There is no safe connection to {server.url} (TLS: {server.quote(reason)})"
    if "CERTIFICATE" in reason.upper():
        return errors.Unreachable(
            f"{what}. If you trust its certificate, {server.trust_help}"
        )
    plain = server.setting_url(server.url.replace("https://", "http://", 1))
    return errors.Unreachable(f"{what}. If the server speaks plain http: {plain}")


def too_slow(server: Server, overdue: TimedOut) -> errors.Unreachable:
    """The server took the request and did not answer in time."""
    longer = server.setting(overdue.setting, f"{2 * overdue.seconds:g}")
    return errors.Unreachable(
        f"{server.url} took the request and was silent for {overdue.seconds:g} s. "
        f"If its model needs longer to load: {longer}"
    )


def too_long_coming(server: Server, overdue: TimedOut) -> errors.CutOff:
    """The reply began, and did not go on or end in time."""
    longer = server.setting(overdue.setting, f"{2 * overdue.seconds:g}")
    in_all = overdue.setting == "total_timeout"
    what = (
        "was not at the end of its reply after"
        if in_all
        else "fell silent in its reply for"
    )
    return errors.CutOff(
        f"{server.url} {what} {overdue.seconds:g} s. What came is kept; to wait longer: {longer}"
    )


def too_much(server: Server, size: int) -> errors.CutOff:
    """The reply is larger than any can be."""
    return errors.CutOff(
        f"The reply was stopped: {server.url} sent more than {size >> 20} MiB "
        "for it. What came is kept; "
        "see what the server's own log says, or ask for less: --max-tokens 1000"
    )


def hung_up(server: Server, reason: str) -> errors.NoReply:
    """The connection ended before an answer."""
    why = f" ({server.quote(reason)})" if reason else ""
    return errors.NoReply(
        f"{server.url} closed the connection without an answer{why}. "
        f"See what the server's own log says, then ask again. {server.look_at_url}"
    )


def cut_off(server: Server, said: object) -> errors.CutOff:
    """The reply broke off."""
    why = f": {server.quote(words(said))}" if words(said) else ""
    return errors.CutOff(
        f"The reply was cut off by {server.url}{why}. What came is kept; ask again to go on."
    )


def no_reply(server: Server, status: int, came: object) -> errors.NoReply:
    """The server answered well, but not with a reply."""
    return errors.NoReply(
        f"{server.url} answered {status}, but not with a reply: "
        f"{describe(server, came)}. {server.look_at_url}"
    )


def no_models(server: Server, came: object) -> errors.NoReply:
    """The server gave no list of models."""
    return errors.NoReply(
        f"{server.url} gives no list of models: {describe(server, came)}. {server.look_at_url}"
    )


def describe(server: Server, came: object) -> str:
    """What came instead of what was asked for, in a few words."""
    said = server.quote(words(came))
    if not said:
        return "nothing came"
    is_page = isinstance(came, str) and came.lstrip().startswith("<")
    return f'{"a web page" if is_page else "it says"} "{said}"'


def refused(
    server: Server,
    complaint: ErrorResponse,
    model: str = "",
    models: Iterable[str] = (),
) -> errors.ProviderError:
    """The error for what a server complained of.

    Parameters
    ----------
    server
        Who complained.
    complaint
        What it said.
    model
        The model that was asked for; empty: none was.
    models
        The models that are there, where it is known.
    """
    said, status = server.quote(complaint.words), complaint.status
    if complaint.is_overflow():
        tokens, window = complaint.tokens_and_window()
        return errors.PromptTooLong(
            _too_long(server, model, tokens, window, said), tokens=tokens, window=window
        )
    if status == 407 and server.access.proxy:
        return no_way_through(server, "407 Proxy Authentication Required")
    if status == 401 or (status == 403 and server.key != NO_KEY):
        return errors.KeyRefused(_key_refused(server, said))
    if model and complaint.is_missing_model():
        return errors.ModelNotFound(_no_model(server, model, list(models)))
    return errors.ServerError(
        " ".join(_server_error(server, complaint, said)), status=status
    )


def _server_error(server: Server, complaint: ErrorResponse, said: str) -> Iterator[str]:
    status = complaint.status
    if complaint.location:
        yield (
            f"{server.url} redirects to {server.quote(complaint.location)}, where "
            "a key must not follow by itself."
        )
        yield f"If that is right: {server.setting_url(server.quote(_target(complaint.location)))}"
        return
    yield (
        f"{server.url} answered with an error{f' ({status})' if status else ''}: "
        f"{said or 'without a word'}."
    )
    if status == 404:
        yield server.look_at_url
    elif status == 429:
        wait = (
            f"wait {complaint.retry_after:,.0f} s"
            if complaint.retry_after
            else "wait a little"
        )
        yield f"That is too much for it now: {wait} and ask again, or switch: %buddy /use PROVIDER"
    elif status in (502, 504) and (proxy := server.access.proxy):
        yield f"It may be the proxy {proxy} that says so; to go past it: {past_proxy(server.url)}"
    elif status is None or status >= 500:
        yield "The server's own log says more; ask again when it is well."
    else:
        yield "Change what it complains of and ask again."


def _too_long(
    server: Server, model: str, tokens: int | None, window: int | None, said: str
) -> str:
    have = f"{tokens:,} tokens" if tokens else "too many tokens"
    room = f"a window of {window:,}" if window else "a smaller window"
    told = "" if tokens or window else f" ({said})"
    return (
        f"The prompt is too long for {model or 'the model'}: {have} for "
        f"{room}{told}. Shorten it, begin anew with "
        "%buddy /reset, or load the model with a larger window"
    )


def _key_refused(server: Server, said: str) -> str:
    if server.key == NO_KEY:
        return f"{server.url} wants a key ({said or 'it does not say more'}). {server.key_help}"
    return (
        f"{server.url} does not take the key for {server.provider} "
        f"({said or 'without a word'}). {server.key_help}"
    )


def _no_model(server: Server, model: str, models: list[str]) -> str:
    near = difflib.get_close_matches(model, models, n=LISTED, cutoff=0.3)
    there = [*near, *(name for name in models if name not in near)]
    if not there:
        return (
            f"There is no model {model!r} at {server.url}, and it names none. Load "
            "or fetch one there first"
        )
    more = f" and {len(there) - LISTED} more" if len(there) > LISTED else ""
    names = [server.quote(name) for name in there[:LISTED]]
    return (
        f"There is no model {model!r} at {server.url}. It has "
        f"{', '.join(names)}{more}. Switch: %buddy /use {names[0]}"
    )


def _target(location: str) -> str:
    try:
        return normalise_base_url(location.split("?")[0])
    except ValueError:
        return location
