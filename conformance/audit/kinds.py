"""Kinds of fault that implementations had and cases did not see, each with its smallest problem and a mutant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from conformance.audit import mutants
from conformance.audit.kills import CORE, kill_matrix
from conformance.audit.mutants import Mutant
from conformance.audit.mutants.integers import LIMITS
from conformance.problem import Problem
from conformance.records.record import NEGATIVE
from conformance.suites import cases
from conformance.suites.case import departure_of


@dataclass(frozen=True)
class Kind:
    """A kind of fault: where it is, the smallest problem that is there, and the name of a mutant."""

    group: str
    where: str
    smallest: str
    name: str

    @cached_property
    def mutant(self) -> Mutant:
        """The mutant of that name."""
        (chosen,) = (mutant for mutant in mutants.REGIONAL if mutant.name == self.name)
        return chosen

    @property
    def problem(self) -> Problem:
        """The smallest problem."""
        return Problem.parse(self.smallest)


def _popular() -> Iterator[Kind]:
    for where, smallest, name in (
        ("kernel 4, stride 2, padding 1 in 2-D", "i2x2 k4 s2 p1", "in 2-D for kernel 4, stride 2, padding 1"),
        ("the same with several channels", "i2x2 k4 s2 p1 ic2 oc2",
         "in 2-D for kernel 4, stride 2, padding 1, with several channels"),
        ("kernel 2, stride 2 with several channels in 2-D", "i1x1 k2 s2 ic2 oc2",
         "in 2-D for kernel 2, stride 2, padding 0, with several channels"),
        ("3x3 in groups", "i1x1 k3 g2", "for 3x3 kernels in groups"),
        ("7x7 and more", "i1x1 k7", "for square kernels of 7 and more"),
        ("4x4x4 with several channels", "i1x1x1 k4 ic2 oc2",
         "in 3-D for kernel 4, stride 1, padding 0, with several channels"),
        ("images of 16x16 and more at stride 1", "i16x16 k1", "for images of 16x16 and more at stride 1"),
        ("volumes of 8x8x8 and more", "i8x8x8 k1", "for volumes of 8x8x8 and more"),
    ):  # fmt: skip
        yield Kind("popular geometries", where, smallest, f"popular: first column lost only {name}")


def _blocks() -> Iterator[Kind]:
    for block in (4, 8, 16):
        for where, letters, count in (
            ("depthwise channels", "g{}", "depthwise channels"), ("groups of several channels", "g{} ic2", ""),
            ("out channels inside groups", "g2 oc{}", "out channels of each group"),
        ):  # fmt: skip
            yield Kind("blocks and tails", f"{where} beyond a block of {block}", f"i1 k1 {letters.format(block + 1)}",
                       f"blocks: {count or where} beyond the last whole block of {block} lost")  # fmt: skip
    for block in (256, 384, 512):
        yield Kind("blocks and tails", f"a sum begun anew after every {block} in channels", f"i1 k1 ic{block + 1}",
                   f"blocks: sums begun anew after every {block} in channels")  # fmt: skip
    yield Kind("blocks and tails", "positions beyond a block of 1,024", "i1025 k1",
               "blocks: input positions beyond the last whole block of 1024 lost in 1-D")  # fmt: skip


def _combinations() -> Iterator[Kind]:
    for many in (8, 16, 32):
        for company, before, after in (
            ("in one dimension", "i1 k1", ""), ("in a batch", "i1 k1", " n2"), ("with dilation", "i1 k2 d2", ""),
            ("in groups", "i1 k1 g2", ""),
        ):  # fmt: skip
            yield Kind("combinations of many channels", f"{many} and more in and out {company}, in TF32",
                       f"{before} ic{many} oc{many}{after}",
                       f"combinations: TF32 only for {many} and more channels in and out, {company}")  # fmt: skip


def _integers() -> Iterator[Kind]:
    for number, name, smallest, beyond, kinds in (
        ("input coordinate", "number of input coordinate", "i{} k1", 1, ("int8", "uint8", "int16", "uint16")),
        ("stride", "stride", "i2 k1 s{}", 0, ("int8", "uint8")),
        ("padding", "padding at the begin", "i{1} k1 p{0}:0", 0, ("int8", "uint8", "int16", "uint16")),
        ("tap", "number of tap", "i1 k{}", 1, ("int8", "uint8", "int16", "uint16")),
        ("group", "number of group", "i1 k1 g{}", 1, ("int8", "uint8")),
        ("in channel", "number of in channel", "i1 k1 ic{}", 1, ("int8", "uint8", "int16", "uint16")),
        ("out channel", "number of out channel", "i1 k1 oc{}", 1, ("int8", "uint8", "int16", "uint16")),
        ("plane of the input", "number of plane of the input", "i1 k1 n{}", 1, ("int8", "uint8", "int16", "uint16")),
    ):
        for kind in kinds:
            limit = LIMITS[kind] + beyond
            yield Kind("widths of integers", f"{number} in {kind}", smallest.format(limit, limit + 1),
                       f"integers: {name} in {kind}")  # fmt: skip


def _joint() -> Iterator[Kind]:
    for where, smallest, rank, region in (
        ("gcd(stride, dilation) > 1, neither divides the other", "i2 k2 s4 d6", 1,
         "stride and dilation with a common factor, neither of which divides the other"),
        ("stride 6 and more with dilation", "i2 k2 s6 d2", 1, "a stride of 6 and more with dilation"),
        ("negative pads in a batch", "i1 k1 p-1 n2", 1, "negative padding in a batch"),
        ("negative pads with output_padding", "i1 k1 s2 p-1 op1", 1, "negative padding with output_padding"),
        ("4 and more in a batch with bias", "i1 k1 n4 bias", 1, "4 and more in a batch with a bias"),
        ("8 and more in a batch", "i1 k1 n8", 1, "8 and more in a batch"),
        ("4 and more groups in a batch", "i1 k1 g4 n2", 1, "4 and more groups in a batch"),
        ("3-D strides of 8 and more", "i2x1x1 k1 s8x1x1", 3, "a stride of 8 and more"),
    ):  # fmt: skip
        yield Kind("joint levels", where, smallest, f"joint: one late only in {rank}-D for {region}")


def _operands() -> Iterator[Kind]:
    for bits in (20, 21, 22, 23):
        yield Kind("operands", f"sums kept in {bits} bits", "i1 k1", f"ranges: sums kept in {bits} bits")
        yield Kind("operands", f"sums saturated at 2**{bits}", "i1 k1", f"ranges: sums saturated at 2**{bits}")
    for operand in ("x", "bias"):
        for narrow in ("rounded to bfloat16", "rounded to 4 bits", "saturated in int8"):
            yield Kind("operands", f"{operand} {narrow}", "i1 k1" + " bias" * (operand == "bias"),
                       f"ranges: {operand} {narrow}")  # fmt: skip
    yield Kind("operands", "weight saturated in int16", "i1 k1", "ranges: weight saturated in int16")


KINDS: Sequence[Kind] = (*_popular(), *_blocks(), *_combinations(), *_integers(), *_joint(), *_operands())
"""Every kind that cases did not see once, and the smallest problem on which it shows."""
HEAD = ("| kind | where | smallest problem | suite | cases |", "|---|---|---|---|---|")


def table() -> Iterator[str]:
    """How many cases tell each kind, as the lines of a table in Markdown."""
    kills = kill_matrix(cases.read_suite(CORE), [kind.mutant for kind in KINDS]).kills
    yield from HEAD
    for kind, count in zip(KINDS, kills.sum(axis=1).tolist(), strict=True):
        yield f"| {kind.group} | {kind.where} | `{kind.smallest}` | `{CORE}` | {count:,} |"
    yield from _elsewhere()


def _elsewhere() -> Iterator[str]:
    """The kinds that end processes of frameworks, with the number of cases that have them, in suites of their own."""
    steps = [
        case for case in cases.read_suite("extreme").cases
        if max(*case.problem.stride, *case.problem.dilation) > 1 << 15 and max(case.problem.output) < 1 << 10
    ]  # fmt: skip
    pairs = [case for case in cases.read_suite(NEGATIVE).cases if " " in departure_of(case).fault]
    yield ("| huge steps, small window | a stride or dilation past 15 bits, of which little is left | "
           f"`i2x2 k1 s65536 p65536` | `extreme` | {len(steps)} |")  # fmt: skip
    yield ("| pairs of faults | two things wrong in one call | a weight without axes and an `output_shape` of another "
           f"length | `{NEGATIVE}` | {len(pairs)} |")  # fmt: skip
