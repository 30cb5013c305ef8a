"""XXH3 with its default secret and seed 0, of 64 and of 128 bits. Pure.

https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
"""

import struct

_M32, _M64 = 2**32 - 1, 2**64 - 1
_P32_1, _P32_2, _P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_P64_1, _P64_2, _P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P64_4, _P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_MX1, _MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25
_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_STRIPE, _STRIPES_OF_BLOCK = 64, 16
_BLOCK = _STRIPE * _STRIPES_OF_BLOCK
# Inputs up to these lengths have ways of their own.
_FEW, _SOME, _MANY, _SHORT, _MIDDLE = 3, 8, 16, 128, 240


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _key(first: int, second: int) -> int:
    return _u64(_SECRET, first) ^ _u64(_SECRET, second)


def _swap(value: int, size: int) -> int:
    return int.from_bytes(value.to_bytes(size, "little"), "big")


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> 64 - by) & _M64


def _fold(left: int, right: int) -> int:
    product = left * right
    return product & _M64 ^ product >> 64


def _avalanche(state: int) -> int:
    state = (state ^ state >> 37) * _MX1 & _M64
    return state ^ state >> 32


def _avalanche_64(state: int) -> int:
    state = (state ^ state >> 33) * _P64_2 & _M64
    state = (state ^ state >> 29) * _P64_3 & _M64
    return state ^ state >> 32


def _mix(data: bytes, at: int, secret: int) -> int:
    return _fold(
        _u64(data, at) ^ _u64(_SECRET, secret), _u64(data, at + 8) ^ _u64(_SECRET, secret + 8)
    )


