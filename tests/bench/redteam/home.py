"""A made-up home, and what is secret there."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from analysis.exporters.audit.vocabulary import WORDS

SYLLABLES = (
    *("va", "ke", "lin", "dor", "mu", "sha", "pri", "gol", "te", "bu", "rak", "no"),
    *("fi", "zel", "hu", "wen", "jo", "tras", "qui", "ber"),
)
Plants = Iterator[tuple[str, str, bytes, list[bytes]]]


class Home:
    """Makes up who lives there."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def name(self, n: int = 3) -> str:
        """Return a name; none that is a usual word, which nobody can tell from one."""
        while True:
            name = "".join(self.random.choices(SYLLABLES, k=n)).capitalize()
            if name.lower() not in WORDS:
                return name

    def digits(self, n: int) -> str:
        """Return a number that does not begin with zero."""
        return self.random.choice("3456789") + "".join(
            self.random.choices("0123456789", k=n - 1)
        )

    def token(self, n: int) -> str:
        """Return letters and digits."""
        letters = "abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789"
        return "7q" + "".join(self.random.choices(letters, k=n - 2))

    def public_ip(self) -> str:
        """Return an address of a home at its provider."""
        inner = (
            self.random.randint(130, 190),
            *self.random.choices(range(20, 250), k=2),
        )
        return ".".join(map(str, (84, *inner)))

    def mac(self) -> bytes:
        """Return a MAC of a vendor."""
        return bytes.fromhex("a4cf12") + self.random.randbytes(3)


@dataclass
class Plant:
    """One secret in one capture.

    needle  how it lies in the capture; by this it is looked for
    frames  (link, bytes) of packets
    """

    kind: str
    value: str
    needle: bytes
    frames: list[tuple[int, bytes]] = field(default_factory=list)
