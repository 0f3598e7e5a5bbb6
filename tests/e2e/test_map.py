"""The web map in a real browser, on the real service, with a sample city loaded into it.

Set GEOSERVICE_SCREENSHOT to a path to keep the picture that the README shows.
"""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import func, select, text

from geoservice.keys import revoke_key
from layers.access import Action, Clearance, Grant
from layers.roles import Role
from layers.system_tables import api_keys
from tests.e2e.pictures import read_pixels, save_small
from tests.e2e.site import DESK, PHONE, READY_MS, RECOVERY_MS, Site, Visit, open_map

SHENZHEN = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def visit(browser: Browser, site: Site, key: str) -> Iterator[Visit]:
    """The map of an officer, on a desk, in Chinese."""
    visit = open_map(browser, site, key=key)
    yield visit
    visit.page.close()


@pytest.fixture
def public(browser: Browser, site: Site) -> Iterator[Visit]:
    """The map of a citizen, on a phone, in English."""
    visit = open_map(browser, site, window=PHONE, locale="en-GB")
    yield visit
    visit.page.close()


def test_pipes_parcels_and_facilities_are_really_drawn(visit: Visit) -> None:
    visit.jump(16.2)

    layers = ("pipelines", "parcels", "facilities", "roads")
    counts = {name: len(visit.drawn(name)) for name in layers}
    assert all(count >= 5 for count in counts.values()), counts


def test_the_picture_is_not_blank_and_has_the_colours_of_the_standard(visit: Visit) -> None:
    visit.jump(16.2)

    pixels = read_pixels(visit.page.screenshot()).reshape(-1, 3)
    colors = {tuple(color) for color in pixels[::7].tolist()}
    assert len(colors) > 200
    assert (pixels == (0, 255, 255)).all(axis=1).sum() > 50, "water pipes, CJJ 61 sky blue"
    assert (pixels == (76, 57, 38)).all(axis=1).sum() > 50, "drainage pipes, CJJ 61 brown"


@pytest.mark.parametrize(
    ("layer", "zh", "en"),
    [
        ("pipelines", "管径", "Diameter"),
        ("parcels", "土地用途", "Land use"),
        ("facilities", "开放时间", "Opening hours"),
    ],
)
def test_a_click_shows_attributes_in_chinese_and_english(
    visit: Visit, layer: str, zh: str, en: str
) -> None:
    visit.jump(17)
    place = visit.place_of(layer)

    visit.page.mouse.click(place["x"], place["y"])
    details = visit.page.locator("#details")
    expect(details.locator("dl")).to_contain_text("入库时间")

    expect(details.locator("dl")).to_contain_text(zh)
    expect(details.locator("dl")).to_contain_text(en)
    visit.page.keyboard.press("Escape")
    expect(details).to_be_hidden()


def test_facilities_carry_their_live_state_and_the_legend_its_age(visit: Visit) -> None:
    visit.jump(16.2)
    row = visit.row("facilities")
    expect(row).to_contain_text("最旧的数据")

    states = {feature["state"].get("status") for feature in visit.drawn("facilities")}
    assert {"spacesAvailable", "almostFull", "full", "closed"} & states
    counts = row.locator("[data-state] b").all_inner_texts()
    assert sum(int(count) for count in counts) > 0


def test_further_out_no_live_state_is_claimed(visit: Visit) -> None:
    visit.jump(13)
    expect(visit.row("facilities")).to_contain_text("再放大才显示实时状态")

    drawn = visit.drawn("facilities")
    assert drawn
    assert not [feature for feature in drawn if feature["state"].get("status")]


def test_a_layer_that_is_empty_at_a_zoom_says_so_and_how_to_see_it(visit: Visit) -> None:
    visit.jump(8)
    row = visit.row("pipelines")
    hint = row.locator(".zoom-hint")
    expect(hint).to_be_visible()

    hint.get_by_role("button").click()
    expect(hint).to_be_hidden()
    drawn_from = row.get_attribute("data-minzoom")
    visit.wait_until(f"window.geoserviceMap.getZoom() >= {drawn_from}")


def test_the_name_of_a_district_stands_once(visit: Visit) -> None:
    visit.jump(10)

    names = [feature["name"] for feature in visit.drawn("districts", kind="labels")]
    assert len(names) >= 5
    assert sorted(set(names)) == sorted(names)


