"""What keeps an HTTP client from being made is told in one line, which names it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.doctor.examination import examine
from codebuddy_jupyter.providers.http.client_errors import cannot_import
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.outcome import ask, asking

ELSEWHERE = "http://gpu.example:8000/v1"

VARIABLES = {
    "no such scheme": ("ALL_PROXY", "socks://jo:hush@h:1", "socks://h:1", "socks5://"),
    "no such scheme, lower case": ("all_proxy", "socks://h:1", "socks://h:1", "socks5"),
    "no address": ("HTTP_PROXY", "http://[::1", "http://[::1", "http://HOST:PORT"),
    "nothing": ("HTTPS_PROXY", "://", "Unknown scheme", "http://HOST:PORT"),
    "no file": ("SSL_CERT_FILE", "/no/such.pem", "No such file", "/path/to/ca.pem"),
    "a folder": ("SSL_CERT_FILE", "/", "/, which cannot be used", "/path/to/ca.pem"),
    "no certificate": ("SSL_CERT_FILE", __file__, "NO_CERTIFICATE", "/path/to/ca.pem"),
}


@pytest.mark.parametrize(
    ("name", "value", "says", "remedy"), VARIABLES.values(), ids=VARIABLES
)
def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    provider = LocalProvider(base_url=ELSEWHERE)
    for _ in range(2):
        with pytest.raises(errors.SettingError) as caught:
            asyncio.run(asking(provider))
        line = str(caught.value)
        assert "\n" not in line
        assert f"The environment variable {name} " in line
        assert says in line
        assert f"%env {name}={remedy}" in line
        assert f"%env {name}=" in str(caught.value.remedies[-1])
        assert "hush" not in line


def test_a_package_that_a_proxy_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5h://h:1")
    with pytest.raises(errors.SettingError, match="%pip install socksio"):
        asyncio.run(asking(LocalProvider(base_url=ELSEWHERE)))


def test_the_doctor_tells_it_as_a_failed_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://h:1")
    report = asyncio.run(examine(LocalProvider(base_url=ELSEWHERE)))
    failed = [check for check in report.checks if check.ok is False]
    assert "ALL_PROXY" in failed[-1].finding


def test_a_server_on_this_machine_does_not_need_the_variables(
    provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value, *_ in VARIABLES.values():
        monkeypatch.setenv(name, value)
    assert ask(provider).error is None


STAND_INS = {
    "openai.py": "import openai\nclient = openai.OpenAI()\n",
    "openai/__init__.py": "from openai.api_resources import ChatCompletion\n",
    "anyio.py": "x = 1\n",
    "httpx2.py": "raise SystemExit(1)\n",
    "h11.py": "x = 1\n",
}
ASK = """
import asyncio, sys, threading
from codebuddy_jupyter import errors
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.doctor.examination import examine
from codebuddy_jupyter.messages import Message, Request

async def ask(provider):
    async for _ in provider.stream(Request((Message("user", "hi"),), "llama3")):
        pass

provider = LocalProvider(base_url=sys.argv[1])
thread = threading.Thread(target=Buddy().warm)
thread.start()
thread.join()
for _ in range(2):
    try:
        asyncio.run(ask(provider))
    except errors.BuddyError as error:
        print(error)
report = asyncio.run(examine(provider))
print([check.finding for check in report.checks if check.ok is False])
"""


@pytest.mark.parametrize("name", STAND_INS)
def test_a_file_in_place_of_a_package_is_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(STAND_INS[name], encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-c", ASK, "http://127.0.0.1:9/v1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.stderr == ""
    first, second, report = result.stdout.strip().splitlines()
    path = tmp_path / name.split("/")[0]
    package = path.stem
    assert f"{path} is imported instead of the package {package}" in first
    assert "Rename it, then restart the kernel" in first
    assert second == first
    assert str(path) in report


@pytest.mark.skipif(
    sys.platform == "win32", reason="a folder in use cannot be deleted there"
)
def test_a_working_directory_that_was_deleted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert str(cannot_import("openai", FileNotFoundError())) == (
        "The package openai cannot be imported, since the kernel's working directory "
        "no longer exists. Change to another one: %cd ~"
    )