def xxh3_64(data: bytes) -> int:
    """Return the hash of 64 bits."""
    size = len(data)
    if size <= _MANY:
        return _tiny_64(data)
    if size <= _SHORT:
        state = size * _P64_1
        for step in range((size - 1) // 32 + 1):
            state += _mix(data, 16 * step, 32 * step)
            state += _mix(data, size - 16 * (step + 1), 32 * step + 16)
        return _avalanche(state & _M64)
    if size <= _MIDDLE:
        state = size * _P64_1 + sum(_mix(data, 16 * step, 16 * step) for step in range(8))
        state = _avalanche(state & _M64)
        state += sum(_mix(data, 16 * step, 16 * step - 125) for step in range(8, size // 16))
        return _avalanche(state + _mix(data, size - 16, 119) & _M64)
    return _merged(_lanes(data), 11, size * _P64_1)


def _tiny_64(data: bytes) -> int:
    size = len(data)
    if size == 0:
        return _avalanche_64(_key(56, 64))
    if size <= _FEW:
        return _avalanche_64(_combined(data) ^ _u32(_SECRET, 0) ^ _u32(_SECRET, 4))
    if size <= _SOME:
        state = _u32(data, size - 4) + (_u32(data, 0) << 32) ^ _key(8, 16)
        state ^= _rotate(state, 49) ^ _rotate(state, 24)
        state = state * _MX2 & _M64
        state = (state ^ (state >> 35) + size) * _MX2 & _M64
        return state ^ state >> 28
    low, high = _u64(data, 0) ^ _key(24, 32), _u64(data, size - 8) ^ _key(40, 48)
    return _avalanche(size + _swap(low, 8) + high + _fold(low, high) & _M64)


def _combined(data: bytes) -> int:
    size = len(data)
    return data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8


def _lanes(data: bytes) -> list[int]:
    """Return the eight lanes that a long input leaves behind."""
    lanes = [_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1]
    blocks, size = (len(data) - 1) // _BLOCK, len(data)
    for block in range(blocks):
        for stripe in range(_STRIPES_OF_BLOCK):
            _accumulate(lanes, data, block * _BLOCK + stripe * _STRIPE, 8 * stripe)
        for lane in range(8):
            state = lanes[lane] ^ lanes[lane] >> 47 ^ _u64(_SECRET, 128 + 8 * lane)
            lanes[lane] = state * _P32_1 & _M64
    for stripe in range((size - 1 - blocks * _BLOCK) // _STRIPE):
        _accumulate(lanes, data, blocks * _BLOCK + stripe * _STRIPE, 8 * stripe)
    _accumulate(lanes, data, size - _STRIPE, 121)
    return lanes


def _accumulate(lanes: list[int], data: bytes, at: int, secret: int) -> None:
    values = struct.unpack_from("<8Q", data, at)
    keys = struct.unpack_from("<8Q", _SECRET, secret)
    for lane, (value, key) in enumerate(zip(values, keys, strict=True)):
        mixed = value ^ key
        lanes[lane ^ 1] = lanes[lane ^ 1] + value & _M64
        lanes[lane] = lanes[lane] + (mixed & _M32) * (mixed >> 32) & _M64


def _merged(lanes: list[int], secret: int, start: int) -> int:
    state = start
    for pair in range(4):
        at = secret + 16 * pair
        state += _fold(
            lanes[2 * pair] ^ _u64(_SECRET, at), lanes[2 * pair + 1] ^ _u64(_SECRET, at + 8)
        )
    return _avalanche(state & _M64)


def xxh3_128(data: bytes) -> int:
    """Return the hash of 128 bits."""
    size = len(data)
    if size <= _MANY:
        low, high = _tiny_128(data)
    elif size <= _MIDDLE:
        low, high = _finished(_short_128(data) if size <= _SHORT else _middle_128(data), size)
    else:
        lanes = _lanes(data)
        low = _merged(lanes, 11, size * _P64_1)
        high = _merged(lanes, 117, ~(size * _P64_2) & _M64)
    return high << 64 | low


def _tiny_128(data: bytes) -> tuple[int, int]:
    size = len(data)
    if size == 0:
        return _avalanche_64(_key(64, 72)), _avalanche_64(_key(80, 88))
    if size <= _FEW:
        low = _combined(data)
        swapped = _swap(low, 4)
        high = (swapped << 13 | swapped >> 19) & _M32
        return (
            _avalanche_64(low ^ _u32(_SECRET, 0) ^ _u32(_SECRET, 4)),
            _avalanche_64(high ^ _u32(_SECRET, 8) ^ _u32(_SECRET, 12)),
        )
    if size <= _SOME:
        keyed = _u32(data, 0) + (_u32(data, size - 4) << 32) ^ _key(16, 24)
        product = keyed * (_P64_1 + (size << 2))
        low, high = product & _M64, product >> 64
        high = high + (low << 1) & _M64
        low ^= high >> 3
        low = (low ^ low >> 35) * _MX2 & _M64
        return low ^ low >> 28, _avalanche(high)
    first, last = _u64(data, 0), _u64(data, size - 8)
    product = (first ^ last ^ _key(32, 40)) * _P64_1
    low, high = (product & _M64) + ((size - 1) << 54) & _M64, product >> 64
    last ^= _key(48, 56)
    high = high + last + (last & _M32) * (_P32_2 - 1) & _M64
    product = (low ^ _swap(high, 8)) * _P64_2
    return _avalanche(product & _M64), _avalanche((product >> 64) + high * _P64_2 & _M64)


def _short_128(data: bytes) -> tuple[int, int]:
    size = len(data)
    state = size * _P64_1 & _M64, 0
    for step in reversed(range((size - 1) // 32 + 1)):
        state = _mix_pair(state, data, (16 * step, size - 16 * (step + 1)), 32 * step)
    return state


def _middle_128(data: bytes) -> tuple[int, int]:
    size = len(data)
    state = size * _P64_1 & _M64, 0
    for step in range(4):
        state = _mix_pair(state, data, (32 * step, 32 * step + 16), 32 * step)
    state = _avalanche(state[0]), _avalanche(state[1])
    for step in range(4, size // 32):
        state = _mix_pair(state, data, (32 * step, 32 * step + 16), 3 + 32 * (step - 4))
    return _mix_pair(state, data, (size - 16, size - 32), 103)


def _mix_pair(
    state: tuple[int, int], data: bytes, places: tuple[int, int], secret: int
) -> tuple[int, int]:
    first, second = places
    low = state[0] + _mix(data, first, secret) & _M64
    low ^= _u64(data, second) + _u64(data, second + 8) & _M64
    high = state[1] + _mix(data, second, secret + 16) & _M64
    high ^= _u64(data, first) + _u64(data, first + 8) & _M64
    return low, high


def _finished(state: tuple[int, int], size: int) -> tuple[int, int]:
    low, high = state
    mixed = low * _P64_1 + high * _P64_4 + size * _P64_2 & _M64
    return _avalanche(low + high & _M64), -_avalanche(mixed) & _M64
