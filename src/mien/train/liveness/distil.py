"""Distillation: each trunk learns what its teacher says of the crops."""

# mypy: disable-error-code="misc,no-untyped-call,no-any-return"
from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.liveness.minifasnet import LIVE
from mien.train.liveness.config import Recipe
from mien.train.liveness.crops import CropSet
from mien.train.liveness.net import Tensors, Trunk, thinned, trunk_like
from mien.train.liveness.teachers import live_score, softmax

__all__ = ["Lessons", "distil", "features", "fit_head", "targets"]

Say = Callable[[str], None]

LIMIT = 6.0
"""Log-odds beyond which it does not matter how sure a teacher is."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """Crops of one size and what is to be said of them.

    Attributes:
        pixels: ``(n, 80, 80, 3)`` uint8 RGB.
        wanted: ``(n, 3)``, probabilities: what the teacher says.
        final: the same for the last layer, moved towards the truth.
    """

    pixels: NDArray[np.uint8]
    wanted: NDArray[np.float32]
    final: NDArray[np.float32]

    def batch(self, index: NDArray[np.intp]) -> tuple[torch.Tensor, torch.Tensor]:
        """Images ``(n, 3, 80, 80)`` BGR 0..255, and what is wanted of them."""
        seen = self.pixels[index][..., ::-1].transpose(0, 3, 1, 2)
        image = torch.from_numpy(np.ascontiguousarray(seen)).float()
        return image, torch.from_numpy(self.wanted[index])


def targets(
    logits: NDArray[np.float32], crops: CropSet, recipe: Recipe, which: int
) -> NDArray[np.float32]:
    """What the last layer is to say: what its teacher says, of attacks moved towards the truth.

    Args:
        logits: of the teachers, ``(n, 2 nets, 3)``.
        crops: that they are of.
        recipe: how far, and of which attacks.
        which: of the nets.
    """
    wanted = softmax(logits[:, which])
    both = live_score(logits)
    blind = crops.attack & (both >= recipe.blind_from)
    live = wanted[..., LIVE] * np.where(blind, 1 - recipe.true_weight, 1)
    others = (1 - live) / np.maximum(1 - wanted[..., LIVE], 1e-9)
    wanted = wanted * others[..., None]
    wanted[..., LIVE] = live
    sure = wanted.sum(-1) < 0.999  # the teacher gave the others nothing to share out
    wanted[sure, 2] += 1 - wanted[sure].sum(-1)
    return wanted.astype(np.float32)


def distil(
    teacher: Tensors, lessons: Lessons, check: Lessons, recipe: Recipe, *, say: Say = print
) -> Trunk:
    """A trunk that learnt the lessons; of all epochs the one that did best on ``check``.

    Args:
        teacher: tensors of the published checkpoint, which a trunk begins as a thinned copy of.
        lessons: to train on.
        check: faces and scenes that are not trained on.
        recipe: how.
        say: told of each epoch.
    """
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    random = np.random.default_rng(recipe.seed)
    if recipe.keep > 0:
        some = random.choice(len(lessons.pixels), min(96, len(lessons.pixels)), replace=False)
        images = lessons.batch(np.sort(some))[0]
        net = thinned(teacher, images, keep=recipe.keep)
    else:
        net = trunk_like(teacher, keep=0.5)
    if recipe.epochs:
        net = _fit(net, lessons, check, recipe, random, say)
    fit_head(net, features(net, lessons.pixels), lessons.final, pull=recipe.pull)
    say(f"head fitted: held out {_checked(net, check):.4f}")
    return net


def features(net: Trunk, pixels: NDArray[np.uint8]) -> torch.Tensor:
    """What the head looks at, of crops: ``(n, last)``."""
    net.eval()
    parts = np.array_split(np.arange(len(pixels)), max(1, len(pixels) // 128))
    nothing = np.zeros((len(pixels), 3), np.float32)
    with torch.no_grad():
        shown = Lessons(pixels, nothing, nothing)
        return torch.cat([net.features(shown.batch(one)[0]) for one in parts])


def fit_head(net: Trunk, seen: torch.Tensor, wanted: NDArray[np.float32], *, pull: float) -> None:
    """Fit the last layer alone: a convex problem, solved by L-BFGS (Liu and Nocedal 1989).

    Args:
        net: whose head is fitted.
        seen: what it looks at, ``(n, last)``.
        wanted: probabilities, ``(n, 3)``.
        pull: how strongly each weight is held to what it was, by the deviation of its feature.
    """
    spread = seen.std(0).clamp_min(1e-6)
    middle = seen.mean(0)
    scaled, targets = (seen - middle) / spread, torch.from_numpy(wanted)
    begun = net.head.weight.detach() * spread
    weight = begun.clone().requires_grad_(True)
    bias = (net.head.bias + net.head.weight @ middle).detach().clone().requires_grad_(True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def step() -> torch.Tensor:
        solver.zero_grad()
        logits = scaled @ weight.T + bias
        loss = _loss(logits, targets) + pull * (weight - begun).square().sum()
        loss.backward()
        return loss

    solver.step(step)
    with torch.no_grad():
        net.head.weight.copy_(weight / spread)
        net.head.bias.copy_(bias - net.head.weight @ middle)


def _fit(
    net: Trunk,
    lessons: Lessons,
    check: Lessons,
    recipe: Recipe,
    random: np.random.Generator,
    say: Say,
) -> Trunk:
    drawn = min(recipe.crops, len(lessons.pixels))
    steps = max(1, drawn // recipe.batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    plan = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=steps * recipe.epochs, pct_start=0.15
    )
    best, least, waited = copy.deepcopy(net), _checked(net, check), 0
    say(f"begun: held out {least:.4f}")
    for epoch in range(recipe.epochs):
        net.train(recipe.keep == 0)  # statistics that were fitted to the teacher stay
        order = random.permutation(len(lessons.pixels))[:drawn]
        total = 0.0
        for step in range(steps):
            index = np.sort(order[step * recipe.batch : (step + 1) * recipe.batch])
            image, wanted = lessons.batch(index)
            loss = _loss(net(image), wanted)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            plan.step()
            total += loss.item()
        reached = _checked(net, check)
        say(f"epoch {epoch + 1}: loss {total / steps:.4f}, held out {reached:.4f}")
        if reached < least:
            best, least, waited = copy.deepcopy(net), reached, 0
        else:
            waited += 1
            if waited > recipe.patience:
                break
    return best.eval()


def _loss(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Cross-entropy less the wanted's own, and how far the log-odds of a live face are off."""
    spoken = torch.log_softmax(logits, 1)
    apart = (wanted * (wanted.clamp_min(1e-9).log() - spoken)).sum(1).mean()
    said = spoken[:, LIVE] - torch.log1p(-spoken[:, LIVE].exp().clamp(max=1 - 1e-6))
    asked = torch.logit(wanted[:, LIVE], 1e-6)
    odds = nn.functional.smooth_l1_loss(said.clamp(-LIMIT, LIMIT), asked.clamp(-LIMIT, LIMIT))
    return apart + 0.1 * odds


def _checked(net: Trunk, check: Lessons) -> float:
    net.eval()
    losses = []
    with torch.no_grad():
        for first in range(0, len(check.pixels), 128):
            index = np.arange(first, min(first + 128, len(check.pixels)))
            image, wanted = check.batch(index)
            losses.append(_loss(net(image), wanted).item() * len(index))
    return sum(losses) / len(check.pixels)
