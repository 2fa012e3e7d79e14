"""The dashboard: what happens now, and how messages and approvals did over a period."""

import csv
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.delivery.numbers import LATE_AFTER, pulse
from accounts.stepup.decorators import staff_only
from shop.operations.forms import PeriodForm
from shop.operations.tables import tables

PERMISSION = "delivery.view_numbers"
ALARMS_SHOWN = 20


def numbers_only(view: Any) -> Any:
    """For staff with the right to see the numbers; others of the staff are told 404, like a stranger."""

    @staff_only
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise Http404
        return view(request, *args, **kwargs)

    return never_cache(guarded)


@numbers_only
@require_safe
def numbers(request: HttpRequest) -> HttpResponse:
    form = _form(request)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Numbers"),
        "form": form,
        **_at_this_moment(),
    }
    if form.is_valid():
        since, until = form.bounds
        found = tables(since, until)
        # A payment may be approved by an app, so it can be that nothing was sent and there is still something to see.
        empty = not any(sum(row[1] for row in table.rows) for table in found if table.name in ("days", "payments"))
        context |= {"tables": found, "empty": empty, "query": request.GET.urlencode()}
    return render(request, "operations/numbers.html", context, status=200 if form.is_valid() else 422)


@numbers_only
@require_safe
def numbers_csv(request: HttpRequest, table: str) -> HttpResponse:
    """One of the tables with all of its rows, and numbers that a spreadsheet reads."""
    form = _form(request)
    if not form.is_valid():
        raise Http404
    since, until = form.bounds
    found = next((each for each in tables(since, until) if each.name == table), None)
    if found is None:
        raise Http404
    name = f"{table}-{since:%Y-%m-%d}.csv"
    response = HttpResponse(
        content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
    response.write("\ufeff")  # else spreadsheets take it for an old code page
    writer = csv.writer(response)
    writer.writerow(found.headings)
    writer.writerows([_safe(value) for value in row] for row in found.rows)
    return response


def _at_this_moment() -> dict[str, Any]:
    found = pulse()
    waiting = {"codes": _("The oldest code that could have left waits for %(time)s.")}
    waiting["mail"] = _("The oldest other message that could have left waits for %(time)s.")
    return {
        "pulse": found,
        "queues": [
            {
                "name": queue,
                "length": None if found.queues is None else found.queues[queue],
                "beat": None if age is None else _("%(time)s ago") % {"time": _span(age)},
                "silent": queue in found.silent,
            }
            for queue, age in found.heartbeats.items()
        ],
        "waiting": [
            {"words": waiting[queue] % {"time": _span(age)}, "late": age > LATE_AFTER}
            for queue, age in found.oldest.items()
            if age
        ],
        "alarms": found.alarms[:ALARMS_SHOWN],
        "more_alarms": len(found.alarms[ALARMS_SHOWN:]),
    }


def _span(age: timedelta) -> str:
    seconds = max(0, round(age.total_seconds()))
    if seconds < 120:
        return _("%(seconds)d s") % {"seconds": seconds}
    if seconds < 7200:
        return _("%(minutes)d min") % {"minutes": seconds // 60}
    return _("%(hours)d h") % {"hours": seconds // 3600}


def _form(request: HttpRequest) -> PeriodForm:
    return PeriodForm({"period": "7"} | request.GET.dict())


def _safe(value: Any) -> Any:
    """A network's name comes from outside, and a spreadsheet would run what begins like a formula.

    Source: OWASP, CSV Injection.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
