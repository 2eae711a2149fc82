"""The report of what the released networks score, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge.modelfile import LABELS
from train.report.scores_targets import (
    SLICE_TARGET,
    Headline,
    classifier_headlines,
    closeup_headlines,
    detector_headlines,
    pair_headlines,
)
from train.report.tables import percent, percent_interval, slices_side_by_side

MISTAKES = 25

_WORDS = {
    "with_mask": "a mask", "without_mask": "no mask", "incorrect_mask": "a mask worn wrongly",
    "face": "a face of unknown state",
}

CAPTIONS = {
    "detector": "Precision over recall of the face detector, in gate range and close",
    "confusion": "Confusion of the three answers",
    "reliability": "How often answers are right over how sure they are",
    "incorrect": "Precision over recall of masks worn wrongly",
    "slices_classifier": "With/without per slice, with 95 % intervals",
    "slices_detector": "Recall of the face detector per slice, with 95 % intervals",
    "slices_pair": "Faces found, and found and judged right, per slice, with 95 % intervals",
    "closeups": "Faces found over the share of the frame they take",
}

_SLICE_INTRO = """\
A slice is a set of faces that have something in common, measured from the picture and the \
labels alone, never from what a network answers.
Thresholds were set by looking at sheets of faces, not at scores.
Below 20 faces nothing is claimed; the count stands alone."""


def scores_text(
    scores: Mapping[str, Any], command: str, charts: str, names: Sequence[str]
) -> str:
    """Return the report on *scores*, which ``train.evaluate.scores.score_models`` returned.

    *command* is what makes the report anew.  *charts* is the folder of the drawings beside the
    report, *names* those that are in it.
    """
    parts = [
        "# What the released networks score",
        _preface(scores, command),
        "## Against the targets", _headlines(scores),
        "## The mask classifier", *_classifier(scores["classifier"]),
        "## The face detector", *_detector(scores["detector"]),
        "## Faces that fill the frame", *_closeups(scores["closeups"], scores["models"]),
        "## End to end", *_pair(scores["pair"], scores["models"]),
        "## How the slices are cut", *_meanings(scores),
        "## Mistakes", *_mistakes(scores),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    for name in names:
        text = text.replace(f"<{name}>", f"![{CAPTIONS[name]}]({charts}/{name}.svg)")
    return text


def _preface(scores: Mapping[str, Any], command: str) -> str:
    models = _table(
        ["network", "file", "version", "SHA-256"],
        [
            (kind, f"`{one['file']}`", one["version"], f"`{one['sha256']}`")
            for kind, one in scores["models"].items()
        ],
    )
    faces, found = scores["classifier"], scores["detector"]
    data = _table(
        ["validation split of", "pictures", "faces", "left out", "checksum"],
        [
            ("faces", "one a face", f"{faces['faces']:,}",
             f"{faces['synthetic_left_out']} synthetic, {len(faces['broken'])} broken",
             f"`{faces['data_checksum']}`"),
            ("detection", found["pictures"], f"{found['ranges']['all']['faces']:,}",
             f"{len(found['broken'])} broken", f"`{found['data_checksum']}`"),
        ],
    )
    return (
        f"Written by\n\n```sh\n{command}\n```\n\n{models}\n\n{data}\n\n"
        "No network learnt from these faces or from near-duplicates of them.  The classifier's "
        "temperature and the detector's threshold were set on them, and settings were chosen by "
        "them: unseen photographs from other places are the harder test.\n"
        "Numbers are percentages.  In brackets are 95 % bootstrap intervals; near-duplicates are "
        "drawn together.\n"
        "*Gate range* is a face whose longer side is 4 % of the picture's or more, about three "
        "metres from a Pi camera; *close* is 8 %."
    )


def _headlines(scores: Mapping[str, Any]) -> str:
    judged = scores["classifier"]
    rows = [
        *_rows("detector", detector_headlines(scores["detector"])),
        *_rows("detector", closeup_headlines(scores["closeups"])),
        *_rows("classifier", classifier_headlines(judged)),
        *_rows("pair", pair_headlines(scores["pair"])),
    ]
    table = _table(["", "figure", "target", "measured", "faces", ""], rows, text=3)
    note = (
        "*Within the error*: the interval reaches to the other side of the target.\n"
        "All labels are taken as their sources give them.\n"
        "What YuNet and others score on the same pictures: [peers.md](peers.md)."
    )
    if "without_disputed" not in judged:
        return f"{table}\n\n{note}"
    kept = judged["without_disputed"]
    second = _table(
        ["", "figure, disputed labels left out", "target", "measured", "faces", ""],
        _rows("classifier", classifier_headlines(kept)), text=3,
    )
    looked = sum(judged["appearance_seen"].values())
    return (
        f"{table}\n\n{note}\n\n{judged['disputed']} labels of the faces are in dispute: a look "
        "at the picture says otherwise, as `train/labels/disputed.csv` lists.\n"
        + (f"Only clear cases are listed; {looked:,} faces were looked at closely.\n"
           if looked else "")
        + f"The same figures over the other {kept['faces']:,} faces:\n\n{second}"
    )


def _rows(network: str, headlines: Iterable[Headline]) -> list[tuple[Any, ...]]:
    return [
        (network, one.name, one.wanted, one.measured, f"{one.faces:,}", one.verdict)
        for one in headlines
    ]


def _classifier(result: Mapping[str, Any]) -> list[str]:
    confusion = _table(
        ["true, below; said, right", *LABELS, "recall", "precision"],
        [
            (
                label, *counts, percent(result["classes"][label]["recall"]),
                percent(result["classes"][label]["precision"]),
            )
            for label, counts in zip(LABELS, result["confusion"], strict=True)
        ],
    )
    kept = result.get("without_disputed", {}).get("slices", {})
    slices = _table(
        ["slice", "faces: masked + bare + incorrect", "with/without",
         *(["disputed left out"] if kept else []), "accuracy of three", "incorrect, recall"],
        [
            (
                _claim(name, entry),
                f"{entry['faces']:,}: {entry['masked']} + {entry['bare']} + {entry['incorrect']}",
                _starred(entry), *([_starred(kept[name])] if kept else []),
                percent_interval(entry["accuracy"]), percent_interval(entry["incorrect_recall"]),
            )
            for name, entry in result["slices"].items()
        ],
    )
    stated = [e for e in result["slices"].values() if e["with_without"]["value"] is not None]
    below = sum(e["with_without"]["value"] < SLICE_TARGET for e in stated)
    return [
        f"Accuracy of three is {percent_interval(result['accuracy'])}; *incorrect* has a recall "
        f"of {percent_interval(result['incorrect_recall'])} at a precision of "
        f"{percent_interval(result['incorrect_precision'])} when the likeliest answer counts.",
        confusion,
        "<confusion> <reliability>",
        "<incorrect>",
        "### The classifier per slice and per source",
        _SLICE_INTRO,
        f"{below} of {len(stated)} slices with a claim lie below {SLICE_TARGET:.0%} "
        "(marked in bold).",
        slices,
        "\\* Hardly any of one kind: the share of right answers, not a balanced one.",
        "<slices_classifier>",
    ]


def _claim(name: str, entry: Mapping[str, Any]) -> str:
    value = entry["with_without"]["value"]
    return f"**{name}**" if value is not None and value < SLICE_TARGET else name


def _starred(entry: Mapping[str, Any]) -> str:
    text = percent_interval(entry["with_without"])
    unbalanced = not entry["balanced"] and entry["with_without"]["value"] is not None
    return f"{text} \\*" if unbalanced else text


def _detector(result: Mapping[str, Any]) -> list[str]:
    ranges = result["ranges"]
    overall = _table(
        ["range", "faces", "AP50", "recall", "at score"],
        [
            (
                name, f"{entry['faces']:,}", percent_interval(entry["average_precision"]),
                percent_interval(entry["recall"]), f"{entry['score_threshold']:.3f}",
            )
            for name, entry in ranges.items()
        ],
    )
    labels = _table(
        ["recall of", *(f"{name} (faces)" for name in ranges)],
        [
            (
                _WORDS[label],
                *(
                    f"{percent_interval(entry['labels'][label]['recall'])} "
                    f"({entry['labels'][label]['faces']:,})"
                    for entry in ranges.values()
                ),
            )
            for label in (*LABELS, "face")
        ],
    )
    cut = {name: entry["slices"] for name, entry in ranges.items() if "slices" in entry}
    return [
        f"Recall is stated where false faces are {result['false_positives_per_picture']:g} a "
        "picture, at one threshold per range; COCO evaluation at IoU 0.5 with ignore regions.\n"
        "Faces of unknown state, which their sources could not tell or which are hidden, count "
        "as faces to find.",
        overall, labels, "<detector>",
        "### The detector per slice and per source", _shares(cut, ["recall"]), "<slices_detector>",
    ]


def _closeups(result: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    table = _table(
        ["face's share of the frame's width", "found", *(f"found, {name}" for name in LABELS)],
        [
            (
                f"{float(share):.0%}", percent_interval(entry["recall"]),
                *(percent_interval(entry["labels"][label]) for label in LABELS),
            )
            for share, entry in result["shares"].items()
        ],
    )
    return [
        f"{result['faces']} close faces, each cut out anew into a 640 x 480 frame so that it "
        f"takes the share given; {_threshold(models)}.",
        table, "<closeups>",
    ]


def _pair(result: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    shares = _table(
        ["close faces", "faces", "found", "found and right"],
        [
            (
                name, entry["faces"], percent_interval(entry["found"]),
                percent_interval(entry["found_and_right"]),
            )
            for name, entry in result["close_faces"].items()
        ],
    )
    titles = {"masked": "on a masked face", "nothing": "on no face", "all": "together"}
    wrong = _table(
        ["wrong alerts, gate range", "per 100 pictures"],
        [
            (titles[name], _plain_interval(entry))
            for name, entry in result["wrong_alerts_per_100_pictures"].items()
        ],
    )
    return [
        f"Both networks, one picture at a time; {_threshold(models)}.  A wrong alert is a "
        "detection called bare or wrongly worn on a face labelled masked, or on nothing.",
        shares, wrong,
        "### End to end per slice",
        _shares({"close": result["slices"]}, ["found", "found_and_right"]),
        "<slices_pair>",
    ]


def _threshold(models: Mapping[str, Any]) -> str:
    value = models["face-detector"]["score_threshold"]
    return "the detector at its own threshold" + ("" if value is None else f" of {value:g}")


def _shares(
    columns: Mapping[str, Mapping[str, Mapping[str, Any]]], kinds: Sequence[str]
) -> str:
    return _table(*slices_side_by_side("slice", columns, kinds))


def _meanings(scores: Mapping[str, Any]) -> list[str]:
    rules = scores["detector"]["slice_meanings"] | scores["classifier"]["slice_meanings"]
    parts = [_table(["slice", "holds the faces where"], list(rules.items()), text=2)]
    seen = scores["classifier"]["appearance_seen"]
    if seen:
        told = ", ".join(f"{name} {count}" for name, count in sorted(seen.items()))
        parts.append(
            "Mask colour, beard, hand and glasses were labelled by eye on "
            f"{sum(seen.values())} faces of the classifier's ({told}), "
            "`train/labels/appearance.csv`; answers that were not sure are in no slice."
        )
    return parts


def _mistakes(scores: Mapping[str, Any]) -> list[str]:
    judged, found = scores["classifier"], scores["detector"]
    wrong = judged["mistakes"]
    kinds = Counter((one["given"], one["said"]) for one in wrong)
    told = "; ".join(
        f"{count} times {_WORDS[given]} was called {_WORDS[said]}"
        for (given, said), count in sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
    )
    disputed = sum(one["disputed_as"] is not None for one in wrong)
    parts = [
        f"The classifier judges {len(wrong)} of {judged['faces']:,} faces wrong, {disputed} of "
        f"them with a disputed label: {told or 'none'}.",
    ]
    if wrong:
        parts += ["Its surest mistakes:", _list(_judged_wrong(one) for one in wrong[:MISTAKES])]
    if found["false_faces"]:
        parts += [
            "The detector's surest false faces, in gate range:",
            _list(
                f"`{one['file']}`: {one['score']:.2f} at {_place(one)}"
                for one in found["false_faces"]
            ),
        ]
    if found["missed_faces"]:
        parts += [
            "The largest close faces it misses:",
            _list(
                f"`{one['file']}`: {_WORDS[one['label']]}, {one['share']:.0%} of the picture"
                f"{_remarks(one)}"
                for one in found["missed_faces"]
            ),
        ]
    return parts


def _judged_wrong(one: Mapping[str, Any]) -> str:
    text = (
        f"`{one['file']}`: {_WORDS[one['given']]}, called {_WORDS[one['said']]} "
        f"({one['probability']:.2f}){_remarks(one)}"
    )
    seen = one["disputed_as"]
    if seen is None:
        return text
    return f"{text}; disputed, " + (f"shows {_WORDS[seen]}" if seen in _WORDS else seen)


def _remarks(one: Mapping[str, Any]) -> str:
    return "".join(f"; {_remark(key)}" for key in one["remarks"])


def _remark(key: str) -> str:
    family, name = key.split(": ")
    if name == "yes":
        return family
    return {"view": f"view {name}", "mask colour": f"{name} mask"}.get(family, name)


def _place(one: Mapping[str, Any]) -> str:
    x0, y0, x1, y1 = (round(value) for value in one["box"])
    return f"x {x0} to {x1}, y {y0} to {y1}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _plain_interval(entry: Mapping[str, Any]) -> str:
    text = f"{entry['value']:.1f}"
    return f"{text} [{entry['low']:.1f}, {entry['high']:.1f}]" if "low" in entry else text


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]], text: int = 1) -> str:
    """Return a Markdown table whose first *text* columns are left-aligned, the rest right."""
    rule = ["---" if place < text else "---:" for place in range(len(head))]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
        for row in (head, rule, *rows)
    )
