"""Name, Wi-Fi, key and time zone of a card, and that its secrets are nobody's."""

from __future__ import annotations

import sys

import pytest

from edge.errors import UsageError
from scripts.flashing.personal import (
    Personal,
    custom_toml,
    network_config,
    personal_files,
    user_data,
    wifi_key,
    with_words,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHOP = Personal(
    hostname="door-1", ssh_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB me", wifi_ssid="Läden: 1",
    wifi_password="correct horse", wifi_country="AT", timezone="Europe/Vienna",
)


def test_the_wifi_key_is_that_of_the_standard() -> None:
    # IEEE 802.11i-2004, annex H.4.3.
    wanted = Personal(wifi_ssid="IEEE", wifi_password="password", wifi_country="US")
    assert wifi_key(wanted) == "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"


@pytest.mark.parametrize("cloud_init", [True, False])
def test_no_secret_is_on_the_boot_partition_and_none_is_readable(cloud_init: bool) -> None:
    for name, file in personal_files(SHOP, cloud_init=cloud_init).items():
        secret = SHOP.wifi_password in file.text or wifi_key(SHOP) in file.text
        assert not (secret and name.startswith("boot/")), name
        assert file.mode == (0o600 if secret else 0o644), name
        assert SHOP.wifi_password not in file.text


def test_bookworm_gets_a_custom_toml_that_its_program_reads() -> None:
    found = tomllib.loads(custom_toml(SHOP))
    assert found == {
        "config_version": 1,
        "system": {"hostname": "door-1"},
        "user": {"name": "gate"},
        "ssh": {
            "enabled": True, "password_authentication": False, "authorized_keys": [SHOP.ssh_key],
        },
        "locale": {"timezone": "Europe/Vienna"},
    }


def test_trixie_gets_a_cloud_config() -> None:
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load(user_data(SHOP, ("echo 'a: b' # c",)))
    assert user_data(SHOP).startswith("#cloud-config\n")
    assert (found["hostname"], found["timezone"]) == ("door-1", "Europe/Vienna")
    assert found["users"][0]["ssh_authorized_keys"] == [SHOP.ssh_key]
    assert found["users"][0]["lock_passwd"] is True and found["ssh_pwauth"] is False
    assert found["runcmd"][-1] == "echo 'a: b' # c"


def test_trixie_gets_its_network_by_cloud_init_at_the_first_boot() -> None:
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load(network_config(SHOP))["network"]["wifis"]["wlan0"]
    assert found["access-points"]["Läden: 1"]["password"] == wifi_key(SHOP)
    assert found["regulatory-domain"] == "AT"


def test_without_a_key_ssh_stays_off() -> None:
    assert "ssh_authorized_keys" not in user_data(Personal())
    assert "systemctl" not in user_data(Personal())
    assert "ssh" not in tomllib.loads(custom_toml(Personal()))


def test_the_kernels_words_are_replaced_not_repeated() -> None:
    line = "console=tty1 cfg80211.ieee80211_regdom=GB quiet\n"
    assert with_words(line, "cfg80211.ieee80211_regdom=AT") == (
        "console=tty1 quiet cfg80211.ieee80211_regdom=AT\n"
    )


def test_emoji_and_umlauts_come_through_as_they_are() -> None:
    yaml = pytest.importorskip("yaml")
    key = "ssh-ed25519 AAAAC3Nz Jürgen 😀"
    wanted = Personal(ssh_key=key, wifi_ssid="Pizza 🍕", wifi_country="AT")
    assert tomllib.loads(custom_toml(wanted))["ssh"]["authorized_keys"] == [key]
    assert yaml.safe_load(user_data(wanted))["users"][0]["ssh_authorized_keys"] == [key]
    found = yaml.safe_load(network_config(wanted))["network"]["wifis"]["wlan0"]
    assert list(found["access-points"]) == ["Pizza 🍕"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"hostname": "-door"}, "--hostname is '-door'"),
        ({"hostname": "Door"}, "--hostname is 'Door'"),
        ({"hostname": "a" * 64}, "--hostname"),
        ({"user": "Root!"}, "--user is 'Root!'"),
        ({"ssh_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "never the private key"),
        ({"ssh_key": 'ssh-ed25519 AAAA "\nusers:'}, "holds no public key"),
        ({"wifi_ssid": "x" * 33, "wifi_country": "AT"}, "1 to 32 bytes"),
        ({"wifi_ssid": "a\nb", "wifi_country": "AT"}, "1 to 32 bytes"),
        ({"wifi_ssid": "\udcff", "wifi_country": "AT"}, "1 to 32 bytes"),
        ({"ssh_key": "ssh-ed25519 AAAA me\x7f"}, "holds no public key"),
        ({"ssh_key": "ssh-ed25519 AAAA me\x85"}, "holds no public key"),
        ({"wifi_ssid": "Shop"}, "needs --wifi-country"),
        ({"wifi_ssid": "Shop", "wifi_country": "at"}, "--wifi-country is 'at'"),
        ({"wifi_password": "longenough"}, "goes with --wifi-ssid only"),
        ({"timezone": "../../etc/passwd"}, "--timezone is"),
        ({"timezone": "Europe/Nowhere"}, "--timezone is 'Europe/Nowhere', which is none"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Personal(**wrong)


def test_a_wrong_password_is_not_shown() -> None:
    with pytest.raises(UsageError, match="holds 5 characters") as error:
        Personal(wifi_ssid="Shop", wifi_country="AT", wifi_password="short")
    assert "short" not in str(error.value)
