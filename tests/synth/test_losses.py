"""Discriminators and the losses computed from them."""

import pytest
import soundfile as sf
import torch

from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from synth.discriminators import (
    MelGANDiscriminator,
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
    MultiScaleDiscriminator,
    fold,
)
from synth.losses import (
    MultiResolutionSTFT,
    clamped_hinge_generator,
    feature_matching,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
)

SMALL = {
    "period": lambda: MultiPeriodDiscriminator(channels=2),
    "scale": lambda: MultiScaleDiscriminator(channels=2),
    "melgan": lambda: MelGANDiscriminator(ndf=2),
    "resolution": lambda: MultiResolutionDiscriminator(channels=2),
}
SHORTEST = {"period": 11, "scale": 1, "melgan": 32, "resolution": 1025}  # samples


@pytest.fixture(scope="module")
def clips():
    """Real audio, two clips of 4 000 samples: (2, 1, 4000)."""
    samples, _ = sf.read(
        sorted(CORPUS_DIR.rglob("*.ogg"))[0],
        start=44100,
        frames=8000,
        dtype="float32",
        always_2d=True,
    )
    return torch.from_numpy(samples[:, 0].reshape(2, 1, 4000).copy())


@pytest.fixture(params=SMALL)
def discriminator(request):
    torch.manual_seed(0)
    return SMALL[request.param]()


def outputs(*sub_discriminators):
    return [
        (torch.tensor(score), [torch.tensor(feature) for feature in features])
        for score, *features in sub_discriminators
    ]


REAL = outputs(([1.0, 0.0], [1.0, 2.0], [0.0]), ([3.0], [5.0, 5.0, 5.0], [1.0]))
FAKE = outputs(([0.0, 2.0], [1.0, 4.0], [-3.0]), ([-2.0], [5.0, 5.0, 2.0], [1.0]))


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (least_squares_discriminator(REAL, FAKE), (0.5 + 4) + (2 + 4)),
        (least_squares_generator(FAKE), 1 + 9),
        (hinge_discriminator(REAL, FAKE), (0.5 + 0) + (2 + 0)),
        (hinge_generator(FAKE), -1 + 2),
        (clamped_hinge_generator(FAKE), (0.5 + 3) / 2),
        (feature_matching(REAL, FAKE), (1 + 3) + (1 + 0)),
    ],
)
def test_losses_of_known_scores(loss, value):
    assert loss.item() == value
    assert loss.dtype == torch.float32


def test_losses_of_half_precision_scores_are_float32():
    half = [(score.bfloat16(), [f.bfloat16() for f in features]) for score, features in FAKE]
    assert (
        feature_matching(half, half).dtype == least_squares_generator(half).dtype == torch.float32
    )


def test_feature_matching_moves_only_the_synthesised():
    score = torch.zeros(1)
    recorded = torch.tensor([1.0], requires_grad=True)
    synthesised = torch.tensor([3.0], requires_grad=True)
    feature_matching([(score, [recorded])], [(score, [synthesised])]).backward()
    assert synthesised.grad.item() == 1
    assert recorded.grad is None


def test_results_of_different_discriminators_raise():
    for loss in (least_squares_discriminator, hinge_discriminator, feature_matching):
        with pytest.raises(
            ParameterError,
            match="outputs of 2 and 1 sub-discriminators cannot be compared; take those of one",
        ):
            loss(REAL, FAKE[:1])
    with pytest.raises(ParameterError, match="do not match; compare clips of one length"):
        feature_matching(REAL, FAKE[::-1])


@pytest.mark.parametrize(
    ("make", "parameters", "groups"),
    [
        (MultiPeriodDiscriminator, 41105770, [1, 1, 1, 1, 1, 1]),
        (MultiScaleDiscriminator, 29618821, [1, 4, 16, 16, 16, 16, 1, 1]),
        (MelGANDiscriminator, 16924086, [1, 4, 16, 64, 256, 1, 1]),
        (MultiResolutionDiscriminator, 283494, [1, 1, 1, 1, 1, 1]),
    ],
)
def test_published_sizes(make, parameters, groups):
    network = make()
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert [layer.groups for layer in network.sub_discriminators[0]] == groups


