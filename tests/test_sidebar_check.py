"""Whether JupyterLab's extension is installed, as ``/doctor`` says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from codebuddy_jupyter.doctor.sidebar_check import check_sidebar
from tests.support import labextension


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which JupyterLab looks."""
    monkeypatch.setattr(
        "jupyter_core.paths.jupyter_path",
        lambda *names: [str(tmp_path.joinpath(*names))],
    )
    return tmp_path


def version_file(share: Path, text: str) -> None:
    file = share / "labextensions" / "codebuddy-jupyter" / "package.json"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")


def test_it_is_found_where_it_is_linked(share: Path) -> None:
    labextension.link(share)
    labextension.link(share)
    check = check_sidebar("0.1.0")
    assert (check.ok, check.remedies) == (True, ())


def test_another_version_is_told(share: Path) -> None:
    version_file(share, '{"version": "0.0.1"}')
    check = check_sidebar("0.1.0")
    assert check.ok is None
    assert check.finding == "version 0.0.1 is installed, and this package is 0.1.0"


@pytest.mark.parametrize("text", [None, "", "[]", "{}", "not JSON"])
def test_without_it_the_check_says_what_to_run_and_nothing_fails(
    share: Path, text: str | None
) -> None:
    if text is not None:
        version_file(share, text)
    check = check_sidebar("0.1.0")
    assert check.ok is None
    assert [remedy.command for remedy in check.remedies] == [
        "pip install codebuddy-jupyter"
    ]
