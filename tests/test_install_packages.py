"""The environments of the checkout: installed by uv where that asks the same index as
pip would.
"""

import pytest

from tests.support.install_packages import PIP, UV, ways

PYTHON = "elsewhere/bin/python"


def programs(configured: str) -> list[str]:
    """Return the programs that are tried, in turn."""
    commands = ways(configured, PYTHON)
    for command in commands:
        assert command[command.index("--python") + 1] == PYTHON
    known = {tuple(UV): "uv", tuple(PIP): "pip"}
    return [
        name
        for command in commands
        for start, name in known.items()
        if tuple(command[: len(start)]) == start
    ]


@pytest.mark.parametrize(
    "configured",
    ["", "global.cert='/ca.pem'", "global.extra-index-url='https://more.example'"],
)
def test_uv_installs_and_pip_where_that_fails(configured: str) -> None:
    assert programs(configured) == ["uv", "pip"]


@pytest.mark.parametrize(
    "configured",
    [
        ":env:.index-url='https://packages.example/simple'",
        "global.cert='/ca.pem'\nuser.proxy='http://proxy.example'",
        "global.no-index='true'",
    ],
)
def test_pip_installs_where_its_configuration_names_the_way(configured: str) -> None:
    assert programs(configured) == ["pip"]
