"""Tensors of the files that people have are read as they are, within bounds, and nothing in them is run.

The files in `torch_files/` were written by PyTorch 2.13: one tensor, a checkpoint, and what is refused.
"""

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy
from safetensors.numpy import save_file

from conformance.io.bounded import BoundError
from conformance.io.tensor_files import SAFETENSORS, read_tensor

TORCH = Path(__file__).with_name("torch_files")
Y = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def refused(text: Path | str) -> str:
    with pytest.raises(BoundError) as error:
        read_tensor(str(text))
    return str(error.value)


class TestNumPy:
    def test_an_array_is_read(self, tmp_path: Path) -> None:
        np.save(tmp_path / "y.npy", Y)
        array, held = read_tensor(str(tmp_path / "y.npy"))
        np.testing.assert_array_equal(array, Y)
        assert (array.dtype.name, held) == ("float32", "")

    def test_a_member_of_an_archive_is_read_by_name(self, tmp_path: Path) -> None:
        np.savez_compressed(tmp_path / "a:b.npz", y=Y, x=Y + 1)
        np.testing.assert_array_equal(read_tensor(f"{tmp_path / 'a:b.npz'}:x").array, Y + 1)
        message = refused(tmp_path / "a:b.npz")
        assert message.endswith("a:b.npz: holds 2 tensors, y, x: name one behind the path, as in file:y")
        assert "holds no 'xx', the nearest is 'x'" in refused(f"{tmp_path / 'a:b.npz'}:xx")
        assert "holds no 'kernel', but y, x: name one behind the path" in refused(f"{tmp_path / 'a:b.npz'}:kernel")
        np.savez(tmp_path / "z.npz", y=Y, z=Y.astype(complex))
        assert refused(f"{tmp_path / 'z.npz'}:z").startswith(f"{tmp_path / 'z.npz'}:z: is an array of complex128")

    def test_the_only_member_needs_no_name(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "y.npz", y=Y)
        np.testing.assert_array_equal(read_tensor(str(tmp_path / "y.npz")).array, Y)
        with zipfile.ZipFile(tmp_path / "y.npz", "a") as archive:
            archive.writestr("notes.txt", b"of somebody")  # no array
        np.testing.assert_array_equal(read_tensor(str(tmp_path / "y.npz")).array, Y)
        np.save(tmp_path / "y.npy", Y)
        assert "holds one tensor without a name, and 'y' is asked for" in refused(f"{tmp_path / 'y.npy'}:y")

    @pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile's, of what is written here on purpose
    def test_two_members_of_one_name_are_refused(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "y.npz", y=Y)
        with zipfile.ZipFile(tmp_path / "y.npz", "a") as archive:
            archive.writestr("y.npy", b"another")
        assert refused(tmp_path / "y.npz").endswith(
            "y.npz: has 'y.npy' more than once: save each array under a name of its own"
        )

    def test_an_archive_of_a_user_is_not_said_to_be_of_a_lane(self, tmp_path: Path) -> None:
        (tmp_path / "y.npz").write_bytes(b"garbage")
        assert refused(tmp_path / "y.npz").endswith("is not an archive of arrays: save them with numpy.savez")
        np.savez(tmp_path / "z.npz", y=Y)
        content = bytearray((tmp_path / "z.npz").read_bytes())
        content[content.index(b"NUMPY") + 1] ^= 1  # the checksum no longer fits
        (tmp_path / "z.npz").write_bytes(content)
        assert refused(tmp_path / "z.npz").endswith(
            "y.npy cannot be unpacked, damaged or encrypted: save the file again"
        )

    @pytest.mark.parametrize(
        ("shape", "message"),
        [
            ((1,) * 64, "of 64 axes, and at most 32 are read: save it with fewer"),
            ((3,), "claims shape (3,), which takes 12 bytes, and has 24: save it again with numpy.save"),
            ((-1,), "claims shape (-1,), which no array has: save it again"),
        ],
    )
    def test_a_header_that_does_not_fit_says_what_differs(
        self, shape: tuple[int, ...], message: str, tmp_path: Path
    ) -> None:
        with (tmp_path / "y.npy").open("wb") as file:
            npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            file.write(Y.tobytes())
        assert message in refused(tmp_path / "y.npy")

    def test_bfloat16_is_widened(self, tmp_path: Path) -> None:
        bits = np.array([0x3F80, 0xC040, 0x7F80, 0x0001], np.uint16)
        np.save(tmp_path / "y.npy", bits.view("V2"))  # as it is saved where NumPy does not know it
        array, held = read_tensor(str(tmp_path / "y.npy"))
        assert held == "bfloat16"
        assert array.tolist() == [1.0, -3.0, np.inf, 2.0**-133]

    def test_objects_are_not_unpickled(self, tmp_path: Path) -> None:
        np.save(tmp_path / "y.npy", np.array([Running(tmp_path)], object), allow_pickle=True)
        assert "is an array of object, not of real numbers" in refused(tmp_path / "y.npy")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("dtype", ["U3", "M8[s]", "?", "c8", "V3", [("a", "f4")]])
    def test_what_is_no_number_is_refused(self, dtype: Any, tmp_path: Path) -> None:
        np.save(tmp_path / "y.npy", np.zeros(2, dtype))
        assert "not of real numbers" in refused(tmp_path / "y.npy")


