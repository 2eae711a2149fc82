"""maskgate's device runtime: a camera in, verdicts on people out, a buzzer and a light driven."""

__version__ = "0.1.0"
