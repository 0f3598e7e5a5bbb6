"""Parcels over HTTP."""

from __future__ import annotations

from starlette.testclient import TestClient


def test_a_code_is_explained_in_both_languages(client: TestClient) -> None:
    answer = client.get("/parcels/codes/440304999001GH00001").json()

    use = next(part for part in answer["parts"] if part["name"] == "use")
    assert ("Sea area", "海域使用权") == (use["meaning"], use["meaning_zh"])
    assert (True, []) == (answer["is_valid"], answer["breaches"])


def test_a_code_that_breaks_a_rule_is_explained_too(client: TestClient) -> None:
    answer = client.get("/parcels/codes/440304001002GC00017").json()

    assert answer["is_valid"] is False
    assert ["parcel_code_right"] == [breach["rule"] for breach in answer["breaches"]]


def test_a_text_of_another_length_is_no_code(client: TestClient) -> None:
    response = client.get("/parcels/codes/4403040010")

    assert (400, "参数无效") == (response.status_code, response.json()["title_zh"])
