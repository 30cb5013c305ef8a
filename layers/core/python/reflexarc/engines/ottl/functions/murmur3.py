"""MurmurHash3, of 32 and of 128 bits (x64). Pure.

https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
"""

_M32, _M64 = 2**32 - 1, 2**64 - 1
_C1_32, _C2_32 = 0xCC9E2D51, 0x1B873593
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def _rotate32(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & _M32


def _rotate64(value: int, by: int) -> int:
    return (value << by | value >> 64 - by) & _M64


def murmur3_32(data: bytes) -> int:
    """Return the hash of 32 bits."""
    state, whole = 0, len(data) & ~3
    for at in range(0, whole, 4):
        state ^= _scrambled32(int.from_bytes(data[at : at + 4], "little"))
        state = (_rotate32(state, 13) * 5 + 0xE6546B64) & _M32
    if whole < len(data):
        state ^= _scrambled32(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & _M32
    state = (state ^ state >> 13) * 0xC2B2AE35 & _M32
    return state ^ state >> 16


def _scrambled32(block: int) -> int:
    return _rotate32(block * _C1_32 & _M32, 15) * _C2_32 & _M32


def murmur3_128(data: bytes) -> tuple[int, int]:
    """Return the hash of 128 bits as its two halves."""
    first, second, whole = 0, 0, len(data) & ~15
    for at in range(0, whole, 16):
        first ^= _scrambled_first(int.from_bytes(data[at : at + 8], "little"))
        first = ((_rotate64(first, 27) + second) * 5 + 0x52DCE729) & _M64
        second ^= _scrambled_second(int.from_bytes(data[at + 8 : at + 16], "little"))
        second = ((_rotate64(second, 31) + first) * 5 + 0x38495AB5) & _M64
    tail = data[whole:]
    second ^= _scrambled_second(int.from_bytes(tail[8:], "little"))
    first ^= _scrambled_first(int.from_bytes(tail[:8], "little"))
    first, second = first ^ len(data), second ^ len(data)
    first = (first + second) & _M64
    second = (second + first) & _M64
    first, second = _final(first), _final(second)
    first = (first + second) & _M64
    return first, (second + first) & _M64


def _scrambled_first(block: int) -> int:
    return _rotate64(block * _C1 & _M64, 31) * _C2 & _M64


def _scrambled_second(block: int) -> int:
    return _rotate64(block * _C2 & _M64, 33) * _C1 & _M64


def _final(state: int) -> int:
    state = (state ^ state >> 33) * 0xFF51AFD7ED558CCD & _M64
    state = (state ^ state >> 33) * 0xC4CEB9FE1A85EC53 & _M64
    return state ^ state >> 33
