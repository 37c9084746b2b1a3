"""What can be said of a file of TorchScript without PyTorch: whether it has code at all, and what its code does."""

import re
import zipfile
from pathlib import Path

from conformance.adapters.models.base import RefusedError
from conformance.io.bounded import LARGEST_TEXT, open_regular

_UNSAFE = re.compile(
    r"\bops\.(?!prim\b|aten\b)\w+|\b(?:torch|aten)\.(?:save|from_file|load)\b|\bimport\b(?! __torch__)"
)


def require_script(path: Path) -> None:
    """Raises RefusedError for a file that is no TorchScript, or whose code does more than compute."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            code = [member for member in members if "/code/" in member.filename and member.filename.endswith(".py")]
            if not code:
                raise RefusedError("holds weights, or a pickle that would be run as it is loaded, and no graph: give "
                                   "package.module:factory, or export the module by torch.export.save")  # fmt: skip
            if sum(member.file_size for member in code) > LARGEST_TEXT:
                raise RefusedError("holds too much code: give a smaller model")
            for member in code:
                if found := _UNSAFE.search(archive.read(member).decode("utf-8", "replace")):
                    raise RefusedError(f"has code with {found[0]!r}, which is not run: export the module by "
                                       "torch.export.save")  # fmt: skip
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        if isinstance(error, RefusedError):
            raise
        raise RefusedError("is a pickle, which would be run as it is loaded, or no whole file: give "
                           "package.module:factory, or export the module by torch.export.save") from None  # fmt: skip