def test_the_legend_is_in_both_languages_and_shows_only_what_may_be_there(visit: Visit) -> None:
    legend = visit.row("pipelines").locator(".legend")

    assert ["给水 Water supply", "排水 Drainage"] == legend.locator("li").all_inner_texts()
    expect(visit.row("parcels").locator("summary")).to_have_attribute("aria-label", "宗地图例")


def test_a_layer_can_be_switched_off_and_on(visit: Visit) -> None:
    switch = visit.row("parcels").get_by_role("switch")
    visit.jump(16)
    switch.uncheck()
    visit.jump(16.1)
    off = len(visit.drawn("parcels"))
    switch.check()
    visit.jump(16)

    assert (0, True) == (off, len(visit.drawn("parcels")) > 0)


def test_the_map_says_whose_data_it_shows_and_its_scale(visit: Visit) -> None:
    expect(visit.page.locator(".maplibregl-ctrl-attrib")).to_contain_text("示例数据 Sample data")
    expect(visit.page.locator(".maplibregl-ctrl-scale")).to_contain_text("m")


def test_everything_can_be_reached_from_the_keyboard(visit: Visit) -> None:
    page = visit.page
    visit.jump(17)
    page.locator(".maplibregl-canvas").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)
    expect(page.locator("#crosshair")).to_be_visible()

    page.keyboard.press("Enter")
    details = page.locator("#details")
    expect(details).to_be_visible()
    expect(details).to_be_focused()
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    expect(page.locator(".maplibregl-canvas")).to_be_focused()


