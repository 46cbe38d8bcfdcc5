"""What every answer must keep to besides the document: no number and no text of the request comes back in a refusal."""

import schemathesis

SECRET = ("to", "number", "body", "text", "wording")
# Shorter ones turn up by chance, in ids and times.
LENGTH_MIN = 7


def secrets_of(value, name=None):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from secrets_of(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from secrets_of(inner, name)
    elif name in SECRET and isinstance(value, str) and len(value) >= LENGTH_MIN and len(set(value)) > 2:
        yield value


@schemathesis.check
def no_echo(ctx, response, case):
    if response.status_code < 400:
        return
    text = response.text or ""
    for secret in secrets_of(case.body):
        assert secret not in text, "a number or a text of the request is echoed"
