"""The workstation side: data sets, augmentation, training and evaluation of both networks."""