def test_every_control_has_a_name(visit: Visit) -> None:
    nameless = visit.page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, summary, [role=tab]')]
            .filter(control => control.checkVisibility())
            .filter(control => !(control.getAttribute('aria-label') || control.innerText
                || control.title || control.labels?.[0]?.innerText))
            .map(control => control.outerHTML)"""
    )

    assert nameless == []


def test_the_nearest_free_places_are_found_and_numbered(visit: Visit) -> None:
    page = visit.page
    visit.jump(16)
    page.get_by_role("tab", name="就近找空位").click()
    page.get_by_label("仅列出此刻开放的").uncheck()
    page.get_by_role("button", name="从地图中心").click()

    results = page.locator(".results li")
    expect(results.first).to_contain_text("空")
    assert page.locator(".result-marker").count() == results.count()
    page.get_by_role("button", name="清除结果").click()
    page.get_by_role("tab", name="图层").click()


@pytest.fixture(scope="module")
def hall(site: Site) -> tuple[str, str, float, float]:
    """A badminton hall with a month of figures: its code, its name, longitude and latitude."""
    with site.city.address.connect(Role.OWNER) as connection:
        found = connection.execute(
            text(
                "SELECT natural_key, name, ST_X(geom), ST_Y(geom) FROM city.facilities "
                "WHERE kind = 'sports_hall.badminton' AND clearance = 0 AND capacity >= 6 "
                "ORDER BY geom_3857 <-> ST_Transform(ST_SetSRID("
                "ST_MakePoint(114.0578, 22.5437), 4490), 3857) LIMIT 1"
            )
        ).one()
    code, name, lon, lat = found
    start = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(days=21)
    for day in range(21):
        hours = [start + timedelta(days=day, hours=hour) for hour in range(24)]
        # In the evening four are free, at any other hour none.
        free = {at: 4 if 18 <= at.astimezone(SHENZHEN).hour <= 20 else 0 for at in hours}
        post_figures(site, [figure(code, number, at) for at, number in free.items()])
    return code, name, lon, lat


def always_open(site: Site) -> tuple[str, float, float]:
    """A place that is open at any hour: its code, longitude and latitude."""
    with site.city.address.connect(Role.OWNER) as connection:
        code, lon, lat = connection.execute(
            text(
                "SELECT natural_key, ST_X(geom), ST_Y(geom) FROM city.facilities "
                "WHERE opening_hours = '24/7' AND clearance = 0 AND capacity >= 60 "
                "ORDER BY natural_key LIMIT 1"
            )
        ).one()
    return code, lon, lat


def figure(code: str, available: int, at: datetime) -> dict[str, Any]:
    return {"facility": code, "available": available, "observed_at": at.isoformat()}


def post_figures(site: Site, figures: list[dict[str, Any]]) -> None:
    key = site.make_key(Clearance.PUBLIC, Grant(Action.OBSERVE, "halls"))
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx2.post(f"{site.url}/observations", json=figures, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text


def test_a_posted_figure_is_on_the_map_within_two_seconds(visit: Visit, site: Site) -> None:
    code, lon, lat = always_open(site)
    visit.jump(18, lon, lat)
    expect(visit.row("facilities")).to_contain_text("最旧的数据")

    def state() -> str | None:
        at = visit.page.evaluate("at => window.geoserviceMap.project(at)", [lon, lat])
        found: str | None = visit.page.evaluate(
            """([at]) => {
                const map = window.geoserviceMap;
                const near = [[at.x - 3, at.y - 3], [at.x + 3, at.y + 3]];
                const hits = map.queryRenderedFeatures(near);
                return hits.find(f => f.source === 'facilities')?.state.status ?? null;
            }""",
            [at],
        )
        return found

    asked = len(visit.asked)
    for available, status in ((0, "full"), (55, "spacesAvailable"), (1, "almostFull")):
        post_figures(site, [figure(code, available, datetime.now(UTC))])
        posted = time.monotonic()
        while state() != status:
            assert time.monotonic() - posted < 2, (state(), status)
            visit.page.wait_for_timeout(50)
    assert not [url for url in visit.asked[asked:] if "/availability?" in url]


def test_a_court_for_tonight_within_a_walk_is_found(
    visit: Visit, hall: tuple[str, str, float, float]
) -> None:
    _, name, lon, lat = hall
    page = visit.page
    visit.jump(16, lon, lat)
    page.get_by_role("tab", name="就近找空位").click()
    tonight = datetime.now(SHENZHEN).replace(hour=19, minute=0)
    if tonight < datetime.now(SHENZHEN) + timedelta(minutes=10):
        tonight += timedelta(days=1)
    page.locator("[name=kind]").select_option(label="羽毛球馆")
    page.locator("[name=min_available]").fill("2")
    page.keyboard.press("Tab")
    page.locator("[name=travel]").select_option(label="步行")
    page.locator("[name=max_minutes]").select_option(label="15 分钟")
    page.locator("[name=when]").fill(tonight.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("仅列出此刻开放的").uncheck()
    page.get_by_role("button", name="从地图中心").click()

    first = page.locator(".results li").first
    expect(first).to_contain_text(name)
    expect(first).to_contain_text("预计空 4")
    expect(first).to_contain_text("步行")
    expect(first).to_contain_text("历史平均误差")
    if picture := os.environ.get("GEOSERVICE_SCREENSHOT"):
        page.screenshot(path=Path(picture).with_name("tonight.png"))
    page.locator("[name=when]").fill(tonight.replace(hour=23).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="从地图中心").click()
    expect(page.locator(".nearest-answer")).not_to_contain_text(name)
    page.get_by_role("button", name="清除结果").click()
    page.locator("[name=when]").fill("")
    page.locator("[name=travel]").select_option("")
    page.locator("[name=kind]").select_option("")
    page.get_by_role("tab", name="图层").click()


def test_a_burst_shows_the_valves_to_close_and_the_parcels_without_supply(
    visit: Visit, site: Site, key: str
) -> None:
    visit.jump(17)
    page = visit.page
    with site.city.address.connect(Role.OWNER) as connection:
        lon, lat = connection.execute(
            text(
                "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_LineInterpolatePoint(geom, 0.5) AS p "
                "FROM city.pipelines WHERE category = 'JS' ORDER BY geom_3857 <-> ST_Transform("
                "ST_SetSRID(ST_MakePoint(114.0578, 22.5437), 4490), 3857) LIMIT 1) m"
            )
        ).one()
    asked = {"lon": lon, "lat": lat, "kind": "JS"}
    told = httpx2.get(
        f"{site.url}/pipelines/isolate", params=asked, headers={"Authorization": f"Bearer {key}"}
    ).json()

    page.get_by_role("tab", name="管网").click()
    page.get_by_role("button", name="点选爆管位置").click()
    at = page.evaluate("at => window.geoserviceMap.project(at)", [lon, lat])
    box = page.locator("canvas.maplibregl-canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])

    shown = page.locator(".network-summary")
    for valve in told["close"]:
        expect(shown.locator("[data-name=valvesToClose]")).to_contain_text(valve["code"])
    count = len(told["close"]) + len(told["need_not_close"])
    assert count > 0
    expect(page.locator(".valve-marker")).to_have_count(count)
    expect(shown.locator("[data-name=parcelsDry]")).to_contain_text(str(told["parcels"]["count"]))
    if picture := os.environ.get("GEOSERVICE_SCREENSHOT"):
        page.screenshot(path=Path(picture).with_name("burst.png"))
    page.get_by_role("button", name="清除结果").click()
    expect(page.locator(".valve-marker")).to_have_count(0)
    page.get_by_role("tab", name="图层").click()


def test_a_drawn_line_shows_the_section_through_the_pipes(visit: Visit, key: str) -> None:
    visit.jump(17)
    page = visit.page
    box = page.locator("canvas.maplibregl-canvas").bounding_box()
    assert box is not None
    page.get_by_role("tab", name="管网").click()
    page.get_by_role("button", name="画断面线").click()
    for x, y in ((500, 330), (760, 500)):
        page.mouse.click(box["x"] + x, box["y"] + y)

    picture = page.locator(".section-picture img")
    expect(picture).to_be_visible(timeout=15_000)
    asked = next(url for url in reversed(visit.asked) if "/pipelines/section?" in url)
    headers = {"Authorization": f"Bearer {key}"}
    cuts = httpx2.get(asked.replace("f=svg", "f=json"), headers=headers).json()["cuts"]
    assert {"JS", "PS"} & {cut["category"] for cut in cuts}
    page.wait_for_function("document.querySelector('.section-picture img').naturalWidth > 0")
    if shot := os.environ.get("GEOSERVICE_SCREENSHOT"):
        page.screenshot(path=Path(shot).with_name("section.png"))
    page.get_by_role("button", name="清除结果").click()
    expect(picture).to_have_count(0)
    page.get_by_role("tab", name="图层").click()


def test_an_alert_comes_to_the_map_and_is_seen_to(visit: Visit, site: Site) -> None:
    with site.city.address.connect(Role.OWNER) as connection:
        node = connection.execute(
            text(
                "SELECT natural_key FROM city.pipeline_nodes WHERE clearance <= 2 "
                "ORDER BY geom_3857 <-> ST_Transform(ST_SetSRID("
                "ST_MakePoint(114.0578, 22.5437), 4490), 3857) LIMIT 1"
            )
        ).scalar_one()
    grants = (Grant(Action.ADMINISTER, "alerts"), Grant(Action.OBSERVE, "levels"))
    headers = {"Authorization": f"Bearer {site.make_key(Clearance.GOVERNMENT, *grants)}"}
    rule: dict[str, Any] = {
        "title_zh": "水位过高",
        "title_en": "High water",
        "layer": "pipeline_nodes",
    }
    rule |= {"property": "water_level", "kind": "above", "threshold": 2}
    figure: dict[str, Any] = {"layer": "pipeline_nodes", "feature": node, "value": 3.2}
    figure |= {"property": "water_level", "unit": "m"}
    figure |= {"observed_at": datetime.now(UTC).isoformat()}
    page = visit.page
    page.get_by_role("tab", name="告警").click()
    expect(page.locator("#tab-alerts")).to_contain_text("当前没有告警")

    for path, body in (("/alert-rules", rule), ("/observations", figure)):
        httpx2.post(f"{site.url}{path}", json=body, headers=headers).raise_for_status()

    expect(page.locator(".alert-marker")).to_have_count(1, timeout=10_000)
    expect(page.locator(".alert-item")).to_contain_text("水位过高")
    expect(page.locator(".alert-item")).to_contain_text("值 3.2")
    page.locator(".alert-item button.plain").click()
    expect(page.locator(".alert-marker")).to_be_in_viewport()
    if picture := os.environ.get("GEOSERVICE_SCREENSHOT"):
        page.wait_for_timeout(3_000)
        page.screenshot(path=Path(picture).with_name("alert.png"))
    page.get_by_role("button", name="确认").click()
    expect(page.locator(".alert-item")).to_contain_text("已确认")
    expect(page.locator(".alert-marker")).to_have_attribute("data-state", "acknowledged")
    page.get_by_role("tab", name="图层").click()


def test_the_picture_of_the_readme(visit: Visit) -> None:
    """An officer looks at a facility under which pipes run."""
    visit.jump(16.6)
    visit.page.locator("#tab-layers").evaluate("list => list.scrollTo(0, 0)")
    place = visit.place_of("facilities")
    visit.page.mouse.click(place["x"], place["y"])
    expect(visit.page.locator("#details .reading")).to_be_visible()
    visit.page.mouse.move(640, 780)
    expect(visit.page.locator("#details dl")).to_contain_text("入库时间")

    png = visit.page.screenshot()
    if path := os.environ.get("GEOSERVICE_SCREENSHOT"):
        save_small(png, Path(path))
        assert Path(path).stat().st_size < 400_000
    visit.page.keyboard.press("Escape")


def test_no_request_leaves_the_service_and_the_key_leaves_the_address(
    visit: Visit, site: Site, key: str
) -> None:
    outside = [u for u in visit.asked if not u.startswith((site.url, "blob:", "data:"))]

    assert outside == []
    assert key not in visit.page.url
    assert visit.errors == []


def test_the_page_may_load_nothing_from_elsewhere(site: Site) -> None:
    with urllib.request.urlopen(f"{site.url}/map", timeout=5) as answer:  # noqa: S310  # our own
        policy = answer.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy


def test_a_citizen_sees_no_pipes_and_can_use_the_map_on_a_phone(public: Visit) -> None:
    page = public.page
    expect(page.locator("html")).to_have_attribute("lang", "en-GB")
    page.get_by_role("tab", name="Layers").click()

    expect(public.row("facilities")).to_be_visible()
    assert public.row("pipelines").count() == 0
    assert not [url for url in public.asked if "pipelines" in url]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert public.errors == []


def test_the_language_can_be_changed(public: Visit) -> None:
    public.page.get_by_role("button", name="中文").click()

    expect(public.page.get_by_role("tab", name="图层")).to_be_visible()
    expect(public.page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(public.page.get_by_role("button", name="中文")).to_be_focused()


def test_a_page_that_cannot_start_says_why_and_tries_again(browser: Browser, site: Site) -> None:
    page = browser.new_page(viewport=DESK, locale="zh-CN")  # type: ignore[arg-type]  # a plain dict
    page.route("**/styles/city.json", lambda route: route.fulfill(status=503, body=""))
    page.goto(f"{site.url}/map")
    cover = page.locator("#cover")
    expect(cover).to_contain_text("地图无法载入")

    page.unroute("**/styles/city.json")
    cover.get_by_role("button", name="重试").click()
    expect(cover).to_be_hidden()
    page.wait_for_selector("body[data-ready=true]", timeout=READY_MS)
    page.close()


def test_the_map_recovers_when_the_service_was_away(browser: Browser, site: Site) -> None:
    visit = open_map(browser, site)
    notice = visit.page.locator(".notice")
    site.stop()
    try:
        visit.page.evaluate("window.geoserviceMap.panBy([900, 0])")
        expect(notice).to_contain_text("无法连接服务", timeout=20_000)
    finally:
        site.start()

    expect(notice).to_have_count(0, timeout=RECOVERY_MS)
    visit.wait_until("window.geoserviceMap.areTilesLoaded()")
    visit.jump(visit.page.evaluate("window.geoserviceMap.getZoom()"), *visit.map_center)
    assert len(visit.drawn("parcels")) > 5
    visit.page.close()


def test_a_revoked_key_ends_what_it_opened(browser: Browser, site: Site) -> None:
    visit = open_map(browser, site, key=site.make_key(Clearance.GOVERNMENT))
    assert visit.drawn("pipelines")
    with site.city.address.connect(Role.OWNER) as connection:
        newest = connection.execute(select(func.max(api_keys.c.key_id))).scalar_one()
        revoke_key(connection, newest)
        connection.commit()
    visit.page.wait_for_timeout(2500)  # workers believe a key for two seconds

    visit.page.evaluate("window.geoserviceMap.panBy([900, 0])")
    expect(visit.page.locator(".notice")).to_contain_text("密钥无效", timeout=READY_MS)
    expect(visit.row("facilities")).to_be_visible()
    assert visit.row("pipelines").count() == 0
    visit.page.close()
