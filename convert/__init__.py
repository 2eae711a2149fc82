"""From a trained Keras model to one self-describing int8 ``.tflite`` that proves it is right."""