class Running:
    """What runs a command where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.folder / 'ran'}",)


class TestTorch:
    def test_a_tensor_is_read(self) -> None:
        array, held = read_tensor(str(TORCH / "tensor.pt"))
        np.testing.assert_array_equal(array, Y)
        assert (array.dtype.name, held) == ("float32", "")

    @pytest.mark.parametrize(
        ("name", "expected", "dtype"),
        [
            ("model.weight", np.arange(12.0).reshape(2, 3, 2), "float32"),
            ("model.bias", [1, 2, 3], "float32"),
            ("parameter", [1, 2, 3], "float32"),
            ("half", Y, "float16"),
            ("int8", Y, "int8"),
            ("view", Y.T, "float32"),
            ("part", [[4, 5]], "float32"),
            ("none", Y[:0], "float32"),
        ],
    )
    def test_a_tensor_of_a_checkpoint_is_read_by_name(self, name: str, expected: Any, dtype: str) -> None:
        array, _ = read_tensor(f"{TORCH / 'checkpoint.pt'}:{name}")
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == dtype

    def test_bfloat16_is_widened(self) -> None:
        array, held = read_tensor(f"{TORCH / 'checkpoint.pt'}:bf")
        assert held == "bfloat16"
        np.testing.assert_allclose(array, Y / 3, rtol=2.0**-8)
        assert not (array.view(np.uint32) & 0xFFFF).any()

    @pytest.mark.parametrize(
        ("file", "message"),
        [
            ("module.pt", "names torch.nn.modules.conv.ConvTranspose1d, and nothing but plain tensors is read"),
            ("script.pt", "is a TorchScript program: save the tensor alone"),
            ("legacy.pt", "is not a zip archive of torch.save: save it with torch.save of PyTorch 1.6 or later"),
            (
                "sparse.pt",
                "names torch._utils._rebuild_sparse_tensor, and nothing but plain tensors is read: save y.to_dense()",
            ),
            (
                "quantised.pt",
                "names torch._utils._rebuild_qtensor, and nothing but plain tensors is read: save y.int_repr() for",
            ),
            ("expanded.pt", "holds a tensor of 1000000 numbers in a storage of 1: save y.contiguous()"),
            ("checkpoint.pt", "holds 9 tensors, model.weight, model.bias, bf, "),
        ],
    )
    def test_everything_else_is_refused_by_name(self, file: str, message: str) -> None:
        assert message in refused(TORCH / file)

    def archive(self, path: Path, layout: bytes, storages: dict[str, bytes] | None = None) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("y/data.pkl", layout)
            for key, content in (storages or {}).items():
                archive.writestr(f"y/data/{key}", content)
        return path

    def test_nothing_is_run(self, tmp_path: Path) -> None:
        for protocol in (0, 1, 2, 4):
            path = self.archive(tmp_path / "y.pt", pickle.dumps(Running(tmp_path), protocol))
            assert re_named(refused(path))
        assert not (tmp_path / "ran").exists()

    def test_a_tensor_that_reaches_beyond_its_storage_is_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(TORCH / "tensor.pt") as archive:
            layout = archive.read("tensor/data.pkl")
        path = self.archive(tmp_path / "y.pt", layout, {"0": bytes(20)})
        assert "holds a tensor of 6 numbers in a storage of 5" in refused(path)
        spread = layout.replace(b"K\x03K\x01", b"K\x04K\x01")  # a stride of 4 for rows of 3
        assert spread != layout
        path = self.archive(tmp_path / "w.pt", spread, {"0": bytes(24)})
        assert "holds a tensor whose last number is number 7 of a storage of 6: save it again" in refused(path)
        path = self.archive(tmp_path / "z.pt", layout)
        assert "lacks the storage 0: save the tensor again" in refused(path)

    @pytest.mark.parametrize(
        "layout",
        [b"", b"\x80\x02.", b"\x80\x02}", b"garbage", pickle.dumps([[]] * 3)[:-1], b"\x80\x02Nr\xff\xff\xff\x7f."],
    )
    def test_damage_is_told_in_a_line(self, layout: bytes, tmp_path: Path) -> None:
        message = refused(self.archive(tmp_path / "y.pt", layout))
        assert "\n" not in message
        assert "y.pt: " in message

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_two_of_one_name_are_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(TORCH / "tensor.pt") as archive:
            layout = archive.read("tensor/data.pkl")
        path = self.archive(tmp_path / "y.pt", layout, {"0": bytes(24)})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("y/data/0", bytes(24))
        assert "y.pt: has 'y/data/0' more than once: " in refused(path)
        path = self.archive(tmp_path / "z.pt", layout, {"0": bytes(24)})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("z/data.pkl", layout)
        assert "z.pt: has both y/data.pkl and z/data.pkl: save one of them alone" in refused(path)
        both = pickle.dumps({1: None, "1": None}, 2).replace(b"N", layout[2:-1])
        path = self.archive(tmp_path / "w.pt", both, {"0": bytes(24)})
        assert "w.pt: has two tensors that are called '1': save each under a name of its own" in refused(path)

    def test_dicts_that_hold_themselves_end(self, tmp_path: Path) -> None:
        endless: dict[str, Any] = {}
        endless["a"] = endless
        assert "holds no tensor" in refused(self.archive(tmp_path / "y.pt", pickle.dumps(endless, 2)))


def re_named(message: str) -> bool:
    return "system" in message or "which plain tensors have not" in message


class TestSafetensors:
    def test_every_type_of_numbers_is_read(self, tmp_path: Path) -> None:
        for name, dtype in SAFETENSORS.items():
            if dtype != "bfloat16":
                save_file({"y": Y.astype(dtype)}, tmp_path / "y.safetensors")
                array, held = read_tensor(str(tmp_path / "y.safetensors"))
                np.testing.assert_array_equal(array, Y)
                assert (array.dtype, held) == (np.dtype(dtype), ""), name

    def test_a_tensor_is_read_by_name(self, tmp_path: Path) -> None:
        save_file({"up.weight": Y, "up.bias": Y[0]}, tmp_path / "model.safetensors")
        np.testing.assert_array_equal(read_tensor(f"{tmp_path / 'model.safetensors'}:up.bias").array, Y[0])
        assert "holds 2 tensors, up.bias, up.weight" in refused(tmp_path / "model.safetensors")

    def raw(self, path: Path, header: dict[str, Any], content: bytes) -> Path:
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content)
        return path

    def test_bfloat16_is_widened(self, tmp_path: Path) -> None:
        header = {"y": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
        array, held = read_tensor(str(self.raw(tmp_path / "y.safetensors", header, b"\x80\x3f\x40\xc0")))
        assert (array.tolist(), held) == ([1.0, -3.0], "bfloat16")

    @pytest.mark.parametrize(
        ("dtype", "end", "message"),
        [
            ("F32", 400, "is not a file of safetensors"),
            ("BOOL", 4, "holds a tensor of BOOL: save it in one of F64"),
        ],
    )
    def test_what_is_none_is_refused(self, dtype: str, end: int, message: str, tmp_path: Path) -> None:
        header = {"y": {"dtype": dtype, "shape": [end // 4 if dtype == "F32" else 4], "data_offsets": [0, end]}}
        assert message in refused(self.raw(tmp_path / "y.safetensors", header, bytes(4)))
        (tmp_path / "z.safetensors").write_bytes(b"garbage")
        assert "is not a file of safetensors" in refused(tmp_path / "z.safetensors")


def test_other_files_are_refused_with_those_that_are_read() -> None:
    assert refused("") == "'' names no file: give one, such as y.npy"
    assert refused("y.csv") == (
        "y.csv: is none of the files that are read, .npy, .npz, .pt, .pth, .safetensors: "
        "save the array with numpy.save, "
        "or name the file so"
    )


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".safetensors"])
def test_a_file_without_end_is_not_read(suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"y{suffix}")
    with pytest.raises(OSError, match="is a pipe, not a regular file"):
        read_tensor(str(tmp_path / f"y{suffix}"))
    with (tmp_path / f"z{suffix}").open("wb") as file:
        file.truncate((1 << 30) + 1)
    assert f"z{suffix}: " in refused(tmp_path / f"z{suffix}")
