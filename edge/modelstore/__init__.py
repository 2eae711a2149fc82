"""A copied ``.tflite``: verified, tried, swapped in, watched, kept or rolled back."""
