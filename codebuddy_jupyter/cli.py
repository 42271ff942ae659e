"""The shell command ``codebuddy``: ask from a terminal, run the demo, keep a key.

It holds no state.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from . import __version__
from .buddy import Buddy
from .commands import examined
from .display.screens import Display, plain
from .errors import BuddyError, ExtraMissing, SettingError
from .providers.http.address import host_of
from .providers.openai_chat import OpenAIChatProvider
from .question.options import add_arguments, options_from


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status: 0, 1 for an error, 130 when stopped."""
    found = _parser().parse_args(arguments)
    try:
        return int(found.run(found) or 0)
    except BuddyError as error:
        sys.stderr.write(f"codebuddy: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("codebuddy: stopped\n")
        return 130
    except BrokenPipeError:
        # who read the output has left, as `| head` does
        # or the flush at the exit would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "codebuddy", description="A coding buddy for notebooks, and for the terminal."
    )
    parser.add_argument(
        "--version", action="version", version=f"codebuddy {__version__}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    ask = commands.add_parser(
        "ask", help="ask the model; the answer streams to the terminal"
    )
    add_arguments(ask)
    ask.add_argument(
        "prompt",
        nargs="*",
        help="the question; - or nothing: read it from standard input",
    )
    ask.set_defaults(run=_ask)

    demo = commands.add_parser("demo", help="open the tour notebook in JupyterLab")
    demo.add_argument(
        "--headless", action="store_true", help="run it in this terminal instead"
    )
    demo.set_defaults(run=_demo)

    doctor = commands.add_parser(
        "doctor",
        help="look whether the model can be asked, and what to do where it cannot",
    )
    doctor.add_argument(
        "provider",
        nargs="?",
        default="",
        help="such as openai; by default the one in use",
    )
    doctor.add_argument(
        "--json",
        action="store_true",
        help="for a bug report; keys and names of homes are blanked",
    )
    doctor.set_defaults(run=_doctor)

    key = commands.add_parser(
        "key", help="keep the key of a provider, for the server that it talks to"
    )
    key.add_argument(
        "provider", help="such as openai, or local for a server that wants a key"
    )
    key.add_argument("--forget", action="store_true", help="take the kept key away")
    key.set_defaults(run=_key)
    return parser


def _ask(found: argparse.Namespace) -> None:
    words = " ".join(found.prompt)
    prompt = sys.stdin.read() if words in ("", "-") else words
    options = replace(options_from(found), remember=False)
    buddy = Buddy()
    try:
        Display().show(buddy.ask(prompt, options))
    finally:
        buddy.close()


def _demo(found: argparse.Namespace) -> int:
    try:
        from .demo import run_demo
    except ImportError as error:
        raise ExtraMissing(
            'The demo needs more packages: pip install "codebuddy-jupyter[demo]"'
        ) from error
    return run_demo(headless=found.headless)


def _doctor(found: argparse.Namespace) -> int:
    buddy = Buddy()
    try:
        report = examined(buddy, found.provider, progress=_tell)
    finally:
        buddy.close()
    sys.stdout.write(f"{report.json() if found.json else plain(report.text())}\n")
    return 0 if report.well else 1


def _tell(what: str, done: int, total: int) -> None:
    sys.stderr.write(f"{what}\n")


def _key(found: argparse.Namespace) -> None:
    buddy = Buddy()
    provider = buddy.provider_named(found.provider)
    provider.read_environment()
    if not isinstance(provider, OpenAIChatProvider) or not provider.key_variable:
        raise SettingError(f"{found.provider} takes no key.")
    host = host_of(provider.url)
    if found.forget:
        gone = provider.keys.forget(provider.name, host)
        said = (
            f"The key for {host} is gone." if gone else f"No key for {host} was kept."
        )
    else:
        typed = getpass.getpass(f"The key for {host} (it is not shown): ")
        said = (
            f"The key for {host} is kept in "
            f"{provider.keys.store(provider.name, host, typed.strip())}."
        )
    sys.stdout.write(f"{said}\n")
