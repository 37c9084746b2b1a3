"""A predicate that tells some cases from others, with its counts, and how far these carry it."""

import re
from dataclasses import dataclass

ENOUGH = 10
"""Problems inside, and outside, from which on a predicate says where something is, and as many more for each comparison
that it has, and for each chance word: of fewer, many predicates are exact."""

MATTER = 10 * ENOUGH
"""Problems of which no predicate asks for more."""
NEAR, HOPELESS = 1 / 2, 1 / 4
"""The share of what is covered rightly from which on a predicate says about where something is; and that below which
no longer predicate is looked for."""


_CHANCE = re.compile(r"\b(?:output|effective_kernel)\b|!= -?\d")
"""What a case has by chance rather than by its arguments: a size that follows from several, and all values but one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A predicate, with how many of a set it covers, and how many of the others by mistake.

    `problems` is how many different problems there are inside, or outside, where there are fewer, as far as it matters;
    a problem that was run in several dtypes is one. Where it is 0, each case has a problem of its own.
    """

    predicate: str
    covered: int
    of: int
    wrong: int
    outside: int
    problems: int = 0

    @property
    def exact(self) -> bool:
        return self.covered == self.of and self.wrong == 0

    @property
    def is_of_enough(self) -> bool:
        """Whether there are enough cases to say where: a predicate that tells few apart is found by chance."""
        return self._told >= ENOUGH

    @property
    def is_carried(self) -> bool:
        """Whether there are enough cases for every comparison and every chance word of the predicate."""
        return self._told >= ENOUGH * weight(self.predicate)

    @property
    def _told(self) -> int:
        return self.problems or min(self.of, self.outside)

    @property
    def nearness(self) -> float:
        """The share that is covered rightly of all that is covered or is to be: 1 for what is exact, 0 for no hit."""
        return self.covered / (self.of + self.wrong)

    @property
    def sentence(self) -> str:
        """Where it is, as far as the cases can say."""
        if not self.is_of_enough:
            return f"in all {self.of:,} seen; too few to say where"
        if self.nearness < NEAR:
            return f"no predicate that was tried says where; the nearest is {self.predicate}"
        few = "" if self.is_carried else f", as far as {self._told} problems tell"
        return f"{'exactly' if self.exact else 'about'} where {self.predicate}{few}"

    @property
    def coverage(self) -> str:
        """The counts in words."""
        return f"covers {self.covered:,} of {self.of:,}, and {self.wrong:,} of the {self.outside:,} conforming"

    def __str__(self) -> str:
        return f"{self.sentence}: {self.coverage}" if self.is_of_enough else self.sentence


def simplicity(text: str) -> tuple[int, int, int, str]:
    """Few comparisons first, then those in words of the arguments, then short ones."""
    return 1 + text.count(" and ") + text.count(" or "), chance(text), len(text), text


def weight(text: str) -> int:
    """How many comparisons and chance words a predicate has."""
    return sum(simplicity(text)[:2])


def chance(text: str) -> int:
    """How many chance words a predicate has: such as `output`, which holds where several arguments meet."""
    return len(_CHANCE.findall(text))
