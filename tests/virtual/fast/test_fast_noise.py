"""What stands for ciphertext."""

import numpy as np

from testbed.virtual.fast.tls import Noise


def test_ciphertext_never_comes_twice_and_is_the_same_under_one_seed():
    one, other = (Noise(np.random.default_rng(4)) for _ in range(2))
    told = [one.take(1350) for _ in range(2000)]
    assert len({each[:16] for each in told}) == len(told)
    assert told == [other.take(1350) for _ in range(2000)]
    assert len(one.take(3 << 20)) == 3 << 20


def test_who_lent_the_generator_draws_as_if_nothing_was_made_anew():
    lent, alone = np.random.default_rng(4), np.random.default_rng(4)
    noise = Noise(lent)
    Noise(alone)
    noise.take(5 << 20)
    assert lent.integers(1 << 30) == alone.integers(1 << 30)
