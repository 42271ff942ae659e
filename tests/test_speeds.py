"""How fast each model reads, learned and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codebuddy_jupyter.question.speeds import MAX_MODELS, ReadingSpeeds

SERVER = "http://localhost:8080/v1?key=sesame"


def test_a_speed_is_learned_by_server_and_model() -> None:
    speeds = ReadingSpeeds()
    assert speeds.get(SERVER, "a") is None
    speeds.learn(SERVER, "a", 1000, 10.0)
    assert speeds.get(SERVER, "a") == 100
    assert speeds.get(SERVER, "b") is None
    assert speeds.get("http://localhost:1234/v1", "a") is None


def test_a_busy_moment_moves_the_speed_less_than_a_quiet_one() -> None:
    speeds = ReadingSpeeds()
    speeds.learn(SERVER, "a", 1000, 10.0)
    speeds.learn(SERVER, "a", 1000, 20.0)
    assert speeds.get(SERVER, "a") == 75
    speeds.learn(SERVER, "a", 1000, 8.0)
    assert speeds.get(SERVER, "a") == 115


@pytest.mark.parametrize(
    ("tokens", "seconds"),
    [(10, 1.0), (1000, 0.0), (1000, -1.0), (1000, 1e9), (10**9, 0.1), (1000, 1e-9)],
)
def test_what_is_too_short_or_impossible_teaches_nothing(
    tokens: int, seconds: float
) -> None:
    speeds = ReadingSpeeds()
    speeds.learn(SERVER, "a", tokens, seconds)
    assert speeds.get(SERVER, "a") is None


def test_another_kernel_knows_what_was_learned(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "speeds.json"
    first, second = ReadingSpeeds(path), ReadingSpeeds(path)
    first.learn(SERVER, "a", 1000, 10.0)
    second.learn(SERVER, "b", 1000, 5.0)
    first.save()
    second.save()
    third = ReadingSpeeds(path)
    assert third.get(SERVER, "a") == 100
    assert third.get(SERVER, "b") == 200


def test_the_file_names_neither_servers_nor_models(tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    speeds = ReadingSpeeds(path)
    speeds.learn(SERVER, "a-model", 1000, 10.0)
    speeds.save()
    text = path.read_text()
    assert "sesame" not in text
    assert "localhost" not in text
    assert "a-model" not in text


def test_a_file_without_news_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    speeds = ReadingSpeeds(path)
    speeds.learn(SERVER, "a", 1000, 10.0)
    speeds.save()
    path.unlink()
    speeds.learn(SERVER, "a", 1000, 10.1)
    speeds.save()
    assert not path.exists()
    speeds.learn(SERVER, "a", 1000, 20.0)
    speeds.save()
    assert path.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 60_000, b'{"a": "fast"}'],
    ids=lambda content: str(content[:12]),
)
def test_a_damaged_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "speeds.json"
    path.write_bytes(content)
    speeds = ReadingSpeeds(path)
    assert speeds.get(SERVER, "a") is None
    speeds.learn(SERVER, "a", 1000, 10.0)
    speeds.save()
    assert list(json.loads(path.read_bytes()).values()) == [100.0]


@pytest.mark.parametrize("value", [0, -3, True, 1e300, "100", None, [100]])
def test_a_senseless_speed_in_the_file_is_left_out(
    tmp_path: Path, value: object
) -> None:
    path = tmp_path / "speeds.json"
    speeds = ReadingSpeeds(path)
    speeds.learn(SERVER, "a", 1000, 10.0)
    speeds.save()
    (key,) = json.loads(path.read_bytes())
    path.write_text(json.dumps({key: value}))
    assert ReadingSpeeds(path).get(SERVER, "a") is None


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    speeds = ReadingSpeeds(tmp_path / "cache" / "speeds.json")
    speeds.learn(SERVER, "a", 1000, 10.0)
    speeds.save()
    assert speeds.get(SERVER, "a") == 100


def test_the_oldest_models_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    speeds = ReadingSpeeds(path)
    for number in range(MAX_MODELS + 1):
        speeds.learn(SERVER, str(number), 1000, 10.0)
    speeds.save()
    later = ReadingSpeeds(path)
    assert later.get(SERVER, "0") is None
    assert later.get(SERVER, str(MAX_MODELS)) == 100
