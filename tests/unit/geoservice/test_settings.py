"""Settings that are refused, and addresses made from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from geoservice.db import DatabaseAddress
from geoservice.settings import CitySettings, DatabaseSettings, HttpSettings, Settings
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


SYSTEMS = """
datums:
  EPSG:4214: {x_m: 31.4159, y_m: -154.1618, z_m: -80.2718, accuracy_m: 2}
"""


def test_parameters_of_the_installation_are_read_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "systems.yaml"
    file.write_text(SYSTEMS, encoding="utf-8")
    settings = CitySettings(systems_file=file)

    frame = settings.frame()

    assert list(frame.own_systems.shifts) == ["beijing1954"]
    assert "31.4159" not in f"{settings!r} {frame!r}"


@pytest.mark.parametrize(
    "text", ["datums: {EPSG:4214: {x_m: 31.4159}}", "a: [31.4159", "\tx: 31.4159"]
)
def test_a_wrong_systems_file_is_named_and_nothing_of_it_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "systems.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match="GEOSERVICE_CITY__SYSTEMS_FILE: ") as caught:
        CitySettings(systems_file=file).frame()

    assert "31.4159" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_systems_file_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        CitySettings(systems_file=Path("/nowhere/systems.yaml")).frame()


def test_a_table_of_separations_that_cannot_be_used_is_said_by_its_variable(tmp_path: Path) -> None:
    city = CitySettings(separations_file=tmp_path / "none.json")

    assert not CitySettings().separations().verified
    with pytest.raises(ValueError, match="GEOSERVICE_CITY__SEPARATIONS_FILE: cannot be read"):
        city.separations()
