"""The networks that the texts build in PyTorch, trained and run for real: each fact yields whether it holds.

Everything is seeded and small. What is asserted is what the texts say, never a loss that was copied from a run: every
CPU draws and rounds in its own way.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # as its users call it
from torch import nn

Facts = Iterator[bool]

STEPS, BATCH, RATE = 600, 100, 0.001
"""One epoch of MNIST, of the five that the text has: the claim holds after it, and the lane stays fast."""

SEEDS = 2

HALF = float(np.finfo(np.float64).eps ** 0.5)
"""Half of a double's digits. Rounding takes a few of the last in some steps; another function leaves none alike."""


@contextmanager
def any_order() -> Iterator[None]:
    """Allow what PyTorch has no deterministic form of, such as unpooling, where no element is written twice."""
    torch.set_deterministic_debug_mode("default")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode("error")


class Autoencoder(nn.Module):
    """Conv -> MaxPool -> MaxUnpool -> transposed Conv, one channel throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 3)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        self.transposed = nn.ConvTranspose2d(1, 1, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The reconstruction of x (n, 1, h, w)."""
        return self.steps(x)[-1]

    def steps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """x and what each layer makes of it."""
        convolved = self.convolution(x)
        pooled, places = self.pool(convolved)
        with any_order():
            unpooled = self.unpool(pooled, places, output_size=convolved.size())
        return [x, convolved, pooled, unpooled, self.transposed(unpooled)]


class Trained(NamedTuple):
    """A training run: the mean loss of its first and of its last steps, and both kernels."""

    first: float
    last: float
    kernels: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@cache
def digits() -> torch.Tensor:
    """scikit-learn's 1797 scanned digits, 8 x 8, enlarged to 20 x 20 in a border of 4: (n, 1, 28, 28), 0 to 1."""
    package = find_spec("sklearn")  # whose own reader imports SciPy first, for seconds
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    rows = np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", np.float32, delimiter=",")
    scanned = torch.from_numpy(rows[:, :-1].reshape(-1, 8, 8) / 16)[:, None]
    enlarged = F.interpolate(scanned, size=(20, 20), mode="bilinear")
    return F.pad(enlarged, (4, 4, 4, 4))


@cache
def trained(seed: int) -> Trained:
    """The autoencoder after its training: mean squared error, Adam."""
    data = digits()
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    losses = []
    plain = torch.backends.mkldnn.flags(enabled=False)  # four times as fast with one channel
    with torch.enable_grad(), warnings.catch_warnings(action="ignore"), plain:
        model = Autoencoder()
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(STEPS):
            x = data[torch.randint(len(data), (BATCH,), generator=order)]
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), x)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    kernels = (model.convolution.weight, model.transposed.weight)
    return Trained(losses[0], float(np.mean(losses[-50:])), tuple(kernel.detach().numpy()[0, 0] for kernel in kernels))


def autoencoder_sizes() -> Facts:
    """28 - 26 - 13 - 26 - 28, with 20 parameters."""
    model = Autoencoder()
    yield [step.shape[2] for step in model.steps(torch.zeros(2, 1, 28, 28))] == [28, 26, 13, 26, 28]
    yield sum(parameter.numel() for parameter in model.parameters()) == 20


def autoencoder_learns() -> Facts:
    """For every seed the loss ends below its beginning, and below that of an all-zero answer."""
    nothing = float((digits() ** 2).mean())
    for seed in range(SEEDS):
        run = trained(seed)
        yield run.last < run.first and run.last < nothing


def kernels_differ(like: float = 0.99) -> Facts:
    """For every seed the transposed kernel is no multiple of the other: as it is, transposed, reversed, or both."""
    for seed in range(SEEDS):
        one, other = trained(seed).kernels
        for kernel in (one, one.T, one[::-1, ::-1], one[::-1, ::-1].T):
            cosine = float(np.sum(kernel * other) / (np.linalg.norm(kernel) * np.linalg.norm(other)))
            yield abs(cosine) < like


def unpooled() -> Facts:
    """Unpooling puts the maxima back where they stood, among zeros: the size returns, the values do not."""
    x = torch.tensor(np.random.default_rng(5).permutation(16).reshape(1, 1, 4, 4).astype(np.float32))
    pooled, places = F.max_pool2d(x, 2, return_indices=True)
    with any_order():
        back = F.max_unpool2d(pooled, places, 2)
    yield back.shape == x.shape and not torch.equal(back, x)
    yield torch.equal(back[back != 0], x[back != 0]) and set(back[back != 0].tolist()) == set(pooled.flatten().tolist())
    yield int((back == 0).sum()) == 12


def unpooled_odd(size: bool) -> Facts:
    """Pooling drops an odd last row; only with output_size does the extent return."""
    x = torch.arange(25.0).reshape(1, 1, 5, 5)
    pooled, places = F.max_pool2d(x, 2, return_indices=True)
    try:
        with any_order():
            back = F.max_unpool2d(pooled, places, 2, output_size=(5, 5) if size else None)
    except RuntimeError:
        yield False
    else:
        yield back.shape == x.shape


