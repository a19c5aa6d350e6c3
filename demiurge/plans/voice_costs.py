"""What units cost at the steps of a plan of voices, with the other voices as they play."""

import numpy as np

from audio.decibels import to_amplitude, to_decibels
from demiurge.plans.settings import PlanSettings
from demiurge.plans.voice_units import VoiceUnits, kept_target
from playback.plan import Plan, Step
from query.rules import REST
from query.voices.candidates import Others
from query.voices.costs import costs_at_step
from query.voices.pitch import tune
from query.voices.target import VoiceTarget

# of a unit that somebody chooses though it adds nothing to the fit: it is heard nevertheless
LEAST_GAIN_DB = -30.0


class VoiceCosts:
    """The costs of units at steps that have a row of the plan's targets.

    They are those of the search: the divergence of the sum of all voices from the target, and the
    wrong pitch. A unit that the database has not at its transposition is not heard here.

    Attributes
    ----------
    units : VoiceUnits
    """

    def __init__(self, plan: Plan, units: VoiceUnits) -> None:
        """Take a plan that keeps its spectra; raises a PlanError if they have other bands."""
        assert plan.spectra
        self.units = units
        self._plan = plan
        self._follow = PlanSettings.of(plan).search.voices.follow
        self._target = kept_target(plan.spectra, units.spectra.n_bands)

    def at(self, number: int, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return costs and best gains of units at a step, float32, (n,); see `costs_at_step`."""
        return costs_at_step(
            self.units.spectra, positions, self.target(number), self.others(number), self._follow
        )

    def propose(self, number: int, k: int) -> np.ndarray:
        """Return the positions of some k units that fit a step best, int64, (n,)."""
        spectra = self.units.spectra
        allowed = self.units.index.allowed[: spectra.n_units]
        others = self.others(number).spectra
        return spectra.propose(self.target(number).spectra, others, allowed, k)[0]

    def target(self, number: int) -> VoiceTarget:
        """Return the target of one step."""
        row = slice(self._plan.steps[number].target, self._plan.steps[number].target + 1)
        spectra = self.units.spectra.smoothed(self._target.spectra[row])
        return VoiceTarget(spectra, self._target.f0[row])

    def others(self, number: int) -> Others:
        """Return what the other voices play while a step lasts."""
        step = self._plan.steps[number]
        shares = [
            (other, _share(step, other)) for other in self._plan.steps if other.voice != step.voice
        ]
        known = [
            (position, share * to_amplitude(other.gain_db))
            for other, share in shares
            if share > 0 and (position := self.units.position_of(other)) != REST
        ]
        positions = np.array([position for position, _ in known], np.int64)
        gains = np.array([gain for _, gain in known], np.float32)
        total = gains[None] @ self.units.spectra.rows(positions)
        return Others(total, [positions[i : i + 1] for i in range(len(positions))])

    def gain_db(self, number: int, position: int) -> float:
        """Return the gain at which a unit fits best at a step, as loud as can be heard."""
        _, gains = self.at(number, np.array([position]))
        return max(to_decibels(float(gains[0])), LEAST_GAIN_DB)

    def in_tune(self, number: int, position: int) -> float:
        """Return by how much a unit must be transposed further to be in tune with a step."""
        if not self.units.most:
            return 0.0
        f0 = self.units.spectra.f0(np.array([position]))
        return float(tune(f0, self.target(number).f0, np.array([0]))[0])


def _share(step: Step, other: Step) -> float:
    """Return for how much of a step another one plays, 0 to 1."""
    until = min(step.until_sample, other.until_sample)
    return max(until - max(step.at_sample, other.at_sample), 0) / step.n_samples
