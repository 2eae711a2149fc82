"""The pages' plots, as Altair charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from edge.gate.decision import DecisionSettings
from train.studio.colours import BLUE, GREY, VERDICT_COLOURS, VERDICT_WORDS, VERMILION
from train.studio.sequential import Story

_VERDICTS = ("mask", "no_mask", "incorrect", "unsure")
_WORDS = [VERDICT_WORDS[v] for v in _VERDICTS]
_COLOURS = [VERDICT_COLOURS[v] for v in _VERDICTS]
_LOOKS = {"counted": 90, "not needed": 45, "no evidence": 110}
"""What a look was worth, and the area of its sign in square pixels."""


def evidence_chart(story: Story, settings: DecisionSettings) -> Any:
    """Return a person's evidence over time as the sequential test sees it, with its bounds.

    Above the upper bound the person is called out, below the lower one let pass; between them
    nothing is decided yet.  A dot is a look that counted, a cross one that was no evidence.
    """
    high, low = settings.alarm_bound, -settings.pass_bound
    reach = settings.floor + 0.6
    rows = pd.DataFrame([_row(moment) for moment in story.moments])
    start, end = rows["seconds"].min(), max(rows["seconds"].max(), rows["seconds"].min() + 0.5)
    x = alt.X("seconds:Q", title="seconds", scale=alt.Scale(domain=[start, end], nice=False))
    y = alt.Y("evidence:Q", title="evidence, log odds", scale=alt.Scale(domain=[-reach, reach]))
    zones = alt.Chart(
        pd.DataFrame({"from": [high, -reach], "to": [reach, low], "zone": ["out", "pass"]})
    ).mark_rect(opacity=0.16).encode(
        y=alt.Y("from:Q", title="evidence, log odds"), y2="to:Q",
        color=alt.Color("zone:N", legend=None, scale=alt.Scale(
            domain=["out", "pass"], range=[VERMILION, BLUE]
        )),
    )
    bounds = pd.DataFrame({
        "bound": [high, low],
        "words": [
            f"from here on called out (wrongly {settings.false_alarm_rate:.1%} at most)",
            f"from here on let pass (wrongly {settings.miss_rate:.1%} at most)",
        ],
    })
    rules = alt.Chart(bounds).mark_rule(strokeDash=[5, 4], strokeWidth=1.5).encode(y="bound:Q")
    labels = [
        alt.Chart(bounds.iloc[[i]]).mark_text(
            align="right", dx=-6, dy=dy, fontSize=12, color=GREY
        ).encode(x=alt.value("width"), y="bound:Q", text="words:N")
        for i, dy in ((0, 11), (1, -10))
    ]
    line = alt.Chart(rows).mark_line(
        color="#666", strokeWidth=2, interpolate="step-after"
    ).encode(x=x, y=y)
    dots = alt.Chart(rows).mark_point(filled=True, opacity=1).encode(
        x=x, y=y,
        color=alt.Color("verdict:N", title="verdict then", legend=alt.Legend(orient="top"),
                        scale=alt.Scale(domain=_WORDS, range=_COLOURS)),
        shape=alt.Shape("look:N", title="the look", legend=alt.Legend(orient="bottom"),
                        scale=alt.Scale(domain=list(_LOOKS),
                                        range=["circle", "triangle-up", "cross"])),
        # Square pixels as they are: a scale would put words in a row from small to large.
        size=alt.Size("area:Q", scale=None),
        tooltip=[
            alt.Tooltip("seconds:Q", format=".2f"), "verdict:N",
            alt.Tooltip("evidence:Q", format=".2f"), "said:N", "look:N", "lacks:N",
        ],
    )
    layers = [zones, rules, *labels, line, dots]
    decided = story.moments[-1].known.decided_at
    if decided is not None:
        when = pd.DataFrame({"seconds": [decided], "words": [f"decided at {decided:.2f} s"]})
        layers += [
            alt.Chart(when).mark_rule(color=GREY, strokeWidth=1.5).encode(x=x),
            alt.Chart(when).mark_text(
                align="left", dx=6, dy=14, fontSize=12, fontWeight="bold"
            ).encode(x=x, y=alt.datum(0), text="words:N"),
        ]
    return alt.layer(*layers).resolve_scale(color="independent").properties(height=430)


def history_chart(
    histories: Mapping[str, Sequence[Mapping[str, float]]], names: Sequence[str], title: str
) -> Any:
    """Return the columns *names* of runs' histories over the epochs, a colour a run and a dash a
    column; *histories* are rows by run."""
    rows = pd.DataFrame([
        {"epoch": row["epoch"], "value": row[name], "run": run, "what": _column_words(name)}
        for run, history in histories.items() for row in history for name in names
        if name in row and "epoch" in row
    ], columns=["epoch", "value", "run", "what"])
    return alt.Chart(rows).mark_line(point=True).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(nice=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        color=alt.Color("run:N" if len(histories) > 1 else "what:N",
                        legend=alt.Legend(orient="bottom", title=None, columns=2, labelLimit=260),
                        scale=alt.Scale(range=[BLUE, VERMILION, "#009E73", "#CC79A7"])),
        strokeDash=alt.StrokeDash(
            "what:N", legend=None, sort=[_column_words(name) for name in names]
        ) if len(histories) > 1 else alt.value([1, 0]),
        tooltip=["run:N", "what:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")],
    ).properties(height=310)


def people_chart(people: Mapping[str, int]) -> Any:
    """Return the people of a day by verdict; *people* are counts by verdict."""
    rows = pd.DataFrame({
        "verdict": _WORDS, "people": [int(people.get(v, 0)) for v in _VERDICTS]
    })
    return alt.Chart(rows).mark_bar(cornerRadius=3).encode(
        x=alt.X("people:Q", title=None, axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("verdict:N", title=None, sort=_WORDS),
        color=alt.Color("verdict:N", legend=None,
                        scale=alt.Scale(domain=_WORDS, range=_COLOURS)),
        tooltip=["verdict:N", "people:Q"],
    ).properties(height=130)


def verdicts_chart(verdicts: Sequence[Mapping[str, Any]]) -> Any:
    """Return when somebody was judged, and how sure; *verdicts* as on the topic ``verdict``."""
    rows = pd.DataFrame([
        {"at": v.get("at"), "confidence": v.get("confidence"),
         "verdict": VERDICT_WORDS.get(str(v.get("verdict")), "unsure")}
        for v in verdicts
    ], columns=["at", "confidence", "verdict"])
    return alt.Chart(rows).mark_point(filled=True, size=80).encode(
        x=alt.X("at:T", title=None),
        y=alt.Y("confidence:Q", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0.5, 1])),
        color=alt.Color("verdict:N", legend=None,
                        scale=alt.Scale(domain=_WORDS, range=_COLOURS)),
        tooltip=["verdict:N", "at:N", alt.Tooltip("confidence:Q", format=".0%")],
    ).properties(height=160)


def _column_words(name: str) -> str:
    # Losses of both kinds share a plot; everything else in it is of the validation.
    plain = name if name.endswith("loss") else name.removeprefix("val_")
    # As long as half a phone is wide; the headlines below tell it in full.
    plain = plain.replace("with_without_balanced_accuracy", "mask or none")
    return plain.replace("val_", "validation ").replace("incorrect", "worn wrong").replace("_", " ")


def _row(moment: Any) -> dict[str, Any]:
    sight, known = moment.sight, moment.known
    said = sight.probabilities
    look = "counted" if moment.looked else "no evidence" if sight.lack else "not needed"
    return {
        "seconds": sight.time,
        "evidence": moment.evidence,
        "verdict": VERDICT_WORDS[known.verdict],
        "look": look,
        "area": _LOOKS[look],
        "lacks": sight.lack or "nothing",
        "said": "" if said is None else ", ".join(
            f"{word} {share:.0%}" for word, share in zip(_WORDS, said, strict=False)
        ),
    }
