"""The last frame of a FLAC stream, which says where it begins and how long it is."""

from dataclasses import dataclass
from typing import BinaryIO

from audio.containers.layout import read_at

TAIL_BYTES = 1 << 20  # where the last frame is looked for
NEAR_BYTES = 1 << 16  # where it nearly always is
SMALL_BYTES = 1 << 19  # less is searched through at once
SYNC = (b"\xf8", b"\xf9")  # after 0xff
MOST_CANDIDATES = 64  # whose checksum is computed
BLOCK_SIZES = {1: 192, **{n: 576 << (n - 2) for n in range(2, 6)}} | {
    n: 256 << (n - 8) for n in range(8, 16)
}


@dataclass(frozen=True)
class Frame:
    """A frame: its place in the file, its samples, and whether its checksum says it is complete."""

    start: int
    first_sample: int
    n_samples: int
    is_complete: bool


def find_last_frame(file: BinaryIO, start: int, stop: int, block_size: int) -> Frame | None:
    """Return the last frame between two places of a file; None if there is none.

    Parameters
    ----------
    block_size : int
        Samples of each frame but the last, if the frames are numbered.
    """
    for n_bytes in (NEAR_BYTES, TAIL_BYTES):
        first = max(start, stop - n_bytes)
        found = _search(read_at(file, first, stop - first), first, block_size)
        if found or first == start:
            return found
    return None


def counts_on(file: BinaryIO, start: int, stop: int, block_size: int) -> bool:
    """Return whether the frames between two places seem to count on, as those of one stream do.

    They are looked at in ever smaller parts of the file, towards its start and its end.
    """
    if stop - start < SMALL_BYTES:
        return False
    half = (stop - start) // 2
    steps = [half >> n for n in range(half.bit_length()) if half >> n > NEAR_BYTES]
    places = [start + step for step in reversed(steps)] + [stop - step for step in steps[1:]]
    before = -1
    for place in places:
        sample = _sample_after(read_at(file, place, NEAR_BYTES), block_size)
        if sample is None or sample < before:
            return False
        before = sample
    return True


def _sample_after(data: bytes, block_size: int) -> int | None:
    """Return the first sample of the first frame that begins in some data; None if none does."""
    place = data.find(b"\xff")
    while place >= 0:
        if data[place + 1 : place + 2] in SYNC:
            header = _header(data[place : place + 16], block_size)
            if header:
                return header[0]
        place = data.find(b"\xff", place + 1)
    return None


def first_block_size(data: bytes) -> int:
    """Return how many samples the numbered frame has that the data begin with; 0 if none does."""
    header = _header(data, 0) if data[:2] == b"\xff\xf8" else None
    return header[1] if header else 0


def _search(data: bytes, at: int, block_size: int) -> Frame | None:
    """Return the frame that ends with the data; else the last one that begins in it."""
    begun = None
    place = behind = len(data)
    checksum = 0  # of the data from `behind` on
    for _ in range(MOST_CANDIDATES):
        header = None
        while header is None:
            place = data.rfind(b"\xff", 0, place)
            if place < 0:
                return begun
            header = _header(data[place : place + 16], block_size)
        first_sample, n_samples = header
        checksum ^= _followed_by(crc_16(data[place:behind]), len(data) - behind)
        behind = place
        if checksum == 0:
            return Frame(at + place, first_sample, n_samples, True)
        begun = begun or Frame(at + place, first_sample, n_samples, False)
    return begun


def _header(data: bytes, block_size: int) -> tuple[int, int] | None:
    """Return the first sample of a frame and how many it has; None if this is no frame."""
    if len(data) < 6 or data[1] & 0xFE != 0xF8 or data[3] & 1:
        return None
    size_code = data[2] >> 4
    rate_code = data[2] & 15
    if size_code == 0 or rate_code == 15 or data[3] >> 4 > 10 or (data[3] >> 1) & 7 == 3:
        return None
    number, at = _coded_number(data)
    extra = {6: 1, 7: 2}.get(size_code, 0)
    end = at + extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if number is None or len(data) <= end or crc_8(data[:end]) != data[end]:
        return None
    n_samples = BLOCK_SIZES.get(size_code) or int.from_bytes(data[at : at + extra], "big") + 1
    is_variable = data[1] & 1
    return (number if is_variable else number * block_size), n_samples


def _coded_number(data: bytes) -> tuple[int | None, int]:
    """Return the number that is coded as UTF-8 codes letters, and the place after it."""
    first = data[4]
    if first < 0x80:
        return first, 5
    n_more = (~first & 0xFF).bit_length()  # the ones in front of the first zero
    n_more = 8 - n_more - 1
    rest = data[5 : 5 + n_more]
    if not 1 <= n_more <= 6 or len(rest) < n_more or any(byte >> 6 != 2 for byte in rest):
        return None, 5
    number = first & (0x3F >> n_more)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, 5 + n_more


def _table(polynomial: int, bits: int) -> list[int]:
    top = 1 << (bits - 1)
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & ((1 << bits) - 1)
        table.append(value)
    return table


CRC_8 = _table(0x07, 8)
CRC_16 = _table(0x8005, 16)


def _followed_by(checksum: int, n_zeros: int) -> int:
    """Return what a checksum of 16 bits becomes if bytes of 0 follow.

    That is a product of polynomials: the checksum times x to the power of 8 `n_zeros`.
    """
    power = 0x100
    while n_zeros:
        if n_zeros & 1:
            checksum = _product(checksum, power)
        power = _product(power, power)
        n_zeros >>= 1
    return checksum


def _product(a: int, b: int) -> int:
    """Multiply two polynomials over GF(2), modulo that of the checksum."""
    value = 0
    while b:
        value ^= a if b & 1 else 0
        a = (a << 1 & 0xFFFF) ^ (0x8005 if a >> 15 else 0)
        b >>= 1
    return value


def crc_8(data: bytes) -> int:
    """Return the checksum of a frame's header."""
    value = 0
    for byte in data:
        value = CRC_8[value ^ byte]
    return value


def crc_16(data: bytes) -> int:
    """Return the checksum of a frame; 0 if its own checksum is at its end and right."""
    value = 0
    for byte in data:
        value = (value << 8 & 0xFF00) ^ CRC_16[value >> 8 ^ byte]
    return value
