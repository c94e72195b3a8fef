from retinagan.runtime.batch.cluster.attempts import Attempts


def test_what_was_begun_and_ended_is_known_until_it_is_forgotten():
    attempts = Attempts()
    for name in ("a", "b", "b"):
        attempts.begin(name)
    attempts.end("a", ["done"])
    assert attempts.known(["a", "b", "c"]) == {"a": (1, ("done",)), "b": (2, ())}
    attempts.forget(["a", "b", "c"])
    assert attempts.known(["a", "b", "c"]) == {}
