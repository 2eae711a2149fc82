"""A benchmark as text to read, and to paste into an issue."""

from __future__ import annotations

from collections.abc import Sequence

from edge.bench.advice import configuration_lines
from edge.bench.figures import TOLERANCE, compare, figures
from edge.bench.report_file import Report, machine_key
from edge.bench.result import RATIO_GOAL, FrameCost, Result
from edge.bench.statistics import Spread
from edge.board.facts import UNKNOWN, board_rows, condition_rows
from edge.report.tables import aligned, table

_HEAD = ["p50 ms", "p95 ms", "p99 ms", "samples"]
_SCENES = {
    "portrait": "the demo's portrait, some masked",
    "painted": "painted faces and scripted boxes (scikit-image is not installed)",
}


def result_text(result: Result, reference: Report | None) -> str:
    """Return *result* as aligned text without a line end; compared with *reference*, if any."""
    parts = [
        *banner_lines(result),
        f"maskgate {result.maskgate} bench, {result.taken_at}"
        + (", quick: few samples" if result.quick else "")
        + f", took {result.seconds:.0f} s",
        "",
        *aligned(_head(result)),
    ]
    for block in (_networks(result), _cost(result), _loops(result), _pin(result),
                  _camera(result), _sustained(result), _rest(result)):
        if block:
            parts += ["", *block]
    parts += ["", *reference_lines(result, reference)]
    if result.advice is not None:
        parts += ["", f"Suggested configuration ({result.advice.why}):"]
        parts += [f"    {line}" for line in configuration_lines(result.advice)]
    return "\n".join(parts)


def banner_lines(result: Result) -> list[str]:
    """Return what to know before any figure: that it is partial, and what spoils it."""
    lines = []
    if result.partial:
        lines.append("PARTIAL: this benchmark was stopped before its end.")
    if result.banners:
        lines.append("MIND before you compare these figures:")
        lines += [f"  ! {banner}" for banner in result.banners]
    return [*lines, ""] if lines else []


def reference_lines(result: Result, reference: Report | None) -> list[str]:
    """Return how *result* compares with the committed *reference* of the same board."""
    machine = machine_key(result.board)
    if reference is None:
        return [f"No reference for {machine} yet; docs/benchmark.md says how to add one."]
    lines = [f"Compared with the reference for {machine} ({reference.path.name}):"]
    if reference.note:
        lines.append(f"  the reference's note: {reference.note}")
    if reference.models and reference.models != result.models:
        lines.append(f"  other networks there: {', '.join(reference.models)}")
    # A part of a benchmark that was not asked for is no difference.
    off = [d for d in compare(reference.figures, figures(result))
           if d.judgement not in ("same", "missing", "new")]
    for one in off:
        word = one.judgement if one.judgement != "faster" else "suspiciously faster"
        change = "" if one.change is None else f" ({one.change:.2f} times)"
        lines.append(f"  {word}: {one.name} {one.new:g} {one.unit}, was {one.old:g}{change}")
    if not off:
        lines.append(f"  all figures within {TOLERANCE:.0%}")
    return lines


def _head(result: Result) -> list[tuple[str, str]]:
    rows = board_rows(result.board)
    rows += [("network", model) for model in result.models]
    rows.append(("runtime", result.runtime))
    if result.scene is not None:
        rows.append(("pictures", _SCENES[result.scene]))
    if result.note:
        rows.append(("note", result.note))
    if result.after is not None:
        rows += [(f"{name} after", value) for name, value in condition_rows(result.after)
                 if name in ("temperature", "throttling", "power") and value != UNKNOWN]
    return rows


def _networks(result: Result) -> list[str]:
    rows = [
        [f"{n.network} alone, {n.size[0]}x{n.size[1]}", str(n.threads), *_cells(n.time)]
        for n in result.networks
    ]
    return table([["network", "threads", *_HEAD], *rows], (1, 2, 3, 4, 5)) if rows else []


def _cost(result: Result) -> list[str]:
    cost = result.cost
    if cost is None:
        return []
    rows = [
        ["  " + share.stage + (" (from memory)" if share.stage == "capture" else ""),
         *_cells(share.time)]
        for share in cost.stages
    ]
    rows.append(["frame to outputs", *_cells(cost.frame)])
    return [
        *table([["stage: one face, one thread", *_HEAD], *rows], (1, 2, 3, 4)),
        _ratio("frame to outputs / the networks alone", cost),
        *([_ratio("the same, where the camera scales as well", small)]
          if (small := result.cost_small) else []),
    ]


