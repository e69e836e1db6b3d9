"""Columns of numbers as unsigned integers, by whichever way needs fewest bits, and back."""