def test_fold_puts_samples_a_period_apart_side_by_side():
    audio = torch.arange(8.0)[None, None]
    assert fold(audio, 2)[0, 0].tolist() == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert fold(audio, 3)[0, 0].tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 6]]  # 8 is 6, reflected
    assert fold(audio, 5)[0, 0].tolist() == [[0, 5], [1, 6], [2, 7], [3, 6], [4, 5]]


def test_period_layers_never_mix_phases():
    torch.manual_seed(0)
    network = MultiPeriodDiscriminator(periods=(3,), channels=2)
    audio = torch.randn(1, 1, 300, requires_grad=True)
    ((score, _),) = network(audio)
    score[:, :, 1].sum().backward()
    heard = audio.grad[0, 0] != 0
    assert heard[1::3].any()
    assert not heard[0::3].any()
    assert not heard[2::3].any()


def shapes(network, clips):
    return [[tuple(feature.shape[1:]) for feature in features] for _, features in network(clips)]


def test_shapes_of_periods(clips):
    seen = shapes(MultiPeriodDiscriminator(channels=2), clips)
    assert len(seen) == 5
    assert seen[0] == [(2, 2, 667), (8, 2, 223), (32, 2, 75), (64, 2, 25), (64, 2, 25), (1, 2, 25)]
    assert seen[4][0] == (2, 11, 122)


def test_shapes_of_scales(clips):
    seen = shapes(MultiScaleDiscriminator(channels=2), clips)
    assert len(seen) == 3
    assert [width for width, _ in seen[0]] == [2, 2, 4, 8, 16, 16, 16, 1]
    assert [steps for _, steps in seen[0]] == [4000, 2000, 1000, 250, 63, 63, 63, 63]
    assert [view[0][1] for view in seen] == [4000, 2001, 1001]


def test_shapes_of_melgan(clips):
    network = MelGANDiscriminator(ndf=2)
    seen = shapes(network, clips)
    assert seen[0] == [(2, 4000), (8, 1000), (32, 250), (128, 63), (128, 16), (128, 16)]
    assert [view[0][1] for view in seen] == [4000, 2000, 1000]
    assert network(clips)[0][0].shape == (2, 1, 16)
    assert len(shapes(MelGANDiscriminator(ndf=1, n_layers=2, scales=2), clips)) == 2


def test_shapes_of_resolutions(clips):
    seen = shapes(MultiResolutionDiscriminator(channels=2), clips)
    assert [view[0] for view in seen] == [(2, 16, 513), (2, 8, 1025), (2, 32, 257)]
    assert [bands for _, _, bands in seen[0]] == [513, 257, 129, 65, 65, 65]


@pytest.mark.parametrize("width", [1, 3, 6, 8, 16])
def test_every_width_has_valid_groups(width, clips):
    for network in (MultiScaleDiscriminator(width), MelGANDiscriminator(min(width, 6), n_layers=2)):
        assert network(clips[:, :, :64])[0][0].isfinite().all()


def test_gradient_of_every_view_reaches_audio_and_weights(discriminator, clips):
    for view in range(len(discriminator.sub_discriminators)):
        audio = clips.clone().requires_grad_()
        hinge_generator([discriminator(audio)[view]]).backward()
        assert (audio.grad.abs().amax(dim=-1) > 0).all()
    assert all(p.grad is not None for p in discriminator.parameters())


def test_an_item_gives_the_same_alone_and_in_a_batch(discriminator, clips):
    discriminator.eval()
    together = discriminator(clips)
    alone = discriminator(clips[1:])
    assert all(
        torch.allclose(a[0][1:], b[0], atol=1e-5) for a, b in zip(together, alone, strict=True)
    )


