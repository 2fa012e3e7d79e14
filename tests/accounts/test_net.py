import pytest

from accounts.net import client_ip


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, None, "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1"),  # nobody's word counts where no proxy of ours stands in front
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.9.9.9, 203.0.113.9", "203.0.113.9"),  # what the visitor wrote stands further left
        (2, "10.9.9.9, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),  # came past the first proxy
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "not an address", None),
        (1, " , ", "192.0.2.1"),
        (1, "fe80::1%eth0", "fe80::1"),  # the zone means nothing to others, and PostgreSQL refuses it
    ],
)
def test_only_what_our_own_proxies_wrote_is_believed(rf, settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert client_ip(rf.get("/", REMOTE_ADDR="192.0.2.1", headers=headers)) == address
