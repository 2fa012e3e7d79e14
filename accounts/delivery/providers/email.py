import smtplib

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from accounts.delivery.composing import Content
from accounts.delivery.models import Message, Reason
from accounts.delivery.providers.base import NotNow, NotTaken, Refused, Unanswered


class EmailProvider:
    """Sends through the e-mail backend that EMAIL_URL names."""

    name = "email"

    def hand_over(self, message: Message, content: Content) -> str:
        message_id = f"<{message.pk}@{settings.SITE_HOST}>"
        mail = EmailMultiAlternatives(
            content.subject, content.text, to=[message.destination], headers={"Message-ID": message_id}
        )
        if content.html:
            mail.attach_alternative(content.html, "text/html")
        connection = get_connection(timeout=settings.PROVIDER_TIMEOUT)
        try:
            connection.open()
        except (smtplib.SMTPException, OSError):
            raise NotTaken from None  # no message was spoken of yet
        try:
            connection.send_messages([mail])
        except smtplib.SMTPRecipientsRefused as error:
            code = min(code for code, _ in error.recipients.values())
            raise (NotNow() if code < 500 else Refused(Reason.BAD_MAILBOX, str(code))) from None
        except smtplib.SMTPResponseException as error:
            raise (NotNow() if error.smtp_code < 500 else Refused(Reason.PROVIDER, str(error.smtp_code))) from None
        except (smtplib.SMTPException, OSError):
            raise Unanswered from None
        finally:
            try:
                connection.close()
            except (smtplib.SMTPException, OSError):
                pass  # the message is through; a rude goodbye changes nothing
        return message_id[: Message._meta.get_field("provider_id").max_length]
