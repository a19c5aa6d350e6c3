"""CRC-32C (Castagnoli, RFC 3720 B.4) of many bytes at once, as the checksums of TensorFlow's
checkpoints are.
"""

import numpy as np

POLYNOMIAL = 0x82F63B78  # bits reversed
MASK_DELTA = 0xA282EAD8


def masked_crc32c(data: bytes) -> int:
    """The CRC rotated and offset, so that a CRC is not taken of bytes that hold CRCs (LevelDB,
    util/crc32c.h).
    """
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The CRC of `data`.

    A CRC that starts at 0 is linear: that of two runs of bytes is that of the first, moved over as
    many zero bytes as the second has, xor that of the second. So all bytes are taken at once, then
    all pairs, all fours; the start, all ones, goes before them as a byte would.
    """
    start = np.array([0xFFFFFFFF], np.uint32)
    crcs = np.concatenate([start, _byte_crcs()[np.frombuffer(data, np.uint8)]])
    values = np.arange(256, dtype=np.uint32)
    move = np.stack(
        [_byte_crcs(), values, values << 8, values << 16]
    )  # over one zero byte: (byte of the CRC, its value)
    while len(crcs) > 1:
        if len(crcs) % 2:
            crcs = np.concatenate(
                [np.zeros(1, np.uint32), crcs]
            )  # zeros before the first byte change nothing
        crcs = _moved(move, crcs[::2]) ^ crcs[1::2]
        move = _moved(move, move)
    return int(crcs[0]) ^ 0xFFFFFFFF


def _moved(move: np.ndarray, crcs: np.ndarray) -> np.ndarray:
    return (
        move[0][crcs & 255]
        ^ move[1][crcs >> 8 & 255]
        ^ move[2][crcs >> 16 & 255]
        ^ move[3][crcs >> 24]
    )


def _byte_crcs() -> np.ndarray:
    """The CRC, started at 0, of each byte: uint32 (256,)."""
    crcs = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crcs = crcs >> np.uint32(1) ^ (crcs & np.uint32(1)) * np.uint32(POLYNOMIAL)
    return crcs