def _ratio(what: str, cost: FrameCost) -> str:
    return (
        f"{what} = {cost.frame.p50_ms:.2f} / {cost.bare_ms:.2f} ms = {cost.ratio:.2f} "
        f"(goal: {RATIO_GOAL}, {_told(cost.ratio)}); "
        f"{cost.calm_ratio:.2f} of the fastest tenth of each"
    )


def _told(ratio: float) -> str:
    return "reached" if ratio <= RATIO_GOAL else "missed"


def _loops(result: Result) -> list[str]:
    rows = [
        [str(one.faces), str(one.threads), f"{one.size[0]}x{one.size[1]}", f"{one.fps:.1f}",
         *_cells(one.frame), f"{one.found:.1f}", f"{one.looks:.2f}"]
        for one in result.loops
    ]
    head = ["faces", "threads", "picture", "FPS", *_HEAD, "found", "looks"]
    return [*table([head, *rows], tuple(range(10))), *_at_work(result)] if rows else []


def _at_work(result: Result) -> list[str]:
    loop, cost, ratio = result.at_work, result.cost, result.at_work_ratio
    if loop is None or cost is None or ratio is None:
        return []
    return [
        f"one person, a frame on average / both networks alone = {loop.frame.mean_ms:.2f} / "
        f"{cost.bare_ms:.2f} ms = {ratio:.2f} (goal: {RATIO_GOAL}, {_told(ratio)})"
    ]


def _pin(result: Result) -> list[str]:
    if result.pin is None:
        return []
    kind = "gpiozero's mock pin" if result.pin.mock else "real pin"
    row = [f"picture to GPIO {result.pin.pin} ({kind})", *_cells(result.pin.time)]
    return table([["alarm", *_HEAD], row], (1, 2, 3, 4))


def _camera(result: Result) -> list[str]:
    camera = result.camera
    if camera is None:
        return []
    promised = f" of {camera.promised_fps:.0f} promised" if camera.promised_fps else ""
    rows = [["between pictures", *_cells(camera.interval)]]
    if camera.age is not None:
        rows.append(["age when read", *_cells(camera.age)])
    lines = [
        f"camera {camera.source}: {camera.fps:.1f} FPS{promised}, "
        f"{camera.size[0]}x{camera.size[1]}, {camera.dropped} pictures dropped"
        + (f", faults: {', '.join(camera.faults)}" if camera.faults else ""),
        *table([["camera alone", *_HEAD], *rows], (1, 2, 3, 4)),
    ]
    one_face = [loop.fps for loop in result.loops if loop.faces == 1]
    if one_face and camera.fps < max(one_face):
        lines.append(
            f"The camera is the limit: the loop could do {max(one_face):.0f} FPS with one face."
        )
    return lines


def _sustained(result: Result) -> list[str]:
    if not result.sustained:
        return []
    rows = [
        [f"{p.second:.0f} s", f"{p.fps:.1f}", "-" if p.celsius is None else f"{p.celsius:.0f}",
         "-" if p.mhz is None else f"{p.mhz:.0f}", ", ".join(p.brakes) or "-"]
        for p in result.sustained
    ]
    first, last = result.sustained[0].fps, result.sustained[-1].fps
    change = f"{last / first - 1:+.0%}" if first > 0 else "-"
    return [*table([["sustained", "FPS", "°C", "MHz", "throttling"], *rows], (0, 1, 2, 3)),
            f"from the first to the last: {change}"]


def _rest(result: Result) -> list[str]:
    rows = []
    memory = result.memory
    if memory is not None:
        parts = (("loaded", memory.loaded), ("at the end", memory.end), ("at most", memory.peak))
        told = ", ".join(f"{value:.0f} MiB {when}" for when, value in parts if value is not None)
        rows.append(("memory", told or "unknown"))
    if result.draw is not None and result.draw.watts is not None:
        rows.append(("power", f"{result.draw.watts:.2f} W with one face, {result.draw.what}"))
    return aligned(rows) if rows else []


def _cells(spread: Spread) -> Sequence[str]:
    return (f"{spread.p50_ms:.2f}", f"{spread.p95_ms:.2f}", f"{spread.p99_ms:.2f}",
            str(spread.samples))
