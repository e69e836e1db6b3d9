"""Networks as data: layers, optimisers, and what they become in a plan."""

from tinydream.network.layers import SGD, Adam, Dense, Network, Relu, Sigmoid, Softmax

__all__ = ["SGD", "Adam", "Dense", "Network", "Relu", "Sigmoid", "Softmax"]
