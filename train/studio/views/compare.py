"""Compare: two runs side by side, by settings, data and results."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from train.studio.plots import history_chart
from train.studio.runs import (
    HEADLINES,
    Difference,
    Run,
    better,
    differences,
    list_runs,
    metrics_side_by_side,
    number_of,
    number_words,
)
from train.studio.views import common

_MARKS = {1: "better", -1: "worse", 0: ""}
_MOST_ROWS = 200


def page() -> None:
    """Show the page."""
    found = {
        run.name: run for run in list_runs(common.settings().runs_folder)
        if run.metrics or run.history
    }
    if len(found) < 2:
        st.info("Two runs with results are needed here.", icon=":material/compare_arrows:")
        return
    left, right = st.columns(2)
    one = found[common.choice(left, "First", found, index=1, key="first")]
    two = found[common.choice(right, "Second", found, index=0, key="second")]
    _data(one, two)
    _numbers(one, two)
    _learning(one, two)
    _differences(one, two)


def _data(one: Run, two: Run) -> None:
    if one.name == two.name:
        st.info("This is the same run twice.")
    elif one.checksum and one.checksum == two.checksum:
        st.success(f"Same data ({one.checksum[:10]})", icon=":material/check:")
    elif one.checksum and two.checksum:
        st.warning(
            f"Different data: {one.checksum[:10]} and {two.checksum[:10]}. A number that differs "
            "may say more of the data than of the network.", icon=":material/difference:",
        )


def _numbers(one: Run, two: Run) -> None:
    shared = metrics_side_by_side(one, two)
    heads = [d for d in shared if d.name in HEADLINES]
    for start in range(0, len(heads), 4):
        columns = st.columns(4)
        for column, entry in zip(columns, heads[start : start + 4], strict=False):
            first, second = number_of(entry.first) or 0.0, number_of(entry.second) or 0.0
            # Grey while it may be chance; else the good direction is green.
            colour: Literal["off", "normal", "inverse"] = (
                "off" if better(entry) == 0
                else "normal" if (better(entry) > 0) == (second > first) else "inverse"
            )
            column.metric(
                HEADLINES[entry.name], number_words(entry.name, second),
                f"{second - first:+.3f} from {number_words(entry.name, first)}",
                delta_color=colour, help=f"{_shown(entry.first)} and {_shown(entry.second)}",
            )
    if not shared:
        st.info("These runs measured nothing in common.")
        return
    st.caption(
        "Grey: the 95 % intervals of both overlap, the numbers are the same, or neither more nor "
        "less of it is better. Coloured: the intervals do not overlap, or there are none."
    )
    with st.expander(f"All {len(shared)} numbers", icon=":material/table:"):
        st.dataframe(
            [
                {"measured": d.name, one.name: _shown(d.first), two.name: _shown(d.second),
                 "second is": _MARKS[better(d)]}
                for d in shared[:_MOST_ROWS]
            ], hide_index=True,
        )


def _learning(one: Run, two: Run) -> None:
    histories = {run.name: run.history for run in (one, two) if run.history}
    names = [n for n in ("loss", "val_loss") if any(n in r for h in histories.values() for r in h)]
    if histories and names:
        st.altair_chart(history_chart(histories, names, "loss"), width="stretch")
        if len(names) > 1:
            st.caption("Dashed: on the validation data.")


def _differences(one: Run, two: Run) -> None:
    found = differences(one, two)
    st.markdown(f"##### {len(found)} settings differ" if found else "##### The settings are equal")
    if found:
        st.dataframe(
            [_row(d, one, two) for d in found[:_MOST_ROWS]], hide_index=True, width="stretch"
        )


def _row(entry: Difference, one: Run, two: Run) -> dict[str, Any]:
    return {
        "setting": entry.name.removeprefix("config."),
        one.name: _shown(entry.first), two.name: _shown(entry.second),
    }


def _shown(value: Any) -> str:
    number = number_of(value)
    if number is None:
        return "-" if value is None else str(value)[:80]
    if isinstance(value, dict) and value.get("low") is not None:
        return f"{number:.3f} ({value['low']:.3f} to {value['high']:.3f})"
    return f"{number:.4g}"
