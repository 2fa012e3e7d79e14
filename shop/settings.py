"""The one settings file. Everything that differs between a laptop and production is read from the environment."""

from datetime import timedelta
from decimal import Decimal
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from accounts.countries import COUNTRIES

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=False)
# Known to everybody, so `check --deploy` refuses it; a laptop and the tests need none.
INSECURE_KEY = "countersign-insecure-key-for-laptops-and-tests-only"
SECRET_KEY = env("SECRET_KEY", default=INSECURE_KEY)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# The first of each list is used for new values, the others still open old ones.
CODE_KEYS = env.list("CODE_KEYS", default=[INSECURE_KEY])
INSECURE_FIELD_KEY = "Y291bnRlcnNpZ24taW5zZWN1cmUtZmllbGQta2V5ISE="
FIELD_KEYS = env.list("FIELD_KEYS", default=[INSECURE_FIELD_KEY])

SITE_URL = env("SITE_URL", default=f"http://localhost:{env('PORT', default='8000')}")
SITE_HOST = urlsplit(SITE_URL).hostname
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [SITE_URL]
SHOP_NAME = env("SHOP_NAME", default="Countersign")
CURRENCY = env("CURRENCY", default="EUR")  # ISO 4217; chosen before the first `migrate`
PRICES_INCLUDE_TAX = env.bool("PRICES_INCLUDE_TAX", default=True)  # whether prices and fees are entered with tax
TAX_RATE = Decimal("0.19")

# --- databases -------------------------------------------------------------------------------------------------------

if env("DATABASE_URL", default=""):
    DATABASES = {"default": env.db("DATABASE_URL")}
else:
    from shop import embedded

    DATABASES = {"default": environ.Env.db_url_config(embedded.database_url())}
REDIS_URL = env("REDIS_URL", default="")
if not REDIS_URL:
    from shop import embedded

    REDIS_URL = embedded.redis_url()
DATABASES["default"] |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60),
    "CONN_HEALTH_CHECKS": True,
    # PgBouncer in transaction mode keeps no cursor between statements.
    "DISABLE_SERVER_SIDE_CURSORS": True,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- applications ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "shop.admin_config.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django.forms",
    "django_htmx",
    "django_otp",
    "django_otp_webauthn",
    "two_factor",
    "accounts",
    "accounts.delivery",
    "accounts.factors",
    "accounts.stepup",
    "accounts.security",
    "accounts.sign_in",
    "shop.product",
    "shop.cart",
    "shop.payment",
    "shop.order",
    "shop.checkout",
    "shop.support",
    "shop.demo",
    "shop",
]

MIDDLEWARE = [
    "shop.operations.health.ProbesFirst",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "accounts.security.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Every page needs a person unless its view says @login_not_required.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.context_processors.shop",
            ],
        },
    }
]

# --- people and proofs -----------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "sign_in:sign_in"
LOGIN_REDIRECT_URL = "security:overview"
LOGOUT_REDIRECT_URL = "product:home"
PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
     "OPTIONS": {"user_attributes": ["email", "phone", "name"]}},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]  # fmt: skip
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
TWO_FACTOR_PATCH_ADMIN = False
# Passkeys are bound to the shop's own host. The library's views are not used (docs/decisions.md), so neither is its
# list of origins, which its checks ask for.
OTP_WEBAUTHN_CREDENTIAL_MODEL = "factors.Passkey"
OTP_WEBAUTHN_RP_ID = SITE_HOST
OTP_WEBAUTHN_RP_NAME = SHOP_NAME

TRUST_LIFE = timedelta(days=30)  # how long a trusted browser is asked for no code at sign-in
# Whether shoppers may sign in with a code in place of the password (docs/decisions.md says what that costs).
SIGN_IN_BY_CODE = env.bool("SIGN_IN_BY_CODE", default=False)

CODE_LIFE = timedelta(minutes=5)  # from hand-over
CHALLENGE_LIFE = timedelta(minutes=10)  # from the request, whatever happens
CODE_ATTEMPTS = 5  # a challenge
SENDS_PER_CHALLENGE = 5
SEND_GAPS = [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]  # the last one repeats

