"""Other people's face detectors beside ours, fed and read as their authors do it.

Nothing here is shipped to a device or trained from.  One module a family says how its picture
is prepared and its tensors become boxes: ``aizoo``, ``ultraface``, ``yunet``, ``blazeface``.
:mod:`train.evaluate.peers.known` tells the families' files by name,
:mod:`train.evaluate.peers.compare` measures all of them alike, and ``scripts/compare_peers``
is the program.
"""