class DenseBlock(nn.Module):
    """Five 3x3 layers of 32 channels, each on the concatenated answers of those before it, transposed or ordinary."""

    def __init__(self, channels: int, layer: Callable[..., nn.Module] = nn.ConvTranspose2d) -> None:
        super().__init__()
        self.normal = nn.BatchNorm2d(channels)
        widths = (channels, 32, 64, 96, 128)
        self.layers = nn.ModuleList(layer(width, 32, 3, stride=1, padding=1) for width in widths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (n, channels, h, w) to (n, 160, h, w)."""
        x = self.normal(x)
        seen: list[torch.Tensor] = []
        for layer in self.layers:
            seen.append(F.leaky_relu(layer(torch.cat(seen, 1) if seen else x)))
        return torch.cat(seen, 1)


class Transition(nn.Module):
    """A 1x1 transposed convolution, normalization of `normalized` channels, and average pooling by two."""

    def __init__(
        self, channels: int, out: int, normalized: int, layer: Callable[..., nn.Module] = nn.ConvTranspose2d
    ) -> None:
        super().__init__()
        self.layer = layer(channels, out, 1, bias=False)
        self.normal = nn.BatchNorm2d(normalized)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (n, channels, h, w) to (n, out, h // 2, w // 2)."""
        return F.avg_pool2d(self.normal(F.leaky_relu(self.layer(x))), 2)


def dense_block(channels: int, extent: int) -> Facts:
    """Height and width stay."""
    y = DenseBlock(channels)(torch.zeros(2, channels, extent, extent))
    yield y.shape == (2, 160, extent, extent)


def dense_block_grows(channels: int) -> Facts:
    """More channels come out than went in."""
    yield DenseBlock(channels)(torch.zeros(2, channels, 8, 8)).shape[1] > channels


def dense_block_weights() -> Facts:
    """The layers' weights, and their number."""
    shapes = [tuple(layer.weight.shape) for layer in DenseBlock(64).layers]
    yield shapes == [(64, 32, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3), (96, 32, 3, 3), (128, 32, 3, 3)]
    yield sum(parameter.numel() for parameter in DenseBlock(64).parameters()) == 110_880


def transition(channels: int, out: int, normalized: int, extent: int = 32) -> Facts:
    """The layer works, and halves height and width."""
    try:
        y = Transition(channels, out, normalized)(torch.ones(2, channels, extent, extent))
    except RuntimeError:
        yield False
    else:
        yield y.shape == (2, out, extent // 2, extent // 2)


def reduced_by_pooling_only() -> Facts:
    """The 1x1 layer keeps the extent, pooling halves it."""
    layer = Transition(160, 160, 160)
    x = torch.ones(2, 160, 32, 32)
    yield layer.layer(x).shape == x.shape
    yield layer(x).shape == (2, 160, 16, 16)


class Classifier(nn.Module):
    """A dense block, a transition and a linear layer: small, but all that the network has."""

    def __init__(self, layer: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.block = DenseBlock(3, layer)
        self.transition = Transition(160, 160, 160, layer)
        self.linear = nn.Linear(160, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of ten classes for x (n, 3, h, w)."""
        return self.linear(self.transition(self.block(x)).mean((2, 3)))

    @property
    def convolutions(self) -> list[Any]:
        """The layers that are transposed in one network and ordinary in the other."""
        return [*self.block.layers, self.transition.layer]


def twins_learn_alike(steps: int = 12) -> Facts:
    """From turned weights, both networks have the same losses at every step, to half of the digits, and they fall."""
    torch.manual_seed(1)
    x, labels = torch.randn(16, 3, 8, 8, dtype=torch.float64), torch.randint(10, (16,))
    with torch.enable_grad():
        one, other = Classifier(nn.ConvTranspose2d).double(), Classifier(nn.Conv2d).double()
        turned = {
            name: value.flip(2, 3).transpose(0, 1) if value.ndim == 4 else value
            for name, value in one.state_dict().items()
        }
        other.load_state_dict(turned)
        losses = [_losses(model, x, labels, steps) for model in (one, other)]
    yield bool(np.allclose(losses[0], losses[1], rtol=HALF, atol=0))
    yield losses[0][-1] < losses[0][0]
    yield all(map(_alike, one.convolutions, other.convolutions))


def _losses(model: nn.Module, x: torch.Tensor, labels: torch.Tensor, steps: int) -> list[float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    layers = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        layers.append(loss.item())
    return layers


def _alike(one: Any, other: Any) -> bool:
    turned = one.weight.detach().flip(2, 3).transpose(0, 1)
    return bool(torch.allclose(turned, other.weight.detach(), rtol=0, atol=HALF * float(turned.abs().max())))


def pointwise() -> Facts:
    """A 1x1 transposed convolution is a 1x1 convolution with its channel axes swapped."""
    x = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    weight = torch.arange(1, 19.0).reshape(3, 6, 1, 1)
    yield torch.equal(F.conv_transpose2d(x, weight), F.conv2d(x, weight.transpose(0, 1)))


FACTS: Mapping[str, Callable[..., Facts]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        autoencoder_sizes, autoencoder_learns, kernels_differ, unpooled, unpooled_odd, dense_block, dense_block_grows,
        dense_block_weights, transition, reduced_by_pooling_only, twins_learn_alike, pointwise,
    )
}  # fmt: skip
"""What can be asked of the networks."""
