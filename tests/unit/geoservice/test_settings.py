"""Settings that are refused, and addresses made from them."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from geoservice.db import DatabaseAddress
from geoservice.settings import DatabaseSettings, HttpSettings, Settings
from layers.roles import Role


def test_what_is_wrong_is_said_by_the_names_of_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEOSERVICE_HTTP__PORT", "70000")
    monkeypatch.setenv("GEOSERVICE_LOG__LEVEL", "LOUD")

    with pytest.raises(ValueError, match=r"GEOSERVICE_HTTP__PORT: .*; GEOSERVICE_LOG__LEVEL: "):
        Settings.read({})


@pytest.mark.parametrize("proxies", ["127.0.0.1", "10.0.0.0/8, ::1", "*", ""])
def test_proxies_are_addresses_and_networks(proxies: str) -> None:
    assert proxies == HttpSettings(trusted_proxies=proxies).trusted_proxies


@pytest.mark.parametrize("proxies", ["proxy", "10.0.0.1/8", "127.0.0.1; ::1"])
def test_what_the_server_would_never_match_is_no_proxy(proxies: str) -> None:
    with pytest.raises(ValidationError):
        HttpSettings(trusted_proxies=proxies)


def test_an_address_without_a_database_means_the_database_of_the_settings() -> None:
    given = DatabaseSettings(url=SecretStr("postgresql://owner:secret@db.example"), name="city")

    address = DatabaseAddress(given)

    assert "city" == address.url(Role.OWNER).database
    assert "city_loader" == address.url(Role.LOADER).username
