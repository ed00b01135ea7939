"""When the last stage ends, and what is shown once."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.status.activity import Activity, longest_path, without_doubles

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
AFTER = {"rows": [], "model": [], "cut": ["rows"], "train@1": ["cut", "model"], "train@2": ["cut", "model"]}


@pytest.mark.parametrize(
    ("left", "seconds"),
    [
        ({}, 0),
        ({"train@1": 7.0}, 7),
        ({"train@1": 7.0, "train@2": 9.0}, 9),  # at the same time
        ({"rows": 5.0, "cut": 3.0, "train@1": 7.0}, 15),  # one after the other
        ({"rows": 5.0, "model": 30.0, "cut": 3.0, "train@1": 7.0}, 37),  # the slower of two ways
        ({"rows": 5.0, "train@2": 7.0}, 12),  # what lies between is done
        ({"train@1": 0.0}, 0),  # overdue: it can end at any moment
    ],
)
def test_the_end_is_that_of_the_slowest_way_through_the_stages(left: dict[str, float], seconds: float) -> None:
    assert longest_path(AFTER, left, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("stage", AFTER)
def test_a_stage_that_never_ran_makes_the_end_unknown(stage: str) -> None:
    assert longest_path(AFTER, {"rows": 1.0, stage: None}, NOW) is None


def test_what_this_folder_reports_to_prefect_is_shown_once() -> None:
    here = Activity("retune run", None, "running", "a:/x", NOW)
    same = Activity("quick-fox", None, "running", "a:/x", NOW, address="http://server/1")
    other = Activity("slow-owl", None, "running", "a:/y", NOW)
    assert without_doubles([here], [same, other]) == [here, other]
    assert without_doubles([], [same, other]) == [same, other]


def test_times_are_utc_in_json_whatever_zone_they_come_in() -> None:
    there = NOW.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    entry = Activity("x", None, "running", "a", there, ends=there + timedelta(seconds=1.7)).as_json()
    assert (entry["since"], entry["ends"]) == ("2024-05-01T12:00:00+00:00", "2024-05-01T12:00:01+00:00")
    assert Activity("x", None, "running", "a", NOW).as_json()["ends"] is None
