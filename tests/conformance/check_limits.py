"""Time that runs out, networks that fail, and calls that are not made."""

from __future__ import annotations

import time

from conformance.host import LIMIT, TOKEN, fails, refused

from archal_lambda import Deadline, Request, Timeout, errors

# Time.


async def check_slow_is_not_late(host):
    started = time.monotonic()
    timeout = Timeout(
        6.0, connect=0.4, read=5.0
    )  # the answer takes longer than the time to connect
    answer = await host.svc.post(f"/slow/{host.key()}", timeout=timeout)
    assert answer.status_code == 200
    assert 1.1 < time.monotonic() - started < 5
    assert 1.1 < answer.elapsed < 5


async def check_no_answer_in_time(host):
    key = host.key()
    call = host.svc.post(f"/silent/{key}", params={"s": "query-secret"}, token=TOKEN, timeout=0.4)
    failure = await fails(call, errors.RequestTimeout, within=0.4)
    assert (failure.sent, failure.phase, failure.attempts) == (True, "headers", 1)
    assert isinstance(failure, TimeoutError)
    assert len(await host.seen(key)) == 1


async def check_a_body_that_stalls(host):
    call = host.svc.get(f"/stall/{host.key()}", timeout=0.4)
    failure = await fails(call, errors.RequestTimeout, within=0.4)
    assert (failure.sent, failure.phase) == (True, "body")


async def check_a_body_that_drips(host):
    call = host.svc.get(f"/drip/{host.key()}", timeout=Timeout(0.5, read=5.0))
    failure = await fails(call, errors.RequestTimeout, within=0.5)
    assert (failure.sent, failure.phase) == (True, "body")


async def check_headers_that_drip(host):
    call = host.svc.get(f"/drip-head/{host.key()}", timeout=Timeout(0.5, read=5.0))
    failure = await fails(call, errors.RequestTimeout, within=0.5)
    assert failure.phase == "headers"


async def check_silence_has_a_limit_of_its_own(host):
    for behaviour, phase in (("silent", "headers"), ("stall", "body")):
        timeout = Timeout(8.0, read=0.3)
        call = host.svc.post(f"/{behaviour}/{host.key()}", timeout=timeout)
        failure = await fails(call, errors.RequestTimeout, within=0.3)
        assert failure.phase == phase


async def check_a_post_that_timed_out_is_not_repeated(host):
    key = host.key()
    timeout = Timeout(5.0, read=0.3)
    await fails(host.svc.post(f"/silent/{key}", timeout=timeout), errors.RequestTimeout, within=0.3)
    assert len(await host.seen(key)) == 1


async def check_a_deadline_caps_calls(host):
    svc = host.svc.with_deadline(Deadline.after(0.4))
    failure = await fails(svc.get(f"/silent/{host.key()}"), errors.RequestTimeout, within=0.4)
    assert failure.sent is True


async def check_without_time_nothing_is_sent(host):
    key = host.key()
    svc = host.clones().with_deadline(Deadline.after(-1))["svc"]
    failure = await fails(svc.post(f"/echo/{key}"), errors.RequestTimeout, within=0.0)
    assert (failure.sent, failure.attempts) == (False, 0)
    assert await host.seen(key) == []


# Networks that fail.


async def check_a_lost_post_is_not_repeated(host):
    key = host.key()
    failure = await fails(host.svc.post(f"/lost/{key}", token=TOKEN), errors.ConnectionLost)
    assert (failure.sent, failure.attempts) == (True, 1)
    assert len(await host.seen(key)) == 1


async def check_a_lost_get_is_repeated_once(host):
    key, other = host.key(), host.key()
    failure = await fails(host.svc.get(f"/lost/{key}"), errors.ConnectionLost)
    assert (failure.sent, failure.attempts) == (True, 2)
    assert len(await host.seen(key)) == 2
    answer = await host.svc.get(f"/lost-once/{other}")
    assert (answer.status_code, answer.attempts) == (200, 2)


async def check_nobody_listens(host):
    svc = host.clones({"svc": f"{host.closed}/svc/api"})["svc"]
    failure = await fails(svc.post("/x", token=TOKEN), errors.TransportError)
    # A host that does not say why must be taken to have sent.
    assert failure.sent is (not isinstance(failure, errors.ConnectError))
    assert failure.attempts == (1 if failure.sent else 2)


async def check_a_name_that_does_not_resolve(host):
    svc = host.clones({"svc": "https://no-such-host.invalid/svc/api"})["svc"]
    failure = await fails(svc.post("/x", token=TOKEN, timeout=8), errors.TransportError)
    assert failure.sent is (not isinstance(failure, errors.ConnectError))


async def check_a_certificate_that_is_not_accepted(host):
    svc = host.clones({"svc": f"{host.untrusted}/svc/api"})["svc"]
    for method in ("GET", "POST"):
        failure = await fails(svc.request(method, "/x", token=TOKEN), errors.CertificateError)
        assert (failure.sent, failure.attempts) == (False, 1)


async def check_an_answer_cut_short(host):
    for behaviour in ("cut", "cut-chunk"):
        failure = await fails(host.svc.post(f"/{behaviour}/{host.key()}"), errors.ConnectionLost)
        assert failure.sent is True


async def check_a_malformed_answer_is_refused_once(host):
    """Whatever the method: it would come again (RFC 9110, section 9.2.2)."""
    for fault in ("field", "lengths", "length", "chunk", "coding", "not-http"):
        for method in ("GET", "DELETE", "POST"):
            key = host.key()
            call = host.svc.request(method, f"/malformed/{key}?{fault}")
            failure = await fails(call, errors.ProtocolError)
            assert (failure.sent, failure.attempts) == (True, 1), fault
            # fetch gives a status together with the headers, and not at all without them.
            assert failure.status_code in {401, None}, fault
            assert len(await host.seen(key)) == 1, fault


async def check_an_answer_too_large(host):
    for behaviour in ("large", "large-in-pieces", "bomb"):
        key = host.key()
        failure = await fails(host.svc.get(f"/{behaviour}/{key}"), errors.ResponseTooLarge)
        assert (failure.limit, failure.sent, failure.attempts) == (LIMIT, True, 1)
        assert len(await host.seen(key)) == 1


# Calls that are not made.


async def check_wrong_arguments_send_nothing(host):
    key = host.key()
    svc = host.svc
    for path, options in (
        ("https://evil.test/", {}),
        (f"//evil.test/{key}", {}),
        (f"/%2e%2e/{key}", {}),
        (f"/echo/{key}", {"headers": {"X-Route-Authorization": "mine"}}),
        (f"/echo/{key}", {"headers": {"Host": "evil.test"}}),
        (f"/echo/{key}", {"headers": {"A": "b\r\nC: d"}}),
        (f"/echo/{key}", {"token": "a\nb"}),
        (f"/echo/{key}", {"timeout": 0}),
        (f"/echo/{key}", {"json": {}, "content": b""}),
    ):
        await refused(lambda path=path, options=options: svc.post(path, **options))
    assert await host.seen(key) == []


async def check_unknown_clones(host):
    clones = host.clones()
    key = host.key()
    calls = [("svc", Request("GET", f"/echo/{key}")), ("nope", Request("GET", "/x"))]
    await fails(clones.gather(calls), errors.UnknownCloneError)
    assert await host.seen(key) == []