def test_same_seed_same_weights():
    for make in SMALL.values():
        states = []
        for _ in range(2):
            torch.manual_seed(7)
            states.append(make().state_dict())
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_training_tells_a_clip_from_noise(discriminator, clips):
    real = clips[:1, :, :2048] / clips.abs().max()
    fake = torch.randn(real.shape, generator=torch.Generator().manual_seed(0)) * real.std()
    optimizer = torch.optim.Adam(discriminator.parameters(), 3e-3)
    losses = []
    for _ in range(20):
        loss = hinge_discriminator(discriminator(real), discriminator(fake))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(("name", "n_samples"), SHORTEST.items())
def test_shortest_audio(name, n_samples):
    network = SMALL[name]()
    assert all(score.isfinite().all() for score, _ in network(torch.ones(1, 1, n_samples)))
    with pytest.raises(
        ParameterError,
        match=f"{n_samples - 1} samples are too few .* at least {n_samples} are needed",
    ):
        network(torch.ones(1, 1, n_samples - 1))


def test_audio_that_is_not_mono_raises(discriminator):
    for shape in ((1, 4000), (1, 2, 4000)):
        with pytest.raises(ParameterError, match=r"must be \(batch, 1, n_samples\)"):
            discriminator(torch.zeros(shape))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MultiPeriodDiscriminator(periods=(2, 0)),
            r"periods=\(2, 0\) must be positive integers",
        ),
        (lambda: MultiPeriodDiscriminator(periods=()), r"periods=\(\) must be positive"),
        (lambda: MultiScaleDiscriminator(channels=0), "channels=0 must be positive"),
        (lambda: MelGANDiscriminator(scales=1.5), "scales=1.5 must be positive integers"),
        (
            lambda: MultiResolutionDiscriminator(n_ffts=(512, 2)),
            r"n_ffts=\(512, 2\) must be at least 4 each",
        ),
    ],
)
def test_bad_sizes_raise(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_stft_distance_is_zero_for_equal_audio_and_grows_with_noise(clips):
    measure = MultiResolutionSTFT()
    noise = torch.randn(clips.shape, generator=torch.Generator().manual_seed(0))
    distances = [measure(clips + gain * noise, clips).item() for gain in (0, 1e-3, 1e-2, 1e-1)]
    assert distances[0] == 0
    assert distances == sorted(set(distances))


def test_stft_distance_of_a_quieter_copy_in_closed_form():
    audio = torch.zeros(1, 4000)
    audio[0, 2000] = 1.0  # flat in frequency; frames without it are equally silent in both
    measure = MultiResolutionSTFT()
    doubled = measure(2 * audio, audio)
    assert measure(4 * audio, 2 * audio).item() == pytest.approx(doubled.item(), rel=0.02)
    assert (
        1 < doubled.item() < 1 + torch.tensor(2.0).log()
    )  # spectral convergence 1, log distance at most ln 2


def test_stft_distance_ignores_leading_axes(clips):
    measure = MultiResolutionSTFT()
    other = clips.flip(-1)
    assert measure(other, clips).item() == measure(other[:, 0], clips[:, 0]).item()


def test_stft_distance_has_finite_gradients_in_silence(clips):
    for real in (torch.zeros(1, 2048), clips[:, 0]):
        fake = torch.zeros(real.shape, requires_grad=True)
        loss = MultiResolutionSTFT()(fake, real)
        loss.backward()
        assert loss.isfinite()
        assert fake.grad.isfinite().all()


def test_stft_distance_of_wrong_audio_raises():
    measure = MultiResolutionSTFT()
    with pytest.raises(ParameterError, match="must have one shape"):
        measure(torch.zeros(1, 2048), torch.zeros(1, 2047))
    with pytest.raises(ParameterError, match="at least 1025 samples are needed"):
        measure(torch.zeros(1, 1024), torch.zeros(1, 1024))
