"""The command line: a user's mistake is one line that names it and the next step, and exit status 2."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import adapters
from conformance.cli import VERBS, main
from conformance.cli.forms import BEFORE
from conformance.io.folders import cases_folder
from conformance.records.record import Run
from conformance.records.record_file import read, write
from conformance.suites import generate
from conformance.suites.cases import SUITES, read_suite
from tests.adapters import forget_adapters
from tests.records.test_record import HEADER, RECORDS, RUN

ADAPTER = '''
"""The oracle's neighbour: answers zeros."""

import numpy as np

from conformance.adapters.base import Call, Unsupported

VARIANTS = {"eager": {}, "lazy": {"ZEROS_LAZY": "1"}}
REFUSALS = ()
BLOCK = 1


def describe():
    return {}


def translate(problem, x, weight, bias):
    if problem.rank == 3:
        raise Unsupported("volumes are not zero")
    return Call(np.zeros, (problem.output_shape, x.dtype))


def run(calls):
    return [call() for call in calls]


def tensor(array):
    return array


def array(result):
    return result
'''


@pytest.fixture(autouse=True)
def zeros(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A framework called zeros, which is installed everywhere."""
    folder = tmp_path_factory.mktemp("adapters")
    (folder / "zeros.py").write_text(ADAPTER)
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(folder)])
    forget_adapters()
    yield
    forget_adapters()


class Ended:
    """What a command left behind."""

    def __init__(self, arguments: Sequence[object], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
        monkeypatch.setattr(sys, "argv", ["conformance", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        self.status = exit_.value.code
        self.out, self.err = capfd.readouterr()


class Command:
    """Runs commands in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._fixtures = monkeypatch, capfd

    def __call__(self, *arguments: object) -> Ended:
        return Ended(arguments, *self._fixtures)


@pytest.fixture
def conformance(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


FILE = str(Path(__file__).parents[2] / "README.md")
"""A file that no verb reads."""
MISTAKES = {
    "unknown framework": (["run", "pytroch"], ["there is no framework 'pytroch'", "the frameworks are", "torch"]),
    "nearest framework": (["run", "tensorflw"], ["the nearest is 'tensorflow'"]),
    "unknown variant": (["run", "zeros", "--variant=slow"], ["zeros has no variant 'slow'", "eager, lazy"]),
    "unknown suite": (["run", "zeros", "--suite=smok"], ["there is no suite 'smok', the nearest is 'smoke'", "core"]),
    "unknown case": (["run", "zeros", "--case=one-pixl"], ["no case 'one-pixl', the nearest is 'one-pixel'"]),
    "unknown dtype": (["run", "zeros", "--dtype=float8"], ["no dtype 'float8'", "the dtypes are float64, float32"]),
    "dtype that is not computed in": (["run", "zeros", "--dtype=float16"], ["zeros does not compute in float16"]),
    **{
        f"shard {shard}": (
            ["run", "zeros", f"--shard={shard}"],
            [f"shard {shard!r} is not I/N", "give for example 2/8"],
        )
        for shard in ("3/2", "0/2", "1", "1/0", "a/b", "-1/2", "1/2/3")
    },
    "unknown framework of one": (["one", "tourch", "i5 k3"], ["no framework 'tourch', the nearest is 'torch'"]),
    "dtype of one": (
        ["one", "zeros", "i5 k3", "--dtype=float16"],
        ["zeros does not compute in float16", "float32, float64"],
    ),
    "malformed descriptor": (["one", "zeros", "i5 k3 z2"], ["'z2'", "is not a field", "the fields are i, k, s"]),
    "axes of a descriptor": (["one", "zeros", "i5x5 k3x3x3"], ["kernel has 3 axes, input has 2", "give one value"]),
    "impossible geometry": (["one", "zeros", "i2 k3 p9"], ["'i2 k3 p9'", "output extent -14", "must be at least 1"]),
    "impossible stride": (["one", "zeros", "i2 k3 s0"], ["'i2 k3 s0'", "stride 0 on axis 0 must be at least 1"]),
    "too large for memory": (
        ["one", "zeros", "i1000000 k3 s1000000"],
        ["1,000,000,000,006 numbers", "give smaller extents"],
    ),
    "too large for an index": (["one", "zeros", "i1000 k3 s1000000000000000"], ["more than 2**59 elements"]),
    "unknown suite of cases": (["cases", "list", "--suite=cor"], ["no suite 'cor', the nearest is 'core'"]),
    "unknown probe": (["cases", "list", "--probes=size"], ["nothing probes 'size'", "the probes are window"]),
    "unknown case to show": (["cases", "show", "one-pixl"], ["no case 'one-pixl', the nearest is 'one-pixel'"]),
    "absent record": (["merge", "none.jsonl"], ["none.jsonl: cannot be read: No such file"]),
    "no records to report": (["report", "--records=."], ["has no record files: run a lane first"]),
    "a folder for a call": (["call", "torch", "."], [".: is a folder: give a call, a source file, which ends in .py"]),
    "a file for a call": (["call", "torch", FILE], [f"{FILE}: is a file: give a call, a source file"]),
    "a folder for a problem": (["call", ".", "--lane=all"], [".: is a folder: give a problem, such as"]),
    "a folder for a call to port": (["port", ".", "--from=torch", "--to=jax"], [".: is a folder: give a call"]),
    "a folder to diagnose": (["diagnose", "."], [".: is a folder: give a record file, which ends in .jsonl"]),
    "a file to diagnose": (["diagnose", FILE], [f"{FILE}: is a file: give a record file"]),
    "a folder for an array": (
        ["diagnose", "i5 k3", "--x=.", "--weight=.", "--actual=."],
        [".: is a folder: give a file in it, .npy"],
    ),
    "a folder for a record": (["show", "."], [".: is a folder: give a record file, which ends in .jsonl"]),
    "a folder for a record of a case": (["show", ".", "x"], [".: is a folder: give a record file"]),
    "a file for a folder of records": (
        ["report", f"--records={FILE}"],
        [f"{FILE}: has no record files, since it is a file and not a folder: run a lane first"],
    ),
    "a file for a folder of vectors": (
        ["vectors", "--diff", FILE, "."],
        [f"{FILE}: is no folder (Not a directory): give a folder that `conformance vectors` wrote"],
    ),
    "a folder without vectors": (["vectors", "--diff", ".", "."], [".: has no index.json (No such file"]),
    "a file for a folder of an adapter": (
        ["adapter", "new", "mine", f"--to={FILE}"],
        [f"{FILE}: is a file, and a folder is to be written: give another name by --to"],
    ),
    "a folder that is no model": (["scan", "."], [".: is a folder without saved_model.pb"]),
    "unknown case of one": (["one", "zeros", "i5 k3", "--case=nosuch"], ["has no case 'nosuch'"]),
    "a keyword twice": (
        ["call", "torch", "F.conv_transpose2d(x, w, stride=2, stride=1)", "--claim"],
        ["gives stride twice: write it once"],
    ),
    "a shape twice": (
        [
            "call",
            "torch",
            "F.conv_transpose1d(x, w)",
            "--shape=x=1,1,3",
            "--shape=x=1,1,4",
            "--shape=w=1,1,2",
            "--claim",
        ],
        ["--shape x is given twice"],
    ),
    "a shape of no tensor": (
        ["call", "torch", "F.conv_transpose1d(x, w)", "--shape=x=1,1,3", "--shape=weight=1,1,2", "--claim"],
        ["weight is no tensor of this call, F.conv_transpose1d: those are x, w"],
    ),
    "a suite to upgrade": (
        ["upgrade", "jax==0.9.0", "jax==0.10.2", "--suite=nosuch"],
        ["there is no suite 'nosuch'", "idioms, ports, claims"],
    ),
    "a suite to bisect": (["bisect", "jax==0.9.0", "jax==0.10.2", "--suite=nosuch"], ["there is no suite 'nosuch'"]),
    "workers to upgrade": (["upgrade", "jax==0.9.0", "jax==0.10.2", "-n", "-3"], ["-n -3 is no number of workers"]),
    **{
        f"{verb[0]} {option}={value}": ([*verb, f"{option}={value}"], [option])
        for verb, option in (
            (("fuzz", "zeros"), "--minutes"),
            (("fuzz", "zeros"), "--seed"),
            (("fuzz", "zeros"), "--from"),
            (("diff", "a", "b"), "--drift"),
            (("confirm", "a"), "--each"),
            (("confirm", "a"), "--at-once"),
            (("upgrade", "a", "b"), "--repeat"),
        )
        for value in ("-1", "nan", "1e999", "x")
    },
    "unknown verb": (["mrege"], ["there is no verb 'mrege', the nearest is 'merge'"]),
    "unknown option": (["merge", "--too=x", "a"], ["No such option", "--too", "`conformance merge --help` lists what"]),
    "show of nothing": (
        ["show", "nosuch"],
        [
            "no case and no known fault is called 'nosuch'",
            "`conformance cases list` lists the cases, and the site that",
        ],
    ),
    "no framework": (["call"], ["Missing argument 'FRAMEWORK': as in `conformance call torch \"nn.ConvTranspose2d("]),
    "no expression": (
        ["call", "torch"],
        ["Missing argument 'EXPRESSION': as in `conformance call torch \"nn.ConvTranspose2d(8, 4, 3, stride=2)\" --"],
    ),
    "no option": (["port", "f(x)"], ["Missing option '--to': as in `conformance port "]),
    "no file of a part": (["expect", "propose"], ["': as in `conformance expect propose reports/"]),
    "one argument too many": (
        ["domain", "torch"],
        [
            "Got unexpected extra argument (torch): as in `conformance domain --lane torch-eager`; `conformance domain "
            "--help` lists what it takes"
        ],
    ),
    "one argument too many of a form": (["domain", "torch", "--coverage"], ["`conformance domain --coverage --lane "]),
    "an argument of none": (["doctor", "a"], ["extra argument (a): `conformance doctor --help` lists what it takes"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_one_line(
    mistake: str, conformance: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, texts = MISTAKES[mistake]
    ended = conformance(*arguments)
    assert ended.status == 2
    assert ended.out == ""
    for text in texts:
        assert text in ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "texts"),
    [
        (lambda b: b[:-30], ["damaged.jsonl", "run the lane again"]),
        (lambda b: b[: b.rindex(b"\n", 0, -1) + 1], ["damaged.jsonl", "is no footer", "run the lane again"]),
        (
            lambda b: b.replace(b"record/1", b"record/9"),
            ["damaged.jsonl", "conformance-record/1", "that this version wrote"],
        ),
        (lambda b: b"", ["damaged.jsonl", "no header"]),
        (lambda b: b"\x00\xff\x80", ["damaged.jsonl", "no header"]),
    ],
    ids=["truncated", "no footer", "other schema", "empty", "binary"],
)
def test_damaged_record_is_one_line(
    conformance: Command, tmp_path: Path, damage: Callable[[bytes], bytes], texts: Sequence[str]
) -> None:
    path = tmp_path / "damaged.jsonl"
    write(path, RUN)
    path.write_bytes(damage(path.read_bytes()))
    for arguments in (["merge", path, "--to", tmp_path / "to"], ["report", f"--records={tmp_path}"]):
        ended = conformance(*arguments)
        assert ended.status == 2
        assert ended.err.count("\n") == 1
        for text in texts:
            assert text in ended.err
    assert not (tmp_path / "to").exists()


def test_framework_that_is_not_installed_is_one_line(conformance: Command) -> None:
    folder = Path(adapters.__path__[-1])
    (folder / "absent.py").write_text(ADAPTER.replace("import numpy as np", "import no_such_framework"))
    forget_adapters()
    for arguments in (["run", "absent"], ["one", "absent", "i5 k3"]):
        ended = conformance(*arguments)
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "no_such_framework" in ended.err
        assert "install it" in ended.err
        assert "tox" not in ended.err  # it comes from outside, and has no environment


LIGHT = (
    ("--help",),
    ("call", "torch", "nn.ConvTranspose2d(8, 4, 3, stride=2)", "--claim"),
    ("sizes", "jax", "--input", "20", "--output", "40", "--kernel", "3", "--stride", "2"),
)
"""Commands that are answered at once, since nothing heavy is imported for them."""


def test_module_that_is_not_installed_is_one_line() -> None:
    program = "import sys; sys.modules['threadpoolctl'] = None; from conformance.cli import main; main()"
    command = [sys.executable, "-c", program, "diagnose", "records.jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"conformance: the module threadpoolctl is not installed for {sys.executable}: install it there with pip\n"
    )


@pytest.mark.parametrize("arguments", LIGHT, ids=lambda arguments: arguments[0])
def test_what_only_reads_text_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = (
        f"import sys; from conformance.cli import main; sys.argv = ['conformance', *{arguments}]\n"
        "try: main()\n"
        "except SystemExit as ended: print(ended.code, *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *imported = done.stdout.splitlines()[-1].split()
    assert status == "0"
    heavy = {"numpy", "torch", "tensorflow", "jax", "mxnet", "pytest", "jinja2", "msgspec", "importlib.metadata"}
    assert not heavy & set(imported)


@pytest.mark.parametrize("verb", [*VERBS, *BEFORE])
def test_every_verb_has_help(conformance: Command, verb: str) -> None:
    ended = conformance(verb, "--help")
    assert ended.status == 0
    assert ended.out.startswith(f"Usage: conformance {verb}") or f"{verb} [OPTIONS]" in ended.out


def test_program_ends_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", "from conformance.cli import main; main()", "one", "nothing", "i1 k1"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("conformance: there is no framework 'nothing'")


@pytest.mark.parametrize("suite", ["smoke", "curated"])
def test_lists_every_case_of_a_suite(conformance: Command, suite: str) -> None:
    ended = conformance("cases", "list", f"--suite={suite}")
    assert ended.status == 0
    assert [line.split(maxsplit=1) for line in ended.out.splitlines()] == [
        [case.id, case.descriptor] for case in read_suite(suite).cases
    ]


def test_lists_the_cases_of_a_kind(conformance: Command) -> None:
    ended = conformance("cases", "list", "--suite=smoke", "--where=rank == 3 and bias")
    ids = [case.id for case in read_suite("smoke").cases if case.problem.rank == 3 and case.problem.bias]
    assert [line.split()[0] for line in ended.out.splitlines()] == ids != []


def test_lists_cases_as_json(conformance: Command) -> None:
    ended = conformance("cases", "list", "--suite=curated", "--probes=dilation", "--json")
    listed = [json.loads(line) for line in ended.out.splitlines()]
    probing = [case for case in read_suite("curated").cases if "dilation" in case.probes]
    assert [(case["id"], case["problem"], case["why"], case["source"]) for case in listed] == [
        (case.id, case.descriptor, case.why, case.source) for case in probing
    ]
    assert 0 < len(listed) < len(read_suite("curated").cases)


def test_shows_a_case_with_its_arrays(conformance: Command) -> None:
    ended = conformance("cases", "show", "grid-i2-k2-s2-d1-p0-op0")
    assert ended.status == 0
    for text in ("grid.jsonl", "i2 k2 s2", "x (1, 1, 2)", "weight (1, 1, 2)", "expected (1, 1, 4)", "window ((0, 0),)"):
        assert text in ended.out


def test_shows_the_shape_of_a_large_array_only(conformance: Command) -> None:
    ended = conformance("cases", "show", "blocked-channels")
    assert "too large to print" in ended.out
    assert len(ended.out) < 3000


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_counts_every_suite(conformance: Command, suite: str) -> None:
    ended = conformance("cases", "count")
    counts = {line.split()[0]: int(line.split()[1].replace(",", "")) for line in ended.out.splitlines()}
    assert counts[suite] == len(read_suite(suite).cases)
    assert counts.keys() == SUITES.keys()


@pytest.fixture
def quick_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cases folder for two files that are generated at once."""
    monkeypatch.setattr(generate, "files", lambda told: {"a.jsonl": "a\n", "b.jsonl": "b\n"})
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    return tmp_path


def test_check_says_which_file_differs_and_writes_nothing(conformance: Command, quick_files: Path) -> None:
    (quick_files / "a.jsonl").write_text("a\n")
    ended = conformance("generate", "--check")
    assert ended.status == 1
    assert f"{quick_files / 'b.jsonl'}: is not what `conformance generate` writes" in ended.out
    assert "a.jsonl" not in ended.out
    assert [path.name for path in quick_files.iterdir()] == ["a.jsonl"]


def test_generate_writes_what_differs(conformance: Command, quick_files: Path) -> None:
    (quick_files / "a.jsonl").write_text("a\n")
    ended = conformance("generate")
    assert (ended.status, ended.out.splitlines()) == (
        0, [f"{quick_files / 'a.jsonl'}: unchanged", f"{quick_files / 'b.jsonl'}: written"]
    )  # fmt: skip
    assert (quick_files / "b.jsonl").read_text() == "b\n"
    assert conformance("generate", "--check").status == 0


def shards(folder: Path, count: int) -> list[Path]:
    paths = []
    for number in range(1, count + 1):
        records = RECORDS[number - 1 :: count]
        run = Run(replace(HEADER, shard=(number, count), expected=len(records)), records, True)
        paths.append(run.header.path(folder))
        write(paths[-1], run)
    return paths


def test_merge_writes_the_whole_run(conformance: Command, tmp_path: Path) -> None:
    ended = conformance("merge", *reversed(shards(tmp_path, 3)), "--to", tmp_path / "to")
    assert ended.status == 0
    assert "4 records, complete" in ended.out
    assert read(tmp_path / "to" / "torch-eager-smoke.jsonl") == RUN


def test_merge_without_a_shard_is_incomplete(conformance: Command, tmp_path: Path) -> None:
    ended = conformance("merge", *shards(tmp_path, 3)[1:], "--to", tmp_path / "to")
    assert ended.status == 3
    assert "incomplete" in ended.out
    assert not read(tmp_path / "to" / "torch-eager-smoke.jsonl").complete


def test_merge_without_a_shard_leaves_a_complete_file_as_it_is(conformance: Command, tmp_path: Path) -> None:
    path = tmp_path / "to" / "torch-eager-smoke.jsonl"
    assert conformance("merge", *shards(tmp_path, 3), "--to", tmp_path / "to").status == 0
    before = path.read_bytes()
    ended = conformance("merge", *shards(tmp_path, 3)[1:], "--to", tmp_path / "to")
    assert (ended.status, ended.err.count("\n"), path.read_bytes()) == (2, 1, before)
    assert f"{path}: is of a complete run" in ended.err


def test_merge_of_different_runs_is_one_line(conformance: Command, tmp_path: Path) -> None:
    first, second = shards(tmp_path, 2)
    other = read(second)
    write(second, replace(other, header=replace(other.header, oracle="p" * 16)))
    ended = conformance("merge", first, second, "--to", tmp_path / "to")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "shards differ in oracle" in ended.err
    assert "merge shards of one run only" in ended.err
    assert not (tmp_path / "to").exists()


def test_cases_folder_is_the_projects() -> None:
    assert (cases_folder() / "README.md").exists()


def test_a_command_without_its_verb_is_shown_the_verbs(conformance: Command) -> None:
    ended = conformance("cases")
    assert ended.status == 2
    assert "Commands:\n" in ended.err


@pytest.mark.slow
@pytest.mark.parametrize(("closing", "told"), [(">&-", True), ("<&-", True), ("2>&-", False)])
def test_a_closed_standard_stream_ends_no_verb_with_a_traceback(closing: str, told: bool) -> None:
    program = f"'{sys.executable}' -m conformance"
    answered, refused = (
        subprocess.run(
            ["sh", "-c", f"{program} {words} {closing}"], timeout=60, capture_output=True, text=True, check=False
        )
        for words in ("cases count", "cases show none")
    )
    assert (answered.returncode, answered.stderr) == (0, "")
    assert (refused.returncode, "Traceback" in refused.stderr, bool(refused.stderr)) == (2, False, told)


def test_what_the_encoding_of_the_output_lacks_is_an_escape() -> None:
    command = [sys.executable, "-m", "conformance", "call", "torch", "nn.ConvTranspose2d(8, 4, \u043a)", "--claim"]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, encoding="latin-1", env=environment, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "kernel_size is \\u043a" in done.stdout


def test_the_name_of_a_file_is_one_line(tmp_path: Path, conformance: Command) -> None:
    path = tmp_path / "a b\nc.py"
    path.write_text("nn.ConvTranspose2d(8, 4, 3)\nnn.ConvTranspose2d(n)\n", encoding="utf-8")
    lines = conformance("call", "torch", path).out.splitlines()
    assert [line for line in lines if line.startswith(f"{tmp_path}/a b\\nc.py:1: torch.nn.ConvTranspose2d(8, 4, 3)")]
    assert [line for line in lines if line.startswith(f"{tmp_path}/a b\\nc.py:2: not read: ")]
    assert not [line for line in lines if line.startswith("c.py")]
