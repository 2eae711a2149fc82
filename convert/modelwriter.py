"""Writes model files: flatbuffer, metadata, labels and card in one ``.tflite``."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping

from convert.graph import with_metadata
from convert.metadata import LABELS_NAME, Description, build_metadata
from edge.modelfile import CARD_NAME, ModelCard

AUTHOR = "the maskgate authors"
LICENSE = "Apache-2.0"
# Fixed, so that the same input gives the same file; the earliest date a zip can hold.
_DATE = (1980, 1, 1, 0, 0, 0)


def assemble(
    network: bytes, card: ModelCard, outputs: Mapping[str, str], labelled: str | None
) -> bytes:
    """Return the bytes of a model file: *network* with metadata, then labels and *card*.

    *outputs* maps each output tensor to a sentence on it; *labelled* names the one whose
    last axis ``labels.txt`` stands for.  The card's ``network_sha256`` is filled in.  The
    same arguments give the same bytes.
    """
    about = Description(
        name=card.name,
        description=f"maskgate {card.kind}, version {card.version}; see {CARD_NAME} inside",
        version=str(card.version),
        author=AUTHOR,
        license=LICENSE,
        outputs=outputs,
        labelled_output=labelled,
        card_name=CARD_NAME,
    )
    described = with_metadata(network, build_metadata(about, card.input))
    digest = hashlib.sha256(described).hexdigest()
    members = {
        LABELS_NAME: "".join(f"{label}\n" for label in card.labels),
        CARD_NAME: card_json(dataclasses.replace(card, network_sha256=digest)),
    }
    file = io.BytesIO(described)
    # Mode "a" on bytes that are no archive appends one.  Members are stored, not deflated:
    # the C++ metadata reader on phones takes nothing else.
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), text.encode("utf-8"))
    return file.getvalue()


def card_json(card: ModelCard) -> str:
    """Return *card* as the JSON text that :func:`edge.modelfile.parse_card` reads.

    Raises ValueError for NaN or infinity, which JSON does not know.
    """
    return json.dumps(dataclasses.asdict(card), indent=1, allow_nan=False) + "\n"
