"""Multilayer perceptrons trained on the CPU."""
