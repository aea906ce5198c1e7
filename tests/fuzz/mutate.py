"""Mutates known inputs: bits, bytes, pieces, tokens, and halves of two inputs."""

from __future__ import annotations

import random
from collections.abc import Sequence

LONGEST = 4_096


def mutated(
    data: bytes, others: Sequence[bytes], tokens: Sequence[bytes], dice: random.Random
) -> bytes:
    """A few random changes to an input; at most LONGEST bytes."""
    text = bytearray(data)
    for _ in range(1 << dice.randrange(4)):
        at = dice.randrange(len(text) + 1)
        end = min(len(text), at + 1 + int(dice.expovariate(1 / 8)))
        match dice.randrange(9):
            case 0 if text:
                text[at % len(text)] ^= 1 << dice.randrange(8)
            case 1 if text:
                text[at % len(text)] = dice.randrange(256)
            case 2:
                text[at:at] = dice.randbytes(1 + dice.randrange(4))
            case 3 | 4:
                text[at:at] = dice.choice(tokens)
            case 5:
                text[at:end] = dice.choice(tokens)
            case 6:
                del text[at:end]
            case 7:
                text[at:at] = text[at:end] * (1 + dice.randrange(4))
            case _:
                other = dice.choice(others)
                cut = dice.randrange(len(other) + 1)
                text[at:] = other[cut:]
    return bytes(text[:LONGEST])
