"""Crypto-PAn: addresses under a key, such that common prefixes stay common.

J. Xu, J. Fan, M. Ammar, S. Moon: Prefix-Preserving IP Address Anonymization. ICNP 2002.
Bit i of the result is bit i of the address, flipped by one bit of AES over the i bits
before it. So the map is one to one, and two addresses share as long a prefix as before.
"""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Uint8 = NDArray[np.uint8]

KEY_B = 32  # half of it is the key of AES, half makes the pad
_BLOCK_B = 16
_AT_ONCE = 512  # addresses: of 128 bits each, they take one MiB of blocks


class CryptoPan:
    """The map of one key.

    key  32 bytes. Raises ValueError for others.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_B:
            raise ValueError(f"the key must have {KEY_B} bytes, got {len(key)}")
        # one block at a time is what the paper asks of the cipher
        self._cipher = Cipher(algorithms.AES(key[:16]), modes.ECB())  # noqa: S305
        self._pad = self._encrypt(np.frombuffer(key[16:], dtype=np.uint8))

    def map(self, addresses: Uint8) -> Uint8:
        """Return the addresses under the key, (n, 4) or (n, 16) uint8, as they came."""
        parts = [
            self._map(addresses[first : first + _AT_ONCE])
            for first in range(0, len(addresses), _AT_ONCE)
        ]
        return np.concatenate(parts) if parts else addresses.copy()

    def one(self, address: bytes) -> bytes:
        """Return one address of any whole number of bytes up to 16."""
        row = np.frombuffer(address, dtype=np.uint8)[None]
        return self._map(row).tobytes()

    def _map(self, addresses: Uint8) -> Uint8:
        n, size_b = addresses.shape
        bits = 8 * size_b
        # block i holds the first i bits of the address, and of the pad behind them
        masks = np.tri(bits, 8 * _BLOCK_B, -1, dtype=np.uint8)
        keep = np.packbits(masks, axis=1)
        padded = np.zeros((n, _BLOCK_B), dtype=np.uint8)
        padded[:, :size_b] = addresses
        blocks = (padded[:, None, :] & keep) | (self._pad & ~keep)
        first = self._encrypt(blocks).reshape(n, bits, _BLOCK_B)[:, :, 0]
        flips: Uint8 = np.packbits(first >> 7, axis=1)
        return addresses ^ flips

    def _encrypt(self, blocks: Uint8) -> Uint8:
        encryptor = self._cipher.encryptor()
        return np.frombuffer(encryptor.update(blocks.tobytes()), dtype=np.uint8)
