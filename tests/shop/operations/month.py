"""A plausible month of messages and payments, for the dashboard's tests and pictures."""

import random
import uuid
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.delivery.models import Alarm, Breaker, Message, Reason, State
from accounts.stepup.models import Challenge, Grant, Purpose

WAYS = [
    # channel, provider, country, carrier, cost, share of it that arrives
    ("text", "twilio", "DE", "Telekom", "0.0720", 0.97),
    ("text", "twilio", "DE", "Vodafone", "0.0720", 0.95),
    ("text", "twilio", "AT", "A1", "0.0810", 0.93),
    ("text", "vonage", "FR", "Orange", "0.0640", 0.90),
    ("call", "twilio", "DE", "Telekom", "0.0240", 0.85),
    ("email", "email", "", "", "0.0004", 0.99),
]
REASONS = {"text": [Reason.CARRIER, Reason.BAD_NUMBER, Reason.LANDLINE], "call": [Reason.NO_ANSWER, Reason.NO_KEY]}


def write_month(now: datetime, count: int = 900, days: int = 30) -> None:
    dice = random.Random(1)
    challenges, grants, messages = [], [], []
    for number in range(count):
        channel, provider, country, carrier, cost, arrives = dice.choices(WAYS, [30, 22, 9, 8, 6, 40])[0]
        asked = now - timedelta(seconds=dice.uniform(600, days * 86400 * 0.97))
        challenge = Challenge(
            id=uuid.UUID(int=dice.getrandbits(128)),
            contact=f"{number}@example.org",
            browser=f"{number:064}",
            purpose=dice.choice([Purpose.PAY, Purpose.PAY, Purpose.SIGN_IN]),
            context_digest=bytes(32),
            next_path="/",
            factor=channel,
            code_key="k",
            attempts_left=5,
            requested_at=asked,
            expires_at=asked + timedelta(minutes=5),
        )
        message = Message(
            kind=Message.Kind.CODE,
            channel=channel,
            destination=f"{number}@example.org" if channel == "email" else f"+49151{number:08}",
            challenge=challenge,
            country=country,
            carrier=carrier,
            queued_at=asked,
        )
        if dice.random() < 0.99:
            message.provider = provider
            message.cost = Decimal(cost)
            message.handed_over_at = asked + timedelta(seconds=dice.lognormvariate(-0.5, 0.5))
            message.state = State.HANDED_OVER
            if dice.random() < arrives:
                message.state = State.DELIVERED
                message.delivered_at = message.handed_over_at + timedelta(seconds=dice.lognormvariate(1.2, 0.6))
                if dice.random() < 0.9:
                    challenge.state = Challenge.State.PASSED
                    challenge.passed_at = message.delivered_at + timedelta(seconds=20)
                    grants.append(
                        Grant(
                            challenge=challenge,
                            contact=challenge.contact,
                            browser=challenge.browser,
                            purpose=challenge.purpose,
                            context_digest=bytes(32),
                            factor=channel,
                            strength=2,
                            granted_at=challenge.passed_at,
                            expires_at=challenge.passed_at + timedelta(minutes=5),
                            used_at=challenge.passed_at if dice.random() < 0.95 else None,
                        )
                    )
            elif channel in REASONS:
                message.state, message.reason = State.FAILED, dice.choice(REASONS[channel])
        else:
            message.state = State.EXPIRED
        challenges.append(challenge)
        messages.append(message)
    Challenge.objects.bulk_create(challenges, batch_size=5000)
    Grant.objects.bulk_create(grants, batch_size=5000)
    Message.objects.bulk_create(messages, batch_size=5000)


def write_trouble(now: datetime) -> None:
    Breaker.objects.create(provider="twilio", failures=5, open_until=now + timedelta(hours=1))
    Breaker.objects.create(provider="vonage")
    Alarm.objects.create(kind=Alarm.Kind.PROVIDER_DOWN, about="twilio", raised_at=now - timedelta(minutes=3))
