"""The day in figures, as a plot in the terminal and as a picture."""

from __future__ import annotations

import builtins
import xml.etree.ElementTree as ElementTree
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import cv2
import pytest

from edge.errors import OutputError, UsageError
from edge.journal.day import make_day, read_day
from edge.journal.day_picture import write_picture
from edge.journal.day_plot import terminal_plot, totals_text
from edge.journal.query import Entry, Reader
from edge.journal.rows import event_row, incident_row
from edge.journal.store import Store
from edge.report.events import Event

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2024, 1, 31)
EVENING = datetime(2024, 2, 1, 12, tzinfo=timezone.utc)


def at(clock: str, day: date = DAY, zone=BERLIN) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).astimezone(timezone.utc)


def entries(*things, session: str = "s1") -> list[Entry]:
    """Make entries of (time, kind) or (time, kind, person, verdict), or whole entries."""
    made = []
    for number, thing in enumerate(things, 1):
        moment, kind, person, verdict, *rest = (*thing, None, None)[: max(4, len(thing))]
        made.append(
            Entry(
                number, moment if isinstance(moment, datetime) else at(moment),
                rest[0] if rest else session, float(number), None, kind, person, verdict, None,
                (), "", "", False, "", "", "", "",
            )
        )
    return made


def day_of(*things, day: date = DAY, now: datetime = EVENING, zone=BERLIN):
    return make_day(day, entries(*things), now, zone)


def clock_spans(day, what: str) -> list[tuple[str, str]]:
    return [
        (f"{a.astimezone(BERLIN):%H:%M}", f"{b.astimezone(BERLIN):%H:%M}")
        for a, b in day.spans[what]
    ]


def test_a_person_counts_once_in_the_hour_of_the_last_word() -> None:
    day = day_of(
        ("08:50", "person_judged", 1, "no_mask"), ("08:59", "person_judged", 1, "mask"),
        ("09:01", "person_left", 1, "mask"), ("09:10", "person_judged", 2, "incorrect"),
    )
    assert day.people["mask"][9] == 1
    assert day.people["incorrect"][9] == 1
    assert [day.total(v) for v in ("mask", "no_mask", "incorrect", "unsure")] == [1, 0, 1, 0]


def test_the_first_person_of_another_session_is_another_person() -> None:
    day = day_of(
        ("08:00", "person_left", 1, "mask", "s1"), ("08:10", "person_left", 1, "mask", "s2")
    )
    assert day.total("mask") == 2


def test_a_number_that_comes_again_after_it_left_is_another_person() -> None:
    day = day_of(
        ("08:00", "person_judged", 1, "mask"), ("08:01", "person_left", 1, "mask"),
        ("08:10", "person_judged", 1, "no_mask"), ("08:11", "person_left", 1, "no_mask"),
    )
    assert (day.total("mask"), day.total("no_mask")) == (1, 1)


@pytest.mark.parametrize(
    ("things", "spans"),
    [
        ([("08:00", "alarm_started"), ("08:05", "alarm_ended")], [("08:00", "08:05")]),
        # A second offender joins; the alarm ends when nobody rings any more.
        (
            [("08:00", "alarm_started"), ("08:02", "alarm_started"), ("08:05", "alarm_ended")],
            [("08:00", "08:05")],
        ),
        ([("08:00", "alarm_started"), ("08:05", "stopped")], [("08:00", "08:05")]),
        # A power cut: the last that is known of that session is the person at 08:01.
        (
            [
                ("08:00", "alarm_started"), ("08:01", "person_left", 1, "mask"),
                ("09:00", "started", None, None, "s2"),
            ],
            [("08:00", "08:01")],
        ),
        ([("23:50", "alarm_started")], [("23:50", "00:00")]),
        ([("08:00", "alarm_ended")], []),
    ],
)
def test_an_alarm_lasts_until_it_ends_or_the_session_does(things, spans) -> None:
    assert clock_spans(day_of(*things), "alarm") == spans


