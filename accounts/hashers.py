from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idHasher(Argon2PasswordHasher):
    """OWASP's argon2id parameters: 19 MiB, 2 passes, 1 lane.

    Source: OWASP Password Storage Cheat Sheet, "Argon2id".
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
