"""How frameworks say what stands around a call, in the dtypes that NumPy has and in bfloat16, which it has not."""

import pytest

from conformance import adapters, idioms

CASTING = [name for name in idioms.frameworks() if "bfloat16" in adapters.dtypes(name)]


@pytest.mark.parametrize("framework", CASTING)
def test_in_bfloat16_operands_are_cast_by_the_framework_and_answers_back(framework: str) -> None:
    plain, half = idioms.dialect(framework), idioms.dialect(framework, "bfloat16")
    assert plain.tensor.format("x") in half.tensor.format("x")
    assert "bfloat16" in half.tensor
    assert "float" in half.array.format("y").replace(plain.array.format("y"), "")
    assert plain == idioms.dialect(framework, "float16") == idioms.dialect(framework, "float64")


def test_a_script_of_pytorch_in_bfloat16() -> None:
    half = idioms.dialect("torch", "bfloat16")
    assert half.tensor.format("x") == "torch.from_numpy(x).bfloat16()"
    assert half.array.format("y") == "y.float().detach().numpy()"
