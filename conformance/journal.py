"""Records on their way to a file: appended to disk as they come, written sorted and whole at the end.

Memory holds one key and one offset a record. A journal that is never closed leaves the last good file as it was.
"""

import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from conformance.atomic import write_atomically
from conformance.record import Header, Key, Record, RecordError, Verdict, dump

EPOCH = (1980, 1, 1, 0, 0, 0)  # zip members carry a time: a fixed one keeps equal runs equal


class Journal:
    """Collects one run's records, and the arrays of the diverging ones, in any order."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._temporary = tempfile.TemporaryDirectory(dir=folder, prefix=".journal-")
        self._lines = Path(self._temporary.name, "records").open("w+b")  # noqa: SIM115  # open until close
        self._arrays = zipfile.ZipFile(Path(self._temporary.name, "arrays"), "w", zipfile.ZIP_DEFLATED)
        self._offsets: dict[Key, int] = {}
        self.verdicts: Counter[Verdict] = Counter()

    def __len__(self) -> int:
        return len(self._offsets)

    def __contains__(self, key: object) -> bool:
        return key in self._offsets

    def add(self, record: Record, arrays: Mapping[str, bytes]) -> None:
        """Append a record, and its evidence as .npy by name. Raises RecordError for a second record of one key."""
        if record.key in self._offsets:
            raise RecordError(f"{' '.join(record.key)}: recorded a second time in one run: this is a bug, report it")
        self._offsets[record.key] = self._lines.tell()
        self._lines.write(record.to_json().encode() + b"\n")
        self.verdicts[record.verdict] += 1
        for name, npy in arrays.items():
            self._arrays.writestr(_member("/".join((*record.key, name)) + ".npy"), npy)

    def close(self, path: Path, header: Header, *, complete: bool) -> None:
        """Write the record file, and beside it the arrays as .npz where there are any; both sorted by key."""
        self._lines.flush()
        write_atomically(path, dump(header, self._sorted_lines(), self.verdicts, complete=complete))
        self._lines.close()
        self._arrays.close()
        evidence = path.with_suffix(".npz")
        if self._arrays.namelist():
            join_arrays([Path(str(self._arrays.filename))], evidence)
        else:
            evidence.unlink(missing_ok=True)
        self._temporary.cleanup()

    def _sorted_lines(self) -> Iterator[str]:
        for _, offset in sorted(self._offsets.items()):
            self._lines.seek(offset)
            yield self._lines.readline().decode().rstrip("\n")


def join_arrays(sources: Iterable[Path], target: Path) -> None:
    """Write the members of some .npz files as one, sorted, the same bytes for the same members."""
    with ExitStack() as stack:
        archives = [stack.enter_context(zipfile.ZipFile(source)) for source in sources]
        members = {name: archive for archive in archives for name in archive.namelist()}
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as joined:
            for name, archive in sorted(members.items()):
                joined.writestr(_member(name), archive.read(name))
    write_atomically(target, buffer.getvalue())


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member
