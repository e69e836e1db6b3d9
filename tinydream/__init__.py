"""tinydream: train more with less, on microcontrollers."""
