from django.utils import timezone

from accounts.delivery.calls import after_key
from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, DemoMessage, Message, State
from accounts.delivery.services import move


class DemoProvider:
    """Carries messages to /demo/inbox/, at once and always; calls too, in which somebody presses a key."""

    name = "demo"

    def hand_over(self, message: Message, content: Content) -> str:
        now = timezone.now()
        text = content.text
        if message.channel == Channel.CALL and (said := after_key(message, now)):
            text = f"{text}\n\n{said.text}"
        DemoMessage.objects.get_or_create(
            message=message, defaults={"subject": content.subject, "text": text, "html": content.html}
        )
        move(message.pk, State.DELIVERED, sent_at=now, delivered_at=now)
        return f"demo-{message.pk}"
