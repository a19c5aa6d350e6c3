"""Options for training a mel codec, and the checks that they fit together."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from files.errors import ParameterError
from files.ranges import check_integer, shown
from synth.codecs.mel_codec import MelCodecModel
from synth.codecs.mel_codec_network import MelCodecConfig
from synth.codecs.mel_codec_sizes import MelCodecSizes
from synth.limits import MOST_FRAMES
from synth.mel_statistics import WINDOW_FRAMES
from synth.recipes import CODEC_RECIPES
from synth.train import AudioTrainingOptions

SIZES = tuple(asdict(MelCodecConfig()))  # names


@dataclass(frozen=True)
class CodecOptions(AudioTrainingOptions):
    """Options for training a codec; `synth.codecs.mel_codec_sizes` explains the sizes."""

    architecture: ClassVar[str] = "mel-codec"
    batch_size: int = MelCodecSizes.batch_size
    stride: int = MelCodecSizes.stride
    width: int = MelCodecSizes.width
    encoder_layers: int = MelCodecSizes.encoder_layers
    decoder_layers: int = MelCodecSizes.decoder_layers
    n_latents: int = MelCodecSizes.n_latents
    n_codebooks: int = MelCodecSizes.n_codebooks
    codebook_size: int = MelCodecSizes.codebook_size
    segment_frames: int = MelCodecSizes.segment_frames
    discriminators: str | None = None  # recipe by which only the decoder is trained

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config()  # refuses sizes that do not fit
        check_integer("segment_frames", self.segment_frames, 1, MOST_FRAMES)
        if self.segment_frames % self.stride:
            raise ParameterError(
                f"segment_frames={self.segment_frames} must be a multiple of stride={self.stride}"
            )

        if self.discriminators is not None:
            self._check_discriminators()

    def _check_discriminators(self) -> None:
        if self.discriminators not in CODEC_RECIPES:
            raise ParameterError(
                f"discriminators={shown(self.discriminators)} are not known; choose"
                f" {' or '.join(CODEC_RECIPES)}"
            )
        if self.segment_frames < WINDOW_FRAMES:
            raise ParameterError(
                f"segment_frames={self.segment_frames} must be at least {WINDOW_FRAMES} for"
                " discriminators, to measure how varied what is decoded is"
            )

    @staticmethod
    def sizes_of(start: MelCodecModel) -> dict[str, Any]:
        """Return the options that are decided by the codec to start from."""
        return asdict(start.config)

    def config(self) -> MelCodecConfig:
        return MelCodecConfig(**{name: getattr(self, name) for name in SIZES})
