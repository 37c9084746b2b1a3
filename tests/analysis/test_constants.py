"""What every report holds is made once, and a file of it that is damaged or cannot be written changes nothing."""

from pathlib import Path

import pytest

from conformance.analysis.content import constants
from conformance.analysis.content.constants import constant
from conformance.analysis.content.coverage import _space


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_is_made_once_and_again_where_its_file_is_damaged(cache: Path) -> None:
    made: list[bytes] = []

    def make() -> bytes:
        made.append(b"content")
        return b"content"

    assert [constant("name", make), constant("name", make)] == [b"content"] * 2
    assert len(made) == 1
    (file,) = (cache / "constants").iterdir()
    for damage in (b"", b"short", file.read_bytes()[:-1], file.read_bytes() + b"\0"):
        file.write_bytes(damage)
        assert constant("name", make) == b"content"
    assert len(made) == 5
    assert file.read_bytes().endswith(b"content")


def test_another_source_of_the_package_has_another_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert constant("name", lambda: b"one") == b"one"
    monkeypatch.setattr(constants, "_source", lambda: "another")
    assert constant("name", lambda: b"two") == b"two"


def test_where_nothing_can_be_written_it_is_made(cache: Path) -> None:
    cache.write_bytes(b"")  # which is no folder
    assert constant("name", lambda: b"content") == b"content"


def test_the_space_of_combinations_is_the_same_made_and_kept() -> None:
    made = [array.tobytes() for array in _space(1, 2)[2:]]
    _space.cache_clear()
    assert [array.tobytes() for array in _space(1, 2)[2:]] == made
