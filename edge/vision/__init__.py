"""From a picture to faces and their mask probabilities: plain functions over numpy arrays."""
