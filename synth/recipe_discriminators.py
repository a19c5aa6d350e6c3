"""The discriminators of a recipe, and what a network loses by them."""

import torch
from torch import Tensor, nn

from synth.losses import feature_matching
from synth.recipes import Recipe


class RecipeDiscriminators(nn.ModuleDict):
    """Discriminators by name. Audio is (batch, 1, samples), real or made by a network (fake)."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__({name: make() for name, (make, _) in recipe.discriminators.items()})
        self.recipe = recipe

    def own_losses(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss of each discriminator."""
        return {
            name: self.recipe.discriminator_loss(discriminator(real), discriminator(fake))
            for name, discriminator in self.items()
        }

    def losses_of_network(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the weighted adversarial and feature losses of the network that made `fake`."""
        losses = {}
        recipe = self.recipe
        for name, discriminator in self.items():
            discriminator.requires_grad_(False)
            of_fake = discriminator(fake)
            with torch.no_grad():
                of_real = discriminator(real)
            discriminator.requires_grad_(True)
            weight = recipe.discriminators[name][1]
            matching = weight * recipe.feature * feature_matching(of_real, of_fake)
            losses[f"adversarial_{name}"] = weight * recipe.generator_loss(of_fake)
            losses[f"feature_{name}"] = matching / (len(of_fake) if recipe.feature_is_mean else 1)
        return losses
