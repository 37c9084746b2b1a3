"""What the process of a framework leaves of a model that it does not read: one line, with the next step."""

from pathlib import Path

import pytest

from conformance.scan.formats import native
from conformance.scan.process import JOB, MARK, _why, main


@pytest.mark.parametrize(
    ("status", "said", "line"),
    [
        (2, f"noise\n{MARK}m.pt: is no model: give another\nnoise\n", "m.pt: is no model: give another"),
        (1, "Traceback\nIndexError: no\n\n", "m.pt: torch does not read it: IndexError: no: export the model again"),
        (1, "", "m.pt: torch does not read it: exit status 1: export the model again"),
        (1, "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 1 TiB",
         "m.pt: torch takes more memory to read it than 4 GiB and 8 times its size: give a smaller model"),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'",
         "m.pt: torch takes more memory to read it than 4 GiB and 8 times its size: give a smaller model"),
        (-24, "", "m.pt: torch has not read it in 300 s of CPU time: give a smaller model"),
        (-11, "", "m.pt: torch died of SIGSEGV as it read it: give a whole model file"),
    ],
)  # fmt: skip
def test_a_framework_that_fails_is_one_line(status: int, said: str, line: str) -> None:
    assert _why("m.pt", "torch", status, said) == line


def test_a_pipe_is_named_before_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(framework: str, model: str) -> None:
        raise OSError(22, "is a pipe, not a regular file", model)

    monkeypatch.setattr(native, "open_model", refuses)
    (tmp_path / JOB).write_text('{"framework": "torch", "model": "m.pt", "inputs": []}')
    assert main(tmp_path) == 2
    said = "m.pt: is a pipe, not a regular file: check the path and its permissions"
    assert capsys.readouterr().err == f"\n{MARK}{said}\n"
    assert [each.name for each in tmp_path.iterdir()] == [JOB]
