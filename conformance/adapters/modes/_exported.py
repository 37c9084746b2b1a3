"""A module of PyTorch exported to ONNX, and the model's answer by ONNX Runtime."""

import io
import warnings

import onnxruntime
import torch
from torch import Tensor


def answer(module: torch.nn.Module, operands: tuple[Tensor, ...], *, dynamo: bool) -> Tensor:
    """What ONNX Runtime answers for a module, by the exporter of `torch.export` or the one of TorchScript.

    Raises RuntimeError with its words where it refuses.
    """
    names = [f"operand{number}" for number in range(len(operands))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = io.BytesIO()
        made = torch.onnx.export(module, operands, None if dynamo else model, input_names=names, dynamo=dynamo,
                                 verbose=False)  # fmt: skip
        if made is not None:
            made.save(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.getvalue(), options, providers=["CPUExecutionProvider"])
        given = {each.name: operand.numpy() for each, operand in zip(session.get_inputs(), operands, strict=True)}
        (result,) = session.run(None, given)
    except Exception as error:  # its classes have no base of their own
        raise RuntimeError(f"ONNX Runtime: {error}") from error
    return torch.from_numpy(result)
