import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from files.errors import CheckpointError, ParameterError
from tests.checkpoints import load_checkpoint
from training.checkpoint import WEIGHTS, save_checkpoint
from training.stored_weights import decode_weights, encode_weights

MATRIX = torch.tensor([[1.27, -0.635, 0.004], [0.0, 0.0, 0.0]])
BIAS = torch.tensor([0.123456, 7.0])


def test_rows_are_rounded_to_127_steps_of_their_largest_magnitude():
    encoded = encode_weights({"w": MATRIX, "b": BIAS}, torch.int8)
    assert encoded["w.int8"].dtype == torch.int8
    assert encoded["w.int8"].tolist() == [[127, -64, 0], [0, 0, 0]]
    torch.testing.assert_close(encoded["w.scale"], torch.tensor([0.01, 0.0]))
    decoded = decode_weights(encoded)
    assert decoded.keys() == {"w", "b"}
    assert decoded["w"].dtype == torch.float32
    torch.testing.assert_close(decoded["w"], torch.tensor([[1.27, -0.64, 0.0], [0.0, 0.0, 0.0]]))
    assert torch.equal(decoded["b"], BIAS)


@given(
    st.integers(0, 2**32),
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
    st.floats(-45, 37),
)
def test_error_is_at_most_half_a_step(seed, shape, exponent):
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape, generator=rng) * 10**exponent
    again = decode_weights(encode_weights({"w": weight}, torch.int8))["w"]
    assert again.shape == weight.shape
    errors = (again - weight).abs().flatten(1)
    largest = weight.abs().flatten(1).amax(1, keepdim=True)
    # float32's own steps are larger than 1/254 among its smallest numbers
    assert (errors <= largest / 254 * 1.0001 + 127 * 2.0**-149).all()


def test_stored_again_the_same_bytes():
    first = encode_weights({"w": torch.randn(5, 7, generator=torch.Generator())}, torch.int8)
    second = encode_weights(decode_weights(first), torch.int8)
    assert torch.equal(first["w.int8"], second["w.int8"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_other_types_are_stored_as_such(dtype):
    encoded = encode_weights({"w": MATRIX, "b": BIAS}, dtype)
    assert {name: tensor.dtype for name, tensor in encoded.items()} == {"w": dtype, "b": dtype}
    assert decode_weights(encoded) == encoded


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_stored_in_8_bits(value):
    with pytest.raises(ParameterError, match="w holds NaN or infinite values; train the model"):
        encode_weights({"w": torch.full((2, 2), value)}, torch.int8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"w.scale": None}, "w.scale is missing; train the model again or restore a copy"),
        ({"w.scale": torch.ones(3)}, r"w.scale is torch.float32 of shape \(3,\), and must be"),
        ({"w.scale": torch.ones(2, 1)}, r"of shape \(2, 1\), and must be float32 of shape \(2,\)"),
        ({"w.scale": torch.tensor(1.0)}, r"of shape \(\), and must be float32 of shape \(2,\)"),
        ({"w.scale": torch.ones(2, dtype=torch.int64)}, "w.scale is torch.int64"),
        ({"w.scale": torch.tensor([1.0, float("nan")])}, "must be finite and not negative"),
        ({"w.scale": torch.tensor([1.0, float("inf")])}, "must be finite and not negative"),
        ({"w.scale": torch.tensor([1.0, -1.0])}, "must be finite and not negative"),
        ({"w.int8": MATRIX}, "w.int8 is torch.float32 of shape"),
        ({"w.int8": torch.zeros(2, dtype=torch.int8)}, r"w.int8 is torch.int8 of shape \(2,\)"),
    ],
)
def test_damaged_checkpoint_is_refused(tmp_path, changes, message):
    tensors = encode_weights({"w": MATRIX, "b": BIAS}, torch.int8)
    save_checkpoint(tmp_path, kind="vocoder", config={}, tensors=tensors)
    stored = {**load_file(tmp_path / WEIGHTS), **changes}
    save_file({name: t for name, t in stored.items() if t is not None}, tmp_path / WEIGHTS)
    with pytest.raises(CheckpointError, match=message) as raised:
        load_checkpoint(tmp_path, kind="vocoder")
    assert str(tmp_path / WEIGHTS) in str(raised.value)
