"""Who asks what, and what every answer must keep to besides the document: no number and no text of the request comes back."""

import copy
import itertools
import json
import os
import random
import re

import schemathesis

CALLERS = json.loads(os.environ["LETHE_TEST_CALLERS"])
LEAVING = itertools.cycle(CALLERS["leaving"])
# What only a person may, as the table of roles has it: `POST /v1/people/:id/end`.
PERSON = {re.sub(r":(\w+)", r"{\1}", route) for route in CALLERS["personRoutes"]}
ENDS_SESSIONS = {"POST /v1/session/end", "POST /v1/sessions/{id}/end", "POST /v1/session/password"}
# What a run may shut out itself by: asked by a key that nothing else is asked by.
ENDS_KEYS = {"POST /v1/api-keys/{id}/revoke", "POST /v1/api-keys/{id}/rotate"}

BODIES = CALLERS["bodies"]

SECRET = ("to", "number", "body", "text", "wording")
# Shorter ones turn up by chance, in ids and times.
LENGTH_MIN = 7


@schemathesis.auth(refresh_interval=None)
class Callers:
    def get(self, case, context):
        route = case.operation.label
        if route in ENDS_SESSIONS:
            return next(LEAVING)
        if route in PERSON or "/session" in route or "/policy-proposals" in route:
            return CALLERS["person"]
        return CALLERS["adminKey" if route in ENDS_KEYS else "key"]

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """What is there, mostly: an id that is made up is answered by absence alone."""
    word = context.operation.path.split("/")[2:3]
    known = CALLERS["things"].get(word[0] if word else "")
    if path_parameters and known and "id" in path_parameters and random.random() < 0.8:
        return {**path_parameters, "id": random.choice(known)}
    return path_parameters


@schemathesis.hook
def before_call(context, case, kwargs):
    """What asks must go on, whatever ids a page has told; and what links lead on from is mostly made of a body that is taken."""
    parameters = case.path_parameters or {}
    if case.operation.label in ENDS_KEYS and parameters.get("id") in CALLERS["kept"]:
        case.path_parameters = {**parameters, "id": random.choice(CALLERS["things"]["api-keys"])}
    body = BODIES.get(case.operation.label)
    if body is None or case.meta is None or case.meta.phase.name != "stateful":
        return
    if case.meta.generation.mode.is_positive and random.random() < 0.8:
        case.body = copy.deepcopy(body)


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
