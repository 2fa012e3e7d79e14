"""The dashboard in the admin: who may see it, what it shows of nothing, of one message and of many; its download."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.delivery.models import Alarm, Message
from accounts.stepup.models import Challenge
from shop.operations.tables import SHOWN
from tests.shop.operations.month import write_month, write_trouble

pytestmark = pytest.mark.django_db
PAGE = "/admin/numbers/"


@pytest.fixture
def staff(sam, as_staff):
    """Sam, with the one right that this page asks for."""
    sam.user_permissions.add(Permission.objects.get(codename="view_numbers"))
    return as_staff(sam)


def rows_of(page: str, table: str) -> list[list[str]]:
    section = page.split(f'id="{table}-heading"')[1].split("</section>")[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", section, re.S)]
    return cells[1:]


class TestWhoMaySeeIt:
    @pytest.mark.parametrize("path", [PAGE, f"{PAGE}funnel.csv"])
    def test_staff_with_the_right_and_nobody_else(self, path, staff, rita, as_staff, ada):
        assert staff.get(path).status_code == 200
        assert as_staff(rita).get(path).status_code == 200
        assert as_staff(ada).get(path).status_code == 404
        assert staff.post(path).status_code == 405

    @pytest.mark.parametrize("path", [PAGE, f"{PAGE}funnel.csv"])
    def test_staff_without_the_right_are_told_that_it_is_not_there(self, path, sam, as_staff):
        sam.user_permissions.set(Permission.objects.exclude(codename="view_numbers"))
        assert as_staff(sam).get(path).status_code == 404

    def test_the_admins_first_page_leads_there_who_may_go(self, staff, sam, as_staff):
        assert f'href="{PAGE}"' in staff.get("/admin/").content.decode()
        sam.user_permissions.clear()
        assert f'href="{PAGE}"' not in as_staff(sam).get("/admin/").content.decode()


class TestWhatItShows:
    def test_nothing_was_sent(self, staff):
        page = staff.get(PAGE).content.decode()
        assert "Nothing was sent in this period" in page
        assert 'id="funnel-heading"' not in page
        assert "No alarm is open." in page

    def test_one_message(self, staff):
        now = timezone.now()
        Message.objects.create(
            kind="code", channel="text", destination="+4915112345678", country="DE", carrier="Telekom",
            provider="twilio", cost="0.0720", state="delivered", queued_at=now,
            handed_over_at=now + timedelta(seconds=1), delivered_at=now + timedelta(seconds=4),
        )  # fmt: skip
        page = staff.get(PAGE, {"period": "today"}).content.decode()
        assert rows_of(page, "funnel")[2] == ["Delivered", "1", "100.0 %"]
        assert rows_of(page, "carrier") == [["Telekom", "1", "1", "1", "0", "0.0 %", "€\u00a00.07"]]
        assert rows_of(page, "country")[0][0] == "Germany"
        assert rows_of(page, "waits") == [
            ["Text message", "handed over", "1.0 s", "1.0 s", "1.0 s"],
            ["Text message", "delivered", "4.0 s", "4.0 s", "4.0 s"],
        ]
        assert "Nothing here in this period." in page.split('id="failures-heading"')[1]
        assert "5112345678" not in page

    def test_failures_are_told_in_plain_words_and_abandoned_is_defined(self, staff):
        Message.objects.create(kind="code", channel="text", destination="x", state="failed", reason="landline")
        page = staff.get(PAGE).content.decode()
        assert "looks like a landline" in rows_of(page, "failures")[0][0]
        assert "the same browser began no other payment within an hour" in page

    def test_trouble_is_marked(self, staff):
        write_trouble(timezone.now())
        page = staff.get(PAGE).content.decode()
        assert "Something is unhealthy" in page
        for words in ("twilio fails, and is left alone", "vonage takes messages", "Alarm since", "none yet"):
            assert words in page

    def test_many_alarms_are_counted(self, staff):
        for number in range(25):
            Alarm.objects.create(kind=Alarm.Kind.PUMPING, about=f"+49{number}")
        assert "and 5 alarms more" in staff.get(PAGE).content.decode()

    def test_a_long_table_is_cut_and_the_download_is_not(self, staff):
        for number in range(SHOWN + 7):
            Message.objects.create(kind="code", channel="text", destination="x", carrier=f"network {number}")
        page = staff.get(PAGE).content.decode()
        assert len(rows_of(page, "carrier")) == SHOWN
        assert "and 7 rows more" in page
        assert len(download(staff, "carrier")) == SHOWN + 7

    def test_the_charts_have_words_and_keep_the_rules_for_content(self, staff):
        write_month(timezone.now(), 80)
        page = staff.get(PAGE, {"period": "30"}).content.decode().split('class="numbers"')[1]
        charts = re.findall(r'<svg class="chart".*?</svg>', page, re.S)
        assert len(charts) >= 8
        for chart in charts:
            assert 'role="img"' in chart
            title, words = re.search(r'aria-labelledby="(\S+) (\S+)"', chart).groups()
            assert f'<title id="{title}">' in chart and f'<desc id="{words}">' in chart
        assert "style=" not in page and "<script" not in page
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))

    def test_it_takes_the_same_queries_for_none_and_for_many(self, staff):
        counts = []
        for count in (0, 1, 200):
            write_month(timezone.now(), count)
            with CaptureQueriesContext(connection) as queries:
                assert staff.get(PAGE, {"period": "30"}).status_code == 200
            counts.append(len(queries))
            Challenge.objects.all().delete()
        assert len(set(counts)) == 1 and counts[0] <= 17, counts


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"period": "custom"}, "Choose the first and the last day."),
        ({"period": "custom", "first": "2026-03-09", "last": "2026-03-08"}, "The last day is before the first."),
        ({"period": "custom", "first": "2026-01-01", "last": "2026-04-03"}, "Choose at most 92 days."),
        ({"period": "custom", "first": "0001-01-01", "last": "0001-01-01"}, "Choose days of this century."),
        ({"period": "custom", "first": "9999-12-31", "last": "9999-12-31"}, "Choose days of this century."),
        ({"period": "custom", "first": "x", "last": "2026-04-03"}, "Enter a valid date."),
        ({"period": "9000"}, "Select a valid choice."),
    ],
)
def test_a_period_that_is_none_is_refused_with_words(staff, asked, said):
    answer = staff.get(PAGE, asked)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert "tables" not in answer.context
    assert staff.get(f"{PAGE}funnel.csv", asked).status_code == 404


@pytest.mark.parametrize(("last", "asked"), [("2026-03-29", 2), ("2026-03-28", 1)])
def test_the_days_are_the_shops_and_both_ends_are_in_it(staff, last, asked):
    """In Berlin the 29th of March 2026 has 23 hours."""
    for moment in ("2026-03-28T00:00:00+01:00", "2026-03-29T23:59:59+02:00", "2026-03-30T00:00:00+02:00"):
        Message.objects.create(kind="code", channel="email", destination="x", queued_at=moment)
    page = staff.get(PAGE, {"period": "custom", "first": "2026-03-28", "last": last}).content.decode()
    assert rows_of(page, "funnel")[0][1] == str(asked)
    assert len(rows_of(page, "days")) == asked


def download(client, table: str, **period: str) -> list[list[str]]:
    answer = client.get(f"{PAGE}{table}.csv", period)
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]


class TestTheDownload:
    @pytest.mark.parametrize(
        "table",
        ["funnel", "channel", "provider", "country", "carrier", "waits", "payments", "days", "failures", "cost"],
    )
    def test_each_table_comes_whole(self, staff, table):
        write_month(timezone.now(), 300)
        assert f"{PAGE}{table}.csv?period=30" in staff.get(PAGE, {"period": "30"}).content.decode()
        answer = staff.get(f"{PAGE}{table}.csv", {"period": "30"}).content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(answer)))
        assert len(rows) > 1 and len({len(row) for row in rows}) == 1

    def test_numbers_are_such_as_a_spreadsheet_reads(self, staff):
        Message.objects.create(
            kind="code", channel="text", destination="x", cost="1234.5678", handed_over_at=timezone.now()
        )
        (row,) = download(staff, "channel")
        assert row == ["Text message", "1", "1", "0", "0", "0.0", "1234.5678"]

    def test_a_networks_name_is_no_formula(self, staff):
        Message.objects.create(kind="code", channel="text", destination="x", carrier="=1+1")
        assert download(staff, "carrier")[0][0] == "'=1+1"

    def test_there_is_none_of_a_table_that_is_not_there(self, staff):
        assert staff.get(f"{PAGE}secrets.csv").status_code == 404
