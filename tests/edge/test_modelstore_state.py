"""What the store remembers, walked through any order of events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import examined
from edge.errors import UsageError
from edge.modelstore import state as states
from edge.modelstore.keys import PUBLIC_PREFIX
from edge.modelstore.probation import LONGEST_GAP, Tally, counted, insane, summed
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.state import KINDS, Known, State
from edge.modelstore.status import EXIT_PENDING, EXIT_ROLLED_BACK, exit_code, settled, status_values
from tests.edge.model_files import DETECTOR, released


def known(number: int, kind: str = DETECTOR) -> Known:
    return Known(f"{number:064x}", kind, "new", number, "probation", over=2)  # type: ignore[arg-type]


def on_probation(number: int = 7) -> State:
    return states.chosen(State(), known(number))


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["choose", "start", "stop", "prove", "roll back", "overtake", "pin", "keep", "note"]
        ),
        st.sampled_from(KINDS),
        st.integers(1, 12),
    ),
    max_size=40,
)


@given(steps)
def test_whatever_happens_one_model_of_each_kind_can_run(walk: list[tuple[str, str, int]]) -> None:
    state = State()
    for what, kind, number in walk:
        state = {
            "choose": lambda s, k, n: states.chosen(s, known(n if k == DETECTOR else n + 100, k)),
            "start": lambda s, k, n: states.started(s, k, Tally(float(n))),
            "stop": lambda s, k, n: states.stopped(s, k, Tally(float(n))),
            "prove": lambda s, k, n: states.proved(s, k),
            "roll back": lambda s, k, n: states.rolled_back(s, k, "it failed"),
            "overtake": lambda s, k, n: states.overtaken(s, k, n),
            "pin": lambda s, k, n: states.pinned(s, k, n % 2 == 0),
            "keep": lambda s, k, n: states.kept(s, 1 + n % 3),
            "note": lambda s, k, n: states.noted(s, "now", "model_running", "words"),
        }[what](state, kind, number)
        for each in KINDS:
            slot, active = state.slot(each), state.active(each)
            assert (active is None) == (slot.active == states.RELEASED)
            if active is None:
                assert slot.probation is None
                continue
            assert active.kind == each and active.standing != "bad"
            assert (active.standing == "probation") == (slot.probation is not None)
            if slot.probation is not None and slot.probation.fallback:
                assert state.models[slot.probation.fallback].standing == "good"
        proving = [m for m in state.models.values() if m.standing == "probation"]
        assert {m.sha256 for m in proving} <= set(states.needed_models(state))
        assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state


def test_one_that_is_trusted_already_stays_so() -> None:
    trusted = states.proved(on_probation(7), DETECTOR)
    assert states.chosen(trusted, known(7)) == trusted
    assert states.chosen(states.chosen(trusted, known(8)), known(7)) == trusted


def test_after_a_downgrade_to_a_kept_model_a_rollback_goes_to_what_ran_until_then() -> None:
    state = State()
    for number in (7, 8, 9):
        state = states.proved(states.chosen(state, known(number)), DETECTOR)
    state = states.chosen(state, replace(known(7), over=5))
    active = state.active(DETECTOR)
    assert active is not None and state.slot(DETECTOR).probation is None
    assert (active.version, active.standing, active.over) == (7, "good", 5)
    for version in (9, 8):
        state = states.rolled_back(state, DETECTOR, "by hand")
        active = state.active(DETECTOR)
        assert active is not None and active.version == version


@pytest.mark.parametrize("words", ["half a pair \ud800", "two\nlines", "x" * 2_000_000])
def test_whatever_is_noted_can_be_written_and_is_not_long(words: str) -> None:
    state = states.noted(on_probation(), "now", "model_refused", words)
    state = states.rolled_back(state, DETECTOR, words)
    again = msgspec.json.decode(msgspec.json.encode(state), type=State)
    (model,) = again.models.values()
    for text in (again.notes[-1].words, model.reason):
        assert text.isprintable() and 0 < len(text) <= states.LONGEST_WORDS


def test_a_rollback_goes_to_the_good_one_before() -> None:
    state = states.proved(on_probation(7), DETECTOR)
    state = states.proved(states.chosen(state, known(8)), DETECTOR)
    state = states.chosen(state, known(9))
    for version in (8, 7):
        state = states.rolled_back(state, DETECTOR, "it failed")
        active = state.active(DETECTOR)
        assert active is not None and active.version == version
    state = states.rolled_back(state, DETECTOR, "it failed")
    assert state.active(DETECTOR) is None
    assert [m.standing for m in state.models.values()] == ["bad"] * 3


def test_a_newer_released_model_takes_over_unless_pinned_or_chosen_to_be_older() -> None:
    state = states.proved(on_probation(7), DETECTOR)
    assert states.overtaken(state, DETECTOR, 7) == state
    assert states.overtaken(state, DETECTOR, 8).active(DETECTOR) is None
    pinned = states.pinned(state, DETECTOR, True)
    assert states.overtaken(pinned, DETECTOR, 8) == pinned
    older = states.chosen(State(), replace(known(1), over=2))
    assert states.overtaken(older, DETECTOR, 2) == older
    assert states.overtaken(older, DETECTOR, 3).active(DETECTOR) is None


def test_so_many_good_ones_are_kept() -> None:
    state = State()
    for number in range(1, 9):
        state = states.proved(states.chosen(state, known(number)), DETECTOR)
    state = states.chosen(state, known(9))
    kept = states.kept(state, 2)
    assert sorted(m.version for m in kept.models.values()) == [6, 7, 8, 9]


def test_notes_are_bounded_and_numbered_on() -> None:
    state = State()
    for number in range(70):
        state = states.noted(state, "now", "model_running", str(number))
    assert len(state.notes) == 50 and state.notes[-1].number == 70
    told = states.told(state, 70)
    assert told.told == 70
    assert states.noted(replace(told, notes=()), "now", "model_running", "x").notes[0].number == 71


@pytest.mark.parametrize(
    ("state", "word", "code"),
    [
        (State(), "settled", 0),
        (on_probation(), "probation", EXIT_PENDING),
        (states.noted(State(), "now", "model_rolled_back", "x"), "rolled_back", EXIT_ROLLED_BACK),
        (
            states.noted(
                states.noted(State(), "now", "model_rolled_back", "x"), "now", "model_refused", "y"
            ),
            "rolled_back",
            EXIT_ROLLED_BACK,
        ),
    ],
)
def test_the_status_says_how_the_last_update_stands(state: State, word: str, code: int) -> None:
    values = status_values(state, released())
    assert settled(state) == word == values["update"]
    assert exit_code(values) == code


def seen(seconds: float, **changes: float) -> Tally:
    return Tally(**{"seconds": seconds, "frames": seconds * 10, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "since", "says"),
    [
        (seen(100), seen(100), ""),
        (Tally(), seen(100, faces=1000), ""),
        (seen(100), seen(100, frames=99), "fell from 10.0 to 1.0 frames per second"),
        (seen(100), seen(100, frames=101), ""),
        (seen(3600, faces=360), seen(600, faces=5400), "sees faces in 90% of the frames"),
        (seen(3600, faces=360), seen(600, faces=5300), ""),
        (seen(3600), seen(600, faces=6000, mask=20), ""),
        (seen(3600), seen(600, faces=6000, unsure=20), "sees faces in 100% of the frames"),
        (seen(3600), seen(599, faces=5990), ""),
        (seen(600), seen(600, faces=6000), ""),
        (seen(3600, faces=18000), seen(600, faces=60), "sees faces in 1% of the frames"),
        (seen(3600, faces=18000), seen(599), ""),
        (seen(30, mask=20), seen(30), ""),
        (seen(1000, mask=100), seen(200), "saw nobody in a time in which 20 people came before"),
        (seen(1000, mask=100), seen(190), ""),
        (seen(100, mask=20), seen(100, mask=8, incorrect=12), "calls out 60% of the people"),
        (seen(100, mask=20), seen(100, mask=9, incorrect=11), ""),
        (seen(100, no_mask=20), seen(100, mask=20), "calls out 0% of the people"),
        (seen(100, mask=20), seen(100, unsure=20), "cannot judge 100% of the people"),
        (seen(100, mask=19), seen(100, unsure=19), ""),
    ],
)
def test_what_is_not_sane_on_probation(before: Tally, since: Tally, says: str) -> None:
    found = insane(before, since, 10, 600)
    assert says in found and bool(says) == bool(found)


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 3)), max_size=50))
def test_only_time_between_close_frames_is_healthy(frames: list[tuple[float, int]]) -> None:
    tally = Tally()
    for gap, faces in frames:
        tally = counted(tally, gap, faces, ["mask"])
    assert tally.seconds == pytest.approx(sum(gap for gap, _ in frames if gap <= LONGEST_GAP))
    assert tally.frames == tally.mask == tally.people == len(frames)
    assert summed(tally, Tally()) == tally


A_KEY = PUBLIC_PREFIX + "A" * 43 + "="


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"settle_seconds": 0}, "settle_seconds is 0; allowed: 0.2 to 60 seconds"),
        ({"probation_minutes": 1441}, "0.01 to 1440 minutes"),
        ({"trial_megabytes": 127}, "128 to 4096"),
        ({"keep": 0}, "1 to 20 versions"),
        ({"slow_factor": float("nan")}, "slow_factor is nan"),
        ({"keys": ("secret",)}, "^keys is wrong in entry 1: 'secret' is no public key; .* base64"),
        ({"keys": (A_KEY, "ed25519-private:A")}, "^keys is wrong in entry 2: a private key"),
        ({"keys": (A_KEY,) * 17}, "at most 16"),
    ],
)
def test_settings_outside_their_range_are_told(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        UpdateSettings(**changes)  # type: ignore[arg-type]


def test_a_wrong_key_does_not_hide_what_else_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "gate.toml"
    file.write_text('[updates]\nkeys = ["abc"]\nkeep = 0\n')
    _, problems = examined(file)
    assert [words.split("updates.")[1].split()[0] for words in problems] == ["keep", "keys"]


def test_the_store_lies_in_the_services_state_folder() -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/private/maskgate:/other"}
    assert str(UpdateSettings().inbox(environ)) == "/var/lib/private/maskgate/models/incoming"
    assert str(UpdateSettings(folder="/srv/m").inbox(environ)) == "/srv/m/incoming"
    assert str(UpdateSettings(folder="/srv/m", incoming="/media/usb").inbox({})) == "/media/usb"
