"""Hashes of inputs of every length that has a way of its own, against the reference libraries."""

import pytest

from reflexarc.engines.ottl.functions.murmur3 import murmur3_32, murmur3_128
from reflexarc.engines.ottl.functions.xxh3 import xxh3_64, xxh3_128

DATA = bytes(range(1, 252)) * 20
# From xxHash's and Murmur3's own libraries: python-xxhash 3 and mmh3 5.
XXH3 = [
    (0, "2d06800538d394c2", "99aa06d3014798d86001c324468d497f"),
    (1, "e12ef9d2eb86ceeb", "51025a4491835505e12ef9d2eb86ceeb"),
    (3, "ebce9b7632ae733b", "ac77eb88cbc4b8d4ebce9b7632ae733b"),
    (4, "988b7b9033ac4622", "49a04899597a3567537653a0d9955b86"),
    (8, "16f217ea16232297", "2ab463fddb09a0b83e8675c57268fb02"),
    (9, "17d143e7f447850a", "e338e616502be3613c4087b7dea54fc0"),
    (16, "eb5aeb9a32450f6a", "6d84a882f6411b41eada823104bd7174"),
    (17, "6d458e1fff494078", "9ac14e2c3fe59a83acda8373034d6aaf"),
    (32, "bfd49bed2d1502eb", "6558716845a29a6cd4e2dfc12b4b57ed"),
    (33, "eaaad53957a947fc", "511310aba0443aace0e91dd44e49b7d0"),
    (64, "c82013245d8f2587", "21bfcfd7d148a3df639fbd9cf9bdfb51"),
    (65, "8810a33c748c6017", "2f2ef5c0f071aabf839a6f242d0884a1"),
    (96, "d384b43b482e2615", "2c932ae1bf5ef99ddf5af453c37a4873"),
    (97, "fa1c82bae72a1d59", "3848b83ec10ae2b5fbe19870ccd77f9f"),
    (128, "ce22cae9106851df", "763fdbd9fc6022337ac9e58028da0fc7"),
    (129, "7d4fc663f5958d40", "4c8ce7bd2a6024b388cb4305c9a32490"),
    (159, "9847cf9a763c8e25", "285b3f4247cbb77db6a99481f62a8125"),
    (160, "85ad53aa067602dc", "113b1d66f56cdd354686859c80eb768c"),
    (240, "a5a910b2d7e065b0", "2007e6f83d506ea3dde80e1ba2971e09"),
    (241, "b6515f490cdd4ce5", "956bc01534a3752bb6515f490cdd4ce5"),
    (512, "0f27c1b726922ebf", "8a2af129209043e70f27c1b726922ebf"),
    (1023, "d111e41e08af9765", "a938fd1111daa82ed111e41e08af9765"),
    (1024, "b3cf1ea265cbc313", "ba3530b62f2ae8beb3cf1ea265cbc313"),
    (1025, "b67f3054786f763a", "bef24120a9fcd1a7b67f3054786f763a"),
    (2048, "7148898c9949dd51", "493335ef9973071d7148898c9949dd51"),
    (2049, "449ddfcd564f76ab", "999134b1beea5dcc449ddfcd564f76ab"),
    (3000, "fbbbe2f267bab7d8", "e4f611a2aa61d065fbbbe2f267bab7d8"),
]
MURMUR3 = [
    (0, 0x00000000, 0x0000000000000000, 0x0000000000000000),
    (1, 0xE45AD1AB, 0x7ACE5C908374FE16, 0x778867E4430E6785),
    (3, 0x80D1D204, 0x1A643EEF0E1337A9, 0x494E4A403C239A65),
    (4, 0x3E349DA5, 0x0A0090A9DA040FE3, 0xEADC23F882B31773),
    (9, 0xA198F0A8, 0xBF9DBE3FA2269D8E, 0xF1031A6FE0CF7DA1),
    (16, 0xDA7E3067, 0xB2C94760EF740FE0, 0x892F5D8512B98935),
    (17, 0xE4E97D6E, 0xF224A4101EA076AB, 0x0A50F3F36BC8DA86),
    (31, 0x7B6CF7E5, 0xE67D62E397513DDB, 0x2B46270AF0EE6EF6),
    (33, 0xF2F972C8, 0x9E6B247A000D5C84, 0x476E0D604509ECDE),
]


@pytest.mark.parametrize(("size", "short", "long"), XXH3)
def test_xxh3_agrees_with_its_library(size: int, short: str, long: str) -> None:
    assert f"{xxh3_64(DATA[:size]):016x}" == short
    assert f"{xxh3_128(DATA[:size]):032x}" == long


@pytest.mark.parametrize(("size", "short", "first", "second"), MURMUR3)
def test_murmur3_agrees_with_its_library(size: int, short: int, first: int, second: int) -> None:
    assert murmur3_32(DATA[:size]) == short
    assert murmur3_128(DATA[:size]) == (first, second)