# --- delivery --------------------------------------------------------------------------------------------------------

TWILIO_ACCOUNT_SID = env("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env("TWILIO_AUTH_TOKEN", default="")
TWILIO_MESSAGING_SERVICE_SID = env("TWILIO_MESSAGING_SERVICE_SID", default="")
TWILIO_FROM = env("TWILIO_FROM", default="")
TWILIO_API_URL = env("TWILIO_API_URL", default="https://api.twilio.com")
VONAGE_API_KEY = env("VONAGE_API_KEY", default="")
VONAGE_API_SECRET = env("VONAGE_API_SECRET", default="")
VONAGE_SIGNATURE_SECRET = env("VONAGE_SIGNATURE_SECRET", default="")
VONAGE_FROM = env("VONAGE_FROM", default="")
VONAGE_API_URL = env("VONAGE_API_URL", default="https://rest.nexmo.com")
# In the order in which they are asked; those that are not set up are passed over.
TEXT_PROVIDERS = env.list("TEXT_PROVIDERS", default=["twilio", "vonage"])
CARRIER_TIMEOUT = 5  # the same of texts and calls: somebody waits, and another provider may be at hand
PROVIDER_TIMEOUT = 10  # seconds of silence after which a provider's answer counts as unknown

EMAIL_URL = env("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = PROVIDER_TIMEOUT
# In place of a mail server: the API of an e-mail service, which reports what becomes of each mail.
EMAIL_ESP = env("EMAIL_ESP", default="")
EMAIL_ESP_KEY = env("EMAIL_ESP_KEY", default="")
EMAIL_ESP_API_URL = env("EMAIL_ESP_API_URL", default="")
ANYMAIL = {
    "WEBHOOK_SECRET": env("ANYMAIL_WEBHOOK_SECRET", default=""),
    "MAILGUN_WEBHOOK_SIGNING_KEY": env("MAILGUN_WEBHOOK_SIGNING_KEY", default=""),
}
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"{SHOP_NAME} <shop@{SITE_HOST}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
SUPPORT_EMAIL = env("SUPPORT_EMAIL", default=parseaddr(DEFAULT_FROM_EMAIL)[1])

PHONENUMBER_DEFAULT_REGION = env("PHONE_REGION", default="DE")
# Only numbers of these countries (ISO 3166-1) are taken, texted and called.
TEXT_COUNTRIES = env.list("TEXT_COUNTRIES", default=list(COUNTRIES))
# Budgets of the whole shop (accounts/delivery/budgets.py has the others) and the guard against pumping.
TEXTS_A_DAY = env.int("TEXTS_A_DAY", default=10_000)  # texts and calls with codes
TEXTS_A_COUNTRY_A_DAY = env.int("TEXTS_A_COUNTRY_A_DAY", default=5_000)
UNVERIFIED_A_PREFIX = env.int("UNVERIFIED_A_PREFIX", default=150)  # an hour, of codes that nobody typed
PUMPING_UNVERIFIED = env.int("PUMPING_UNVERIFIED", default=50)  # from so many an hour on, a prefix is looked at
MAILS_A_DAY = env.int("MAILS_A_DAY", default=50_000)  # e-mails with codes
# The most that texts and calls may cost in a day, in CURRENCY; 0: no cap.
MESSAGE_BUDGET_A_DAY = Decimal(env("MESSAGE_BUDGET_A_DAY", default="0"))
PHONENUMBER_DB_FORMAT = "E164"
PHONENUMBER_DEFAULT_FORMAT = "INTERNATIONAL"

# --- tasks -----------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "slow"
# A worker that dies gives its task back; the claim on the row keeps the second run from doing it twice.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Workers look for a broker that is away for as long as it is away.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# SIGQUIT and a second Ctrl-C wait this long for what is being handed over. SIGTERM waits for all of it anyway.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = PROVIDER_TIMEOUT + 5
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "queue_order_strategy": "priority",  # in the order of the worker's -Q
    # After this time what a dead worker held is given to another. Longer than any task takes: a mail server that uses
    # up PROVIDER_TIMEOUT at each of its dozen answers needs two minutes. Messages don't wait for that: the sweep comes.
    "visibility_timeout": 15 * 60,
    "max_retries": 0,  # else whoever asks for a code waits six seconds for a broker that is down; the sweep retries
    "socket_connect_timeout": 0.5,
    "socket_timeout": 2,
}
CELERY_BEAT_SCHEDULE = {
    "requeue-lost-messages": {"task": "accounts.delivery.tasks.sweep", "schedule": 10.0, "options": {"expires": 10}},
    # Among the codes, so that nothing slower stands before it.
    "fail-over": {
        "task": "accounts.delivery.tasks.fail_over", "schedule": 2.0, "options": {"expires": 2, "queue": "codes"}},
    "review-budgets": {
        "task": "accounts.delivery.tasks.review_budgets", "schedule": 60.0, "options": {"expires": 60}},
    # Into each queue, so that a queue without a worker is seen, and beat's own death in all of them.
    **{
        f"sign-of-life-{queue}": {
            "task": "accounts.delivery.tasks.beat", "schedule": 30.0, "args": (queue,),
            "options": {"queue": queue, "expires": 30}}
        for queue in ("codes", "mail", "slow")
    },
    "release-lapsed-holds": {
        "task": "shop.product.tasks.release_lapsed_holds", "schedule": 30.0, "options": {"expires": 30}},
    "settle-payments": {"task": "shop.checkout.tasks.settle_payments", "schedule": 60.0, "options": {"expires": 60}},
    "seal-security-events": {"task": "accounts.tasks.seal_events", "schedule": 60.0, "options": {"expires": 60}},
    "clear-trusted-browsers": {
        "task": "accounts.security.tasks.clear_trusted_browsers", "schedule": crontab(minute="27", hour="3")},
    "advance-recoveries": {
        "task": "accounts.security.tasks.advance_recoveries", "schedule": 60.0, "options": {"expires": 60}},
    "clear-sessions": {"task": "accounts.tasks.clear_sessions", "schedule": crontab(minute="17", hour="3")},
}  # fmt: skip

# --- operation -------------------------------------------------------------------------------------------------------

# Whoever shows it as a bearer token reads /metrics; without it the page is there in the demo only.
METRICS_TOKEN = env("METRICS_TOKEN", default="")

# --- the web's manners -----------------------------------------------------------------------------------------------

SECURE = SITE_URL.startswith("https://")
SESSION_ENGINE = "accounts.security.session_engine"
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
DEVICE_COOKIE_NAME = "__Host-device" if SECURE else "device"  # shop/checkout/device.py
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
TRUST_COOKIE_NAME = "__Host-trusted" if SECURE else "trusted"
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
# How many proxies of ours stand in front; only addresses that they wrote into X-Forwarded-For are believed.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
SILENCED_SYSTEM_CHECKS = ["otp_webauthn.E030", *([] if SECURE else ["security.W021"])]

STATIC_URL = "/static/"
# A laptop serves the files from where they lie; production runs `collectstatic` first, which names them by content.
STATIC_FROM_SOURCE = env.bool("STATIC_FROM_SOURCE", default=DEBUG)
STATIC_ROOT = None if STATIC_FROM_SOURCE else env.path("STATIC_ROOT", default=str(BASE_DIR / "var" / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
# Pictures that staff upload. Every web process reads and writes them, so with several servers it is a shared folder.
MEDIA_URL = "/media/"
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(BASE_DIR / "var" / "media"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if STATIC_FROM_SOURCE
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = STATIC_FROM_SOURCE

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = env("TIME_ZONE", default="Europe/Berlin")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": [], "propagate": True, "level": env("LOG_LEVEL", default="INFO")},
        "django.server": {"handlers": ["console"], "propagate": False, "level": "WARNING"},
        # At DEBUG it prints the whole context where a variable is missing: backup codes, or the code of a text.
        "django.template": {"level": "INFO"},
    },
}
