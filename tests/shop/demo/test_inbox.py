"""/demo/inbox/: what the demo sent, and the codes of its people's authenticator apps."""

import re

import pytest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts.delivery.models import Channel, DemoMessage, Message
from accounts.factors.authenticator import STEP, Authenticator
from accounts.factors.registry import factor
from accounts.models import User
from shop.demo.people import create_people

pytestmark = pytest.mark.django_db
INBOX = "/demo/inbox/"
ADA, CLEO = "ada@example.org", "+4915198765432"


def sent(to, text, subject="", html=""):
    channel = Channel.EMAIL if "@" in to else Channel.TEXT
    message = Message.objects.create(kind=Message.Kind.NOTICE, channel=channel, destination=to)
    return DemoMessage.objects.create(message=message, subject=subject, text=text, html=html)


class TestWithoutDemo:
    def test_it_has_no_address(self, client):
        assert client.get(INBOX).status_code == 404
        with pytest.raises(NoReverseMatch):
            reverse("demo:inbox")

    def test_its_views_refuse_even_if_mounted(self, client, demo, settings):
        message = sent(ADA, "123456", html="<p>123456</p>")
        settings.DEMO = False
        for path in ("", "messages/", "codes/", f"{message.pk}/"):
            assert client.get(INBOX + path).status_code == 404


@pytest.mark.usefixtures("demo")
class TestInbox:
    def test_everybody_may_look_and_nothing_is_cached(self, client):
        page = client.get(INBOX)
        assert page.status_code == 200
        assert "This is the demo&#x27;s inbox." in page.text.replace("demo's", "demo&#x27;s")
        assert "no-store" in page["Cache-Control"]
        assert "session" not in page.cookies

    def test_texts_are_shown_newest_first_with_their_number(self, client):
        sent(CLEO, "first 111111")
        sent(CLEO, "second 222222")
        text = client.get(INBOX).text
        assert text.index("222222") < text.index("111111")
        assert CLEO in text

    def test_a_call_is_shown_as_one(self, client):
        message = Message.objects.create(kind=Message.Kind.NOTICE, channel=Channel.CALL, destination=CLEO)
        DemoMessage.objects.create(message=message, text="Hello.\nPress any key.\n\n0 1 2 3 4 5")
        text = client.get(INBOX).text
        assert "<strong>Call</strong>" in text and "0 1 2 3 4 5" in text

    def test_an_email_is_opened_to_be_read(self, client):
        message = sent(ADA, "Your code is 333333.", subject="Welcome")
        assert "Welcome" in client.get(INBOX).text
        assert "333333" not in client.get(INBOX).text
        assert "333333" in client.get(INBOX, {"open": message.pk}).text

    def test_it_can_be_narrowed_to_one_recipient(self, client):
        sent(CLEO, "for Cleo")
        sent("+4915123456789", "for Ada")
        text = client.get(INBOX, {"to": CLEO}).text
        assert "for Cleo" in text and "for Ada" not in text

    @pytest.mark.parametrize("query", ["to=nobody", "to=%00", "open=abc", "open=%00", "last=x", "to=%3Cscript%3E"])
    def test_odd_addresses_are_no_error(self, client, query):
        sent(CLEO, "for Cleo <script>alert(1)</script>")
        page = client.get(f"{INBOX}?{query}")
        assert page.status_code == 200
        assert "for Cleo" in page.text
        assert "<script>alert" not in page.text

    def test_it_asks_for_what_is_new_and_gets_it_once(self, client):
        sent(CLEO, "first")
        page = client.get(INBOX)
        url = re.search(r'hx-get="([^"]*messages[^"]*)"', page.text)[1]
        assert client.get(url).status_code == 204
        sent(CLEO, "second")
        part = client.get(url)
        assert part.status_code == 200
        assert "second" in part.text and "<html" not in part.text

    def test_html_is_shown_without_scripts_and_alone(self, client):
        message = sent(ADA, "text", html="<p>Hello</p><script>alert(1)</script>")
        page = client.get(f"{INBOX}{message.pk}/")
        policy = page["Content-Security-Policy"]
        assert "sandbox" in policy.replace(";", " ").split()
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert client.get(f"{INBOX}{sent(ADA, 'only text').pk}/").status_code == 404

    def test_it_costs_three_queries_however_much_there_is(self, client, django_assert_num_queries):
        for n in range(30):
            sent(CLEO if n % 2 else ADA, f"text {n}", subject="s")
        with django_assert_num_queries(3):
            client.get(INBOX)


@pytest.mark.usefixtures("demo")
class TestAuthenticatorApp:
    def shown(self, client):
        return {each["name"]: each for each in client.get(f"{INBOX}codes/").context["people"]}

    def test_its_codes_are_right(self, client):
        create_people()
        shown = self.shown(client)
        assert set(shown) == {"sam@example.org", "rita@example.org"}
        device = Authenticator.objects.get(user__email="sam@example.org")
        assert factor("authenticator").verify(device, shown["sam@example.org"]["code"], timezone.now())

    def test_a_used_code_says_so(self, client):
        create_people()
        sam = Authenticator.objects.get(user__email="sam@example.org")
        sam.last_step = int(timezone.now().timestamp()) // STEP + 1
        sam.save()
        assert self.shown(client)["sam@example.org"]["is_used"]
        assert "Used already" in client.get(f"{INBOX}codes/").text

    def test_nobody_elses_code_and_no_unconfirmed_one_is_shown(self, client):
        create_people()
        stranger = User.objects.create_user(email="stranger@example.org", password="x")
        Authenticator.objects.create(user=stranger, name="phone", confirmed=True)
        ada = User.objects.get(email=ADA)
        Authenticator.objects.create(user=ada, name="phone", confirmed=False)
        assert set(self.shown(client)) == {"sam@example.org", "rita@example.org"}
