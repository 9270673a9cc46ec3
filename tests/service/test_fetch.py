"""Photos by URL: what is fetched, what never is, and that answers do not map the network."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mien import config
from mien.errors import (
    ConfigurationError,
    ImageTooLarge,
    ImageUrlError,
    ImageUrlTimeout,
    Overloaded,
)
from mien.service import fetch
from mien.service.addresses import AddressRules, is_public, parse_networks, parse_ports
from mien.service.fetch import MAX_URL, Fetcher

PHOTO = b"\xff\xd8 a photo" * 100
REFUSED = "The URL cannot be fetched: it must be public and answer 200 with the photo."


class Handler(BaseHTTPRequestHandler):
    """A small site with everything that can go wrong."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"], self.headers["User-Agent"]))
        name = self.path.partition("?")[0].strip("/")
        getattr(self, f"answer_{name.partition('/')[0]}", self.answer_missing)()

    def send(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_photo(self):
        self.send(200, PHOTO)

    def answer_missing(self):
        self.send(404, b"no")

    def answer_to(self):
        self.send(302, Location=self.server.goes_to)

    def answer_round(self):
        self.send(302, Location="/round")

    def answer_lies(self):
        self.send_response(200)
        self.end_headers()  # no length: the body ends with the connection
        self.wfile.write(PHOTO)

    def answer_gzip(self):
        self.send(200, PHOTO, Content_Encoding="gzip")

    def answer_slow(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(100):
            if self.server.stopping.wait(0.05):
                return
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                return

    def answer_silent(self):
        self.server.stopping.wait(5)

    def log_message(self, *_):
        pass


@contextmanager
def site(address="127.0.0.1", port=0, tls=None):
    server = ThreadingHTTPServer((address, port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # a client that does not trust it hangs up
    server.asked, server.goes_to, server.stopping = [], "/photo", threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def local():
    with site() as server:
        yield server


class Names:
    """A resolver that knows what it is told, and counts."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append(host)
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def fetcher(resolver=None, **settings):
    given = {"fetch_networks": ["127.0.0.0/8"], "fetch_ports": "1-65535", "offline": True}
    loaded = config.load(**{**given, **settings})
    return Fetcher(loaded, resolver=resolver) if resolver else Fetcher(loaded)


def get(url, resolver=None, *, max_bytes=None, take=None, **settings):
    return asyncio.run(
        fetcher(resolver, **settings).fetch(url, max_bytes=max_bytes, take=take), debug=False
    )


def at(server, path="/photo", host="127.0.0.1"):
    return f"http://{host}:{server.server_port}{path}"


# ------------------------------------------------------------------ what is fetched


def test_a_photo_comes_back_whole(local):
    assert get(at(local)) == PHOTO
    assert local.asked == [("/photo", f"127.0.0.1:{local.server_port}", "mien")]


def test_a_body_without_a_length_comes_back_whole(local):
    assert get(at(local, "/lies")) == PHOTO


def test_a_redirect_is_followed(local):
    assert get(at(local, "/to")) == PHOTO
    assert [one[0] for one in local.asked] == ["/to", "/photo"]


def test_a_name_keeps_its_name_for_the_server(local):
    names = Names(photos_example=[["127.0.0.1"]])
    assert get(at(local, host="photos.example"), names) == PHOTO
    assert local.asked[0][1] == f"photos.example:{local.server_port}"


def test_odd_characters_of_a_path_are_escaped_once(local):
    assert get(at(local, "/photo/Ünïcode name%20x.jpg?a=ö&b=c d")) == PHOTO
    assert local.asked[0][0] == "/photo/%C3%9Cn%C3%AFcode%20name%20x.jpg?a=%C3%B6&b=c%20d"


def test_the_second_address_is_tried_where_the_first_does_not_answer(local):
    names = Names(photos_example=[["127.0.0.9", "127.0.0.1"]])
    assert get(at(local, host="photos.example"), names) == PHOTO


def test_every_chunk_is_told_before_it_is_kept(local):
    sizes = []
    get(at(local), take=sizes.append)
    assert sum(sizes) == len(PHOTO)


def test_tls_is_checked_against_the_name_and_not_the_address(tmp_path):
    certificate, key = self_signed("photos.example", tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    names = Names(photos_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    with site(tls=server_side) as server:
        for host, trusted, fetched in (
            ("photos.example", True, True),
            ("photos.example", False, False),
            ("other.example", True, False),
        ):
            one = fetcher(names)
            if trusted:
                one._tls = ssl.create_default_context(cafile=str(certificate))
            url = at(server, host=host).replace("http:", "https:")
            if fetched:
                assert asyncio.run(one.fetch(url)) == PHOTO
            else:
                with pytest.raises(ImageUrlError, match="cannot be fetched"):
                    asyncio.run(one.fetch(url))


def self_signed(name, folder):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


# ------------------------------------------------------------------ DNS rebinding


def test_a_name_that_changes_its_address_is_asked_once(local):
    with site("127.0.0.2", local.server_port) as inner:
        names = Names(evil_example=[["127.0.0.1"], ["127.0.0.2"]])
        photo = get(at(local, host="evil.example"), names, fetch_networks=["127.0.0.1/32"])
    assert (photo, names.asked, inner.asked) == (PHOTO, ["evil.example"], [])


def test_a_name_that_changes_its_address_for_the_redirect_is_checked_again(local):
    names = Names(evil_example=[["127.0.0.1"], ["127.0.0.2"]])
    local.goes_to = at(local, host="evil.example")
    with pytest.raises(ImageUrlError, match="cannot be fetched"):
        get(at(local, "/to", host="evil.example"), names, fetch_networks=["127.0.0.1/32"])
    assert [one[0] for one in local.asked] == ["/to"]


def test_one_forbidden_address_among_several_is_enough(local):
    names = Names(evil_example=[["127.0.0.1", "10.0.0.1"]])
    with pytest.raises(ImageUrlError):
        get(at(local, host="evil.example"), names)
    assert local.asked == []


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/photo",
        "http://127.1/photo",
        "http://0x7f000001/photo",
        "http://2130706433/photo",
        "file:///etc/hostname",
        "gopher://127.0.0.1/",
        "//10.0.0.1/photo",
    ],
)
def test_a_redirect_to_where_nothing_may_go_is_refused(target):
    with site("127.0.0.5") as server:
        server.goes_to = target
        with pytest.raises(ImageUrlError):
            get(at(server, "/to", host="127.0.0.5"), fetch_networks=["127.0.0.5/32"])
        assert len(server.asked) == 1


# ------------------------------------------------------------------ addresses and ports

FORBIDDEN = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "2001:db8::1",
    "3fff::1",
    "fec0::1",
    "64:ff9b:1::a00:1",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:127.0.0.1",
    "192.31.196.1",
    "192.175.48.1",
    "not an address",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_not_public_is_not_connected_to(address):
    assert not AddressRules((), ((80, 80),)).allow_address(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "2606:4700::5efe:8.8.8.8"],
)
def test_what_is_public_is(address):
    assert is_public(ipaddress.ip_address(address))
    assert AddressRules((), ((80, 80),)).allow_address(address)
    assert not AddressRules((), ((80, 80),), public=False).allow_address(address)


def test_a_network_is_allowed_by_name_and_no_more(local):
    assert get(at(local), fetch_networks=["127.0.0.1"]) == PHOTO
    with pytest.raises(ImageUrlError):
        get(at(local), fetch_networks=[])
    with pytest.raises(ImageUrlError):
        get(at(local), fetch_networks=["127.0.0.2/32"])
    assert len(local.asked) == 1


def test_an_address_in_a_v6_coat_is_the_same_address():
    rules = AddressRules(parse_networks(["10.1.0.0/16"]), ((80, 80),))
    assert rules.allow_address("::ffff:10.1.2.3")
    assert not rules.allow_address("::ffff:10.2.2.3")


def test_ports_are_a_list(local):
    port = local.server_port
    assert get(at(local), fetch_ports=f"80,{port}-{port}") == PHOTO
    with pytest.raises(ImageUrlError, match="port"):
        get(at(local), fetch_ports="80,443,1-9")
    assert parse_ports("80, 443,10000-12000") == ((80, 80), (443, 443), (10000, 12000))


@pytest.mark.parametrize("text", ["", "0", "x", "9-8", "80,", "65536", "-1"])
def test_ports_that_are_none_are_a_mistake_in_the_settings(text):
    with pytest.raises(ConfigurationError, match="fetch_ports"):
        parse_ports(text)


@pytest.mark.parametrize("name", ["10.0.0.1/8", "example.com", ""])
def test_networks_that_are_none_are_a_mistake_in_the_settings(name):
    with pytest.raises(ConfigurationError, match="fetch_networks"):
        parse_networks([name])


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "url",
    [
        "",
        "photo.jpg",
        "/etc/hostname",
        "file:///etc/hostname",
        "ftp://127.0.0.1/x",
        "data:image/png;base64,AAAA",
        "http://",
        "http:///photo",
        "http://user:password@127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://a..b/",
        "http://127.0.0.1/\r\nX-Injected: 1",
        " http://127.0.0.1/",
        "http://127.0.0.1/\x00",
        "http://" + "a" * 70 + ".example/",
    ],
    ids=lambda url: repr(url)[:30],
)
def test_what_is_no_url_of_a_photo_is_refused(url):
    with pytest.raises(ImageUrlError):
        get(url)


def test_the_longest_url(local):
    base = at(local, "/photo?")
    assert get(base + "x" * (MAX_URL - len(base))) == PHOTO
    with pytest.raises(ImageUrlError, match="too long"):
        get(base + "x" * (MAX_URL - len(base) + 1))


def test_all_that_fails_beyond_the_text_says_the_same(local):
    names = Names(inner_example=[["10.0.0.1"]], gone_example=[["127.0.0.9"]])
    said = set()
    for url in [
        at(local, "/missing"),
        at(local, "/gzip"),
        at(local, host="inner.example"),
        at(local, host="gone.example"),
    ]:
        with pytest.raises(ImageUrlError) as raised:
            get(url, names if "example" in url else None)
        said.add((raised.value.code, raised.value.message, str(raised.value.details)))
    assert said == {("image_url", REFUSED, "{}")}


def test_a_name_that_does_not_resolve_says_the_same():
    async def nothing(host, port):
        raise OSError

    with pytest.raises(ImageUrlError) as raised:
        get("http://nowhere.example/", nothing)
    assert raised.value.message == REFUSED


def test_a_circle_of_redirects_ends(local):
    with pytest.raises(ImageUrlError, match="redirects too often"):
        get(at(local, "/round"))
    assert len(local.asked) == 4
    with pytest.raises(ImageUrlError, match="redirects too often"):
        get(at(local, "/to"), fetch_redirects=0)


@pytest.mark.parametrize("path", ["/photo", "/lies"])
def test_the_limit_of_bytes(local, path):
    assert get(at(local, path), max_bytes=len(PHOTO)) == PHOTO
    with pytest.raises(ImageTooLarge):
        get(at(local, path), max_bytes=len(PHOTO) - 1)
    with pytest.raises(ImageTooLarge):
        get(at(local, path), max_image_bytes=len(PHOTO) - 1)


@pytest.mark.parametrize("path", ["/slow", "/silent"])
def test_a_server_that_dawdles_is_left(local, path):
    began = time.monotonic()
    with pytest.raises(ImageUrlTimeout):
        get(at(local, path), fetch_timeout_s=0.3)
    assert time.monotonic() - began < 4  # the server itself would take five


def test_a_deadline_of_the_request_is_kept_too(local):
    async def ask():
        return await fetcher().fetch(at(local, "/silent"), timeout_s=0.2)

    with pytest.raises(ImageUrlTimeout):
        asyncio.run(ask())


def test_fetching_can_be_switched_off(local):
    with pytest.raises(ImageUrlError, match="does not fetch"):
        get(at(local), fetch_urls=False)
    assert local.asked == []


def test_no_more_are_fetched_at_once_than_there_are_places(local, monkeypatch):
    monkeypatch.setattr(fetch, "FETCHES_AT_ONCE", 2)

    async def ask():
        one = fetcher(fetch_timeout_s=0.5)
        slow = [asyncio.create_task(one.fetch(at(local, "/silent"))) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded):
            await one.fetch(at(local))
        for task in slow:
            with pytest.raises(ImageUrlTimeout):
                await task
        return await one.fetch(at(local))

    assert asyncio.run(ask()) == PHOTO


def test_a_proxy_of_the_environment_is_not_asked(local, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert get(at(local)) == PHOTO


def test_names_that_are_never_answered_keep_nobody_else_waiting(monkeypatch):
    answered = threading.Event()

    def getaddrinfo(*_, **__):
        answered.wait(30)
        raise OSError

    monkeypatch.setattr(fetch.socket, "getaddrinfo", getaddrinfo)

    async def ask():
        one = fetcher(offline=False)
        slow = [asyncio.create_task(one.fetch(f"http://{i}.example:80/")) for i in range(40)]
        await asyncio.sleep(0.05)
        try:
            return await asyncio.wait_for(asyncio.to_thread(lambda: "at once"), 10)
        finally:
            answered.set()
            await asyncio.gather(*slow, return_exceptions=True)
            one.close()

    assert asyncio.run(ask()) == "at once"