@pytest.mark.parametrize(
    ("things", "spans"),
    [
        (
            [("08:00", "buzzer: dead"), ("09:00", "MQTT: away"), ("10:00", "+MQTT: back")],
            [("08:00", "00:00")],
        ),
        (
            [
                ("08:00", "buzzer: dead"), ("09:00", "MQTT: away"), ("10:00", "+buzzer: shows"),
                ("11:00", "+MQTT: back"),
            ],
            [("08:00", "11:00")],
        ),
        # An output tells of several reasons, and once that all is well.
        (
            [("08:00", "sound: no card"), ("08:01", "sound: no tone"), ("09:00", "+sound: plays")],
            [("08:00", "09:00")],
        ),
        ([("08:00", "+MQTT: back")], []),
    ],
)
def test_outputs_fail_until_each_of_them_works_again(tmp_path, things, spans) -> None:
    rows = [output_row(at(clock), text) for clock, text in things]
    assert clock_spans(read(tmp_path, rows), "output") == spans


def test_an_output_that_failed_before_the_day_fails_in_it_whatever_another_does(tmp_path) -> None:
    before = DAY - timedelta(days=1)
    rows = [
        output_row(at("07:00", before), "sound: no card"),
        incident_row("started", at("08:00", before), session="s1", uptime=1.0),
        output_row(at("22:00", before), "buzzer: dead"),
        output_row(at("23:00", before), "MQTT: away"),
        output_row(at("23:30", before), "+MQTT: back"),
        output_row(at("06:00"), "+buzzer: shows"),
    ]
    assert clock_spans(read(tmp_path, rows), "output") == [("00:00", "06:00")]


@pytest.mark.parametrize(
    ("kind", "session", "counts"),
    [
        ("person_left", "s1", (0, 1)),
        ("person_judged", "s1", (0, 1)),
        # A power cut at midnight: this is somebody else.
        ("person_left", "s2", (1, 1)),
        (None, "", (1, 0)),
    ],
)
def test_who_stays_over_midnight_counts_on_one_day(tmp_path, kind, session, counts) -> None:
    words = [("23:58", "person_judged", "s1"), ("24:02", kind, session)]
    rows = [
        event_row(
            Event(0.0, kind, 7, "no_mask"), at("00:00") + clock_time(clock), session=session,
            uptime=1.0, model="m",
        )
        for clock, kind, session in words
        if kind
    ]
    days = [read(tmp_path, rows), read(tmp_path, [], DAY + timedelta(days=1))]
    assert tuple(day.total("no_mask") for day in days) == counts


def output_row(moment: datetime, text: str):
    """Return the row of an output's fault or, where *text* begins with a plus, of its end."""
    kind = "output_recovered" if text.startswith("+") else "output_fault"
    return incident_row(kind, moment, session="s1", uptime=1.0, detail=text.removeprefix("+"))


