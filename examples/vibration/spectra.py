"""Vibration in, spectra out: `spectra.py IN.npz OUT.npz`; each row of x_... as 64 bands."""

import sys

import numpy as np

BANDS = 64
LEAST = 1e-6  # of power: a machine that stands still has no logarithm of minus infinity


def spectra(x: np.ndarray) -> np.ndarray:
    """Rows of samples (n, length) as log10 of power in bands (n, 64), float32.

    The mean is taken off first; a Hann window keeps a strong tone out of bands that are far from
    it. A device that samples by itself has to compute the same.
    """
    x = x.astype(np.float64)
    x = (x - x.mean(axis=1, keepdims=True)) * np.hanning(x.shape[1])
    power = np.abs(np.fft.rfft(x)[:, 1:]) ** 2
    bands = power.reshape(len(x), BANDS, -1).mean(axis=2)
    return np.log10(bands + LEAST).astype(np.float32)


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as file:
        arrays = dict(file)
    made = {name: spectra(x) if name.startswith("x_") else x for name, x in arrays.items()}
    np.savez(sys.argv[2], **made)
