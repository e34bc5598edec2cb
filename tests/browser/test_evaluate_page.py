"""The Evaluate page in a real browser: a map that sounds, linked to a table and to what is beside it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser


def test_points_of_the_map_sound_below_the_pointer_and_are_linked_to_the_table(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/evaluate?run=demo&tab=Map")
    sounds, tracks = page.locator(".map"), page.locator(".map .track")
    expect(tracks).to_have_count(80)
    tracks.nth(13).scroll_into_view_if_needed()

    def point_at(number: int, press: bool) -> None:
        box = tracks.nth(number).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        if press:
            page.mouse.down()
            page.mouse.up()

    point_at(13, press=True)
    expect(page.get_by_text(re.compile("Synthetic: 1_5"))).to_be_visible()
    ring = page.locator(".map .chosen")
    expect(ring).to_have_attribute("visibility", "visible")
    # From the first press on, a sound begins as soon as the pointer is on it, and ends when it has left.
    point_at(40, press=False)
    expect(sounds).to_have_attribute("data-playing", re.compile("track"))
    expect(page.locator(".map .status")).to_contain_text("Synthetic track of")
    page.mouse.move(2, 2)
    expect(sounds).not_to_have_attribute("data-playing", re.compile(".*"))
    # By keys as well.
    page.locator(".map svg").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".map .status")).to_have_text(re.compile("(Synthetic track|Training clip) of"))
    # A row of the table selects its point.
    before = ring.get_attribute("cx")
    table = page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 12, box["y"] + 52)
    expect(page.get_by_text("Synthetic: 0_0")).to_be_visible()
    expect(ring).not_to_have_attribute("cx", str(before))
