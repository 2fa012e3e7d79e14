"""Each factor keeps its device beside its rules; Django finds them here."""

from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCode, BackupCodeSet
from accounts.factors.email import Mailbox
from accounts.factors.passkey import Passkey
from accounts.factors.text import Phone

__all__ = ["Authenticator", "BackupCode", "BackupCodeSet", "Mailbox", "Passkey", "Phone"]
