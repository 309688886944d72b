"""What a network's output means: the clean picture x0, the noise eps or the velocity v; and how they convert.

x_t = alpha x0 + sigma eps, and v = alpha eps - sigma x0 (Salimans & Ho 2022, appendix D). With
alpha^2 + sigma^2 = 1 each of the three determines the other two once x_t is known. `alpha` and `sigma` are
numbers, or tensors that broadcast against the pictures.
"""

from torch import Tensor


def add_noise(x0: Tensor, eps: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """x_t, the noisy picture."""
    return alpha * x0 + sigma * eps


def velocity(x0: Tensor, eps: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """v, what our networks are trained to predict."""
    return alpha * eps - sigma * x0


def x0_from_velocity(x_t: Tensor, v: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """x0 = alpha x_t - sigma v."""
    return alpha * x_t - sigma * v


def eps_from_velocity(x_t: Tensor, v: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """eps = sigma x_t + alpha v."""
    return sigma * x_t + alpha * v


def eps_from_x0(x_t: Tensor, x0: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """eps = (x_t - alpha x0) / sigma; undefined without noise (sigma = 0)."""
    return (x_t - alpha * x0) / sigma


def x0_from_eps(x_t: Tensor, eps: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
    """x0 = (x_t - sigma eps) / alpha; undefined without signal (alpha = 0)."""
    return (x_t - sigma * eps) / alpha