def clock_time(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def read(folder, rows, day: date = DAY):
    """Return *day* as a journal in *folder* has it, to which *rows* are added first."""
    store = Store(folder / "j.db", max_days=3660, max_bytes=2**26, now=EVENING)
    store.append(rows, EVENING)
    store.close()
    with Reader(folder / "j.db") as reader:
        return read_day(reader, day, EVENING, BERLIN)


def test_what_began_the_day_before_and_lasts_still_is_shown_until_now() -> None:
    night = at("22:00", DAY - timedelta(days=1))
    day = day_of((night, "camera_fault"), now=at("07:00"))
    assert clock_spans(day, "camera") == [("00:00", "07:00")]


@pytest.mark.parametrize(
    ("day", "names"),
    [
        (date(2024, 3, 31), ["00", "01", "03", "04"]),
        (date(2024, 10, 27), ["00", "01", "02", "02"]),
    ],
)
def test_the_hours_of_a_day_on_which_the_clocks_change(day, names) -> None:
    drawn = day_of(day=day)
    assert list(drawn.hours[:4]) == names
    assert len(drawn.hours) == (drawn.end - drawn.start) // timedelta(hours=1)
    assert all(len(counts) == len(drawn.hours) for counts in drawn.people.values())


def test_both_hours_of_the_same_name_have_their_own_bar() -> None:
    day = date(2024, 10, 27)
    first = datetime(2024, 10, 27, 0, 30, tzinfo=timezone.utc)
    drawn = day_of(
        (first, "person_left", 1, "mask"),
        (first + timedelta(hours=1), "person_left", 2, "mask"),
        day=day, now=EVENING.replace(month=12),
    )
    assert drawn.people["mask"][:4] == (0, 0, 1, 1)


def test_a_day_is_read_with_what_lasted_when_it_began(tmp_path) -> None:
    store = Store(tmp_path / "j.db", max_days=3660, max_bytes=2**26, now=EVENING)
    night = at("23:00", DAY - timedelta(days=1))
    store.append(
        [
            incident_row("camera_fault", night, session="s1", uptime=1.0, fault="unplugged"),
            incident_row("camera_recovered", at("06:30"), session="s1", uptime=2.0),
            event_row(
                Event(0.0, "person_left", 1, "no_mask"), at("10:00"), session="s1", uptime=3.0,
                model="m",
            ),
            event_row(
                Event(0.0, "person_left", 2, "no_mask"), at("00:00", DAY + timedelta(days=1)),
                session="s1", uptime=4.0, model="m",
            ),
        ],
        EVENING,
    )
    store.close()
    with Reader(tmp_path / "j.db") as reader:
        day = read_day(reader, DAY, EVENING, BERLIN)
    assert clock_spans(day, "camera") == [("00:00", "06:30")]
    assert (day.total("no_mask"), day.people["no_mask"][10]) == (1, 1)


BUSY = (
    ("08:10", "person_left", 1, "mask"), ("08:20", "person_left", 2, "no_mask"),
    ("08:20", "alarm_started", 2), ("08:21", "alarm_ended"), ("11:00", "camera_fault"),
    ("13:00", "camera_recovered"),
)


def test_the_terminal_shows_sums_bars_and_bands() -> None:
    text = terminal_plot(day_of(*BUSY))
    lines = text.splitlines()
    assert lines[0].startswith("Wednesday 2024-01-31: 2 people (1 mask, 0 unsure")
    assert lines[1] == "alarm once, 60 s; camera fault once, 2 h 0 min"
    bands = {line[:15].strip(): line[15:] for line in lines[-3:]}
    assert bands["camera fault"] == "·" * 22 + "█" * 4 + "·" * 22
    assert bands["alarm"] == "·" * 16 + "█" + "·" * 31
    assert any("█" in line and "┤" in line for line in lines)
    assert "\x1b[" not in text
    assert max(map(len, lines)) <= 80


def test_colour_is_only_there_when_wanted() -> None:
    assert "\x1b[" in terminal_plot(day_of(*BUSY), colour=True)


def test_a_day_without_people_is_a_line_and_empty_bands() -> None:
    text = terminal_plot(day_of())
    assert text.startswith("Wednesday 2024-01-31: 0 people")
    assert "no alarm, no fault" in text
    assert "█" not in text


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27)])
def test_a_day_of_23_or_25_hours_is_drawn(day, tmp_path) -> None:
    drawn = day_of((at("12:00", day), "person_left", 1, "mask"), day=day,
                   now=EVENING.replace(month=12))
    assert len(terminal_plot(drawn).splitlines()[-1]) == 15 + 2 * len(drawn.hours)
    write_picture(drawn, str(tmp_path / "day.svg"))
    assert (tmp_path / "day.svg").read_text().count("<text") > len(drawn.hours)


def test_a_missing_plotext_is_said_with_what_to_install(monkeypatch) -> None:
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "plotext":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OutputError, match="pip install plotext"):
        terminal_plot(day_of(*BUSY))


def test_a_picture_as_svg_has_a_bar_for_each_verdict_of_each_hour(tmp_path) -> None:
    write_picture(day_of(*BUSY), str(tmp_path / "day.svg"))
    drawing = ElementTree.parse(tmp_path / "day.svg").getroot()
    texts = [element.text for element in drawing if element.tag.endswith("text")]
    assert totals_text(day_of(*BUSY)).splitlines()[0] in texts
    red = [e for e in drawing if e.get("fill") == "rgb(213,94,0)"]
    # The bar, the alarm's band, and the legend.
    assert len(red) == 3


def test_a_picture_as_png_shows_the_same_bars(tmp_path) -> None:
    write_picture(day_of(*BUSY), str(tmp_path / "day.PNG"))
    image = cv2.imread(str(tmp_path / "day.PNG"))
    assert image.shape == (480, 960, 3)
    assert ((image == (0, 94, 213)).all(axis=2)).sum() > 500


@pytest.mark.parametrize(
    ("name", "error"), [("day.jpg", UsageError), ("missing/day.svg", OutputError)]
)
def test_a_picture_that_cannot_be_written_is_an_error(tmp_path, name, error) -> None:
    with pytest.raises(error):
        write_picture(day_of(), str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []
