"""TFLite files that are damaged, and what needs no converter to be made."""

from pathlib import Path

import pytest

from conformance.scan import scanning
from conformance.scan.layer import ScanError

pytest.importorskip("tflite", reason="comes with the extra scan; the lane of TensorFlow converts a whole model")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"no flat buffer at all", "TFL3 does not stand at byte 4"),
        (b"\x10\x00\x00\x00TFL3" + b"\xff" * 60, "truncated or damaged|claims"),
        (b"\x10\x00\x00\x00TFL3", "truncated or damaged"),
    ],
)
def test_what_is_no_model_is_said_in_a_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(ScanError, match=message) as raised:
        scanning.scan(str(path))
    assert "\n" not in str(raised.value)
