"""Steps of a graph of torch.export that compute a weight."""

from typing import Any

from conformance.scan.formats.pt2 import _step


def test_a_view_in_another_dtype_is_no_step_that_is_known() -> None:
    tensor: dict[str, Any] = {"name": "self", "arg": {"as_tensor": {"name": "w"}}}
    size: dict[str, Any] = {"name": "size", "arg": {"as_ints": [2, 3]}}
    dtype: dict[str, Any] = {"name": "dtype", "arg": {"as_scalar_type": 4}}
    assert _step({"target": "torch.ops.aten.view.default", "inputs": [tensor, size]}) is not None
    assert _step({"target": "torch.ops.aten.view.dtype", "inputs": [tensor, dtype]}) is None
