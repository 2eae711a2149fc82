"""In the child: faces of a data set as small pictures for the page."""

from __future__ import annotations

from pathlib import Path

from edge.modelfile import read_model, released_model
from edge.vision.crop import crop_face
from train.data.pictures import read_picture
from train.studio.messages import Crops, CropsAsked, Pixels, packed, unpacked
from train.studio.seeing import pixels_of


def cut_faces(request: bytes) -> bytes:
    """Answer a ``CropsAsked`` with ``Crops``, cut as the classifier is given them."""
    asked = unpacked(request, CropsAsked)
    card = read_model(released_model("mask-classifier"), "mask-classifier").card
    crops: list[Pixels | None] = []
    for file, box in zip(asked.files, asked.boxes, strict=True):
        image = read_picture(Path(file))
        try:
            crops.append(
                None if image is None
                else pixels_of(
                    crop_face(image, box, margin=card.crop_margin or 0.0, size=asked.side)
                )
            )
        except ValueError:
            crops.append(None)
    return packed(Crops(tuple(crops)))
