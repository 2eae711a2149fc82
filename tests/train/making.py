"""Small data sets that the tests make: cartoon faces whose class is plain to see."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np

from edge.modelfile import LABELS
from train.data.faces_csv import LANDMARKS

SIDE = 64
BOX = (16.0, 12.0, 32.0, 40.0)
POINTS = (25, 27, 39, 27, 32, 34, 26, 42, 38, 42)


def face_picture(label: str, seed: int) -> np.ndarray:
    """Return a cartoon face, (64, 64, 3): a skin oval, two eyes, a blue mask where *label* says."""
    rng = np.random.default_rng(seed)
    image = rng.integers(60, 200, (8, 8, 3), dtype=np.uint8)
    image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    cv2.ellipse(image, (32, 32), (16, 20), 0, 0, 360, (120, 150, 210), -1)
    for x in (25, 39):
        cv2.circle(image, (x, 27), 2, (20, 20, 20), -1)
    tops = {"with_mask": 33, "incorrect_mask": 44}
    if label in tops:
        cv2.rectangle(image, (18, tops[label]), (46, 51), (220, 140, 60), -1)
    else:
        cv2.line(image, (27, 43), (37, 43), (60, 60, 160), 2)
    return image


def write_picture(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def face_rows(folder: Path, count: int, first: int = 0, source: str = "made") -> list[dict]:
    """Write *count* pictures into *folder*/images and return their CSV rows."""
    rows = []
    for number in range(first, first + count):
        label = LABELS[number % 3]
        name = f"{number:03d}.png"
        write_picture(folder / "images" / name, face_picture(label, number))
        rows.append(
            {
                "file": name, **dict(zip("xywh", BOX, strict=True)), "label": label,
                "source": source, "group": f"g{number // 2}",
                **dict(zip(LANDMARKS, POINTS, strict=True)),
            }
        )
    return rows


def write_csv(path: Path, rows: list[dict]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def coco_document(folder: Path, labels: list[str]) -> dict:
    """Write a picture a label into *folder*/images and return the COCO document of them."""
    names = [*LABELS, "face"]
    images, annotations = [], []
    for number, label in enumerate(labels):
        name = f"{number}.png"
        write_picture(folder / "images" / name, face_picture(label, number))
        images.append(
            {"id": number, "file_name": name, "width": SIDE, "height": SIDE, "group": f"g{number}"}
        )
        annotations.append(
            {
                "id": number, "image_id": number, "category_id": names.index(label) + 1,
                "bbox": list(BOX), "iscrowd": 0,
            }
        )
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(names)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_json(path: Path, document: dict) -> Path:
    path.write_text(json.dumps(document))
    return path


def detection_folder(folder: Path) -> Path:
    """Write train.json, val.json and pictures of bright squares on dark ground into *folder*."""
    for name, count, first in (("train", 6, 0), ("val", 4, 100)):
        images, annotations = [], []
        for number in range(first, first + count):
            rng = np.random.default_rng(number)
            image = rng.integers(0, 60, (72, 96, 3), dtype=np.uint8)
            side = int(rng.integers(14, 40))
            x, y = (int(v) for v in rng.integers(2, (90 - side, 68 - side)))
            image[y : y + side, x : x + side] = 230
            write_picture(folder / "images" / f"{number}.png", image)
            images.append(
                {
                    "id": number, "file_name": f"{number}.png", "width": 96, "height": 72,
                    "source": "made", "group": f"g{number}",
                }
            )
            annotations.append(
                {
                    "id": number, "image_id": number, "category_id": 1,
                    "bbox": [x, y, side, side], "iscrowd": 0,
                }
            )
        categories = [{"id": 1, "name": "face"}]
        write_json(
            folder / f"{name}.json",
            {"images": images, "annotations": annotations, "categories": categories},
        )
    return folder
