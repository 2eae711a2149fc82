"""Tokens, cookies, guesses, and names that mean this device without being its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.status.access import SESSION_SECONDS, Doorkeeper, is_own_name

TOKEN = "0123456789abcdef"
HERE, THERE = "192.168.1.5", "192.168.1.6"


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def keeper(now):
    return Doorkeeper(TOKEN, own_names_only=False, clock=lambda: now[0])


def test_without_a_token_everyone_is_let_in():
    keeper = Doorkeeper(None, own_names_only=True)
    assert keeper.lets_in("") and not keeper.asks


def test_the_token_and_nothing_like_it_is_the_token(keeper):
    assert keeper.is_token(TOKEN, HERE)
    for wrong in ("", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "\udcff", "é" * 16):
        assert not keeper.is_token(wrong, HERE)


def test_a_session_lets_in_until_it_is_too_old_or_ended(keeper, now):
    cookie, other = f"maskgate={keeper.log_in()}", f"a=b; maskgate={keeper.log_in()}; c=d"
    assert keeper.lets_in(cookie) and keeper.lets_in(other)
    keeper.log_out(cookie)
    assert not keeper.lets_in(cookie) and keeper.lets_in(other)
    now[0] += SESSION_SECONDS
    assert not keeper.lets_in(other)


@pytest.mark.parametrize("other", ['ui={"a":1}', "x[y]=1", "a=b c", "ü=ü", "flag", "=;;",
                                   'a="', "maskgate=of-another-gate", "expires=1,2"])
def test_cookies_of_others_keep_nobody_out(keeper, other):
    ours = f"maskgate={keeper.log_in()}"
    assert keeper.lets_in(f"{other}; {ours}") and keeper.lets_in(f"{ours};{other}")
    keeper.log_out(f"{other}; {ours}")
    assert not keeper.lets_in(ours)


def test_only_so_many_sessions_are_kept_and_the_oldest_goes(keeper):
    cookies = [f"maskgate={keeper.log_in()}" for _ in range(33)]
    assert [keeper.lets_in(cookie) for cookie in cookies] == [False] + [True] * 32


@pytest.mark.parametrize("cookie", ["", "maskgate=", "maskgate=guess", "=;;", "maskgate", "\x00"])
def test_a_cookie_that_was_not_given_out_lets_nobody_in(keeper, cookie):
    assert not keeper.lets_in(cookie)


def test_who_guesses_five_times_waits_and_nobody_else(keeper, now):
    for _ in range(4):
        keeper.is_token("wrong", HERE)
    assert keeper.wait(HERE) == 0
    keeper.is_token("wrong", HERE)
    assert keeper.wait(HERE) == 60 and keeper.wait(THERE) == 0
    now[0] += 59
    assert keeper.wait(HERE) == 1
    now[0] += 1
    assert keeper.wait(HERE) == 0


def test_all_addresses_of_an_ipv6_network_are_one_guesser(keeper):
    for i in range(5):
        keeper.is_token("wrong", f"2001:db8::{i:x}%eth0")
    assert keeper.wait("2001:db8::ffff") > 0 and keeper.wait("2001:db8:0:1::1") == 0
    for _ in range(5):
        keeper.is_token("wrong", f"::ffff:{HERE}")
    assert keeper.wait("::ffff:" + HERE) > 0 and keeper.wait("::ffff:" + THERE) == 0


def test_guessers_from_everywhere_are_not_all_remembered(keeper):
    for i in range(2000):
        keeper.is_token("wrong", f"10.0.{i // 256}.{i % 256}")
    assert len(keeper._wrong) == 512


@pytest.mark.parametrize("host", ["localhost", "localhost:8070", "127.0.0.1:8070", "[::1]:8070",
                                  "LOCALHOST.", "gate.localhost:1", "127.9.9.9"])
def test_names_of_the_device_itself_are_known(host):
    assert is_own_name(host)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "192.168.1.5:8070",
                                  "127.0.0.1.nip.io", "localhost@evil.example", "[::]", "0.0.0.0",
                                  "localhost:8070:1", "[::1", "127.0.0.1:8070/x", "notlocalhost"])
def test_other_names_that_may_mean_it_are_not(host):
    assert not is_own_name(host)


def test_a_proxys_name_is_known_when_it_is_named():
    keeper = Doorkeeper(None, own_names_only=True, names=["Gate.Example"])
    assert keeper.knows_host("gate.example") and keeper.knows_host("GATE.example.:443")
    assert keeper.knows_host("localhost") and not keeper.knows_host("www.gate.example")
    assert not keeper.knows_host("gate.example/") and not keeper.knows_host("")


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_breaks_it(host, cookie):
    is_own_name(host)
    assert not Doorkeeper(TOKEN, own_names_only=True).lets_in(cookie)
