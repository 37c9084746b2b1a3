"""A keyed permutation of the numbers below a size, of which nothing is stored.

A Feistel network permutes the numbers below a power of 4; a number that it takes beyond the size is put through again
until it lands inside (cycle walking). Both directions take some microseconds, whatever the size.
"""

from hashlib import blake2b

ROUNDS = 4
_WORD = (1 << 64) - 1


class Permutation:
    """The permutation of the numbers below `size` that a key means."""

    __slots__ = ("_keys", "_mask", "_shift", "size")

    def __init__(self, key: str, size: int) -> None:
        self.size = size
        self._shift = max(1, ((size - 1).bit_length() + 1) // 2)
        self._mask = (1 << self._shift) - 1
        digest = blake2b(key.encode(), digest_size=8 * ROUNDS).digest()
        self._keys = tuple(int.from_bytes(digest[at : at + 8], "little") for at in range(0, 8 * ROUNDS, 8))

    def __getitem__(self, number: int) -> int:
        """Where a number goes. Raises IndexError for one that is not below the size."""
        number = self._inside(number)
        while True:
            left, right = number >> self._shift, number & self._mask
            for key in self._keys:
                left, right = right, left ^ (_mixed(right, key) & self._mask)
            number = left << self._shift | right
            if number < self.size:
                return number

    def index(self, number: int) -> int:
        """What goes to a number. Raises IndexError for one that is not below the size."""
        number = self._inside(number)
        while True:
            left, right = number >> self._shift, number & self._mask
            for key in reversed(self._keys):
                left, right = right ^ (_mixed(left, key) & self._mask), left
            number = left << self._shift | right
            if number < self.size:
                return number

    def _inside(self, number: int) -> int:
        if not 0 <= number < self.size:
            raise IndexError(f"{number} is not among {self.size} numbers")
        return number


def _mixed(number: int, key: int) -> int:
    """A number and a key as 64 bits that depend on every bit of both, and more than 64 bits of a number at once."""
    mixed = (number ^ number >> 64) + key & _WORD
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
    return mixed ^ mixed >> 31
