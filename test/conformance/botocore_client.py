"""Calls every operation with botocore, with values made from botocore's own models.

Speaks with `botocore.test.ts` in lines of JSON. First comes {"endpoint", "seed", "services": {name: [operation]}};
then, for each operation that botocore has too: out goes {"service", "operation", "input", "output"}, in comes an empty
line when the door is ready to answer so, out goes {"received"} or {"error"}. Times are {"$time": ms}, bytes {"$bytes": hex}.
"""

import datetime
import json
import random
import sys

import botocore.config
import botocore.handlers
import botocore.session

DEPTH_MAX = 5
# Of an event bus's endpoint botocore makes another host, and signs for all regions.
NEVER_SET = {"EndpointId"}
CHARACTERS = "aZ09-_.~/+%&=?:\"\\'<>{}[]é語😀"
UTC = datetime.timezone.utc

# What botocore does to some values for its user's convenience, and not by the protocol.
CONVENIENCES = {
    "json_decode_policies",
    "decode_console_output",
    "base64_encode_user_data",
    "inject_presigned_url_ec2",
    "decode_list_object",
}


class Values:
    """Random values of botocore's shapes that the protocol can say."""

    def __init__(self, seed, protocol, is_input):
        self.random = random.Random(seed)
        self.is_form = is_input and protocol in ("query", "ec2")
        self.has_empty_lists = not (is_input and protocol == "ec2")

    def of(self, shape, depth=0):
        make = getattr(self, "_" + shape.type_name, None)
        if make is None:
            raise NotImplementedError(shape.type_name)
        return make(shape, depth)

    def _structure(self, shape, depth):
        members = {
            name: member
            for name, member in shape.members.items()
            if name not in NEVER_SET and self._can_be_said(member)
        }
        always = set(shape.required_members) | {
            name for name, member in members.items() if "idempotencyToken" in member.metadata
        }
        if getattr(shape, "is_tagged_union", False):
            members = dict([self.random.choice(list(members.items()))])
            always = set(members)
        chosen = [
            name
            for name in members
            if name in always or (depth < DEPTH_MAX and self.random.random() < 0.5)
        ]
        if not chosen and members and self.is_form and depth > 0:
            chosen = [min(members, key=lambda name: self._weight(members[name]))]
        return {name: self.of(members[name], depth + 1) for name in chosen}

    def _can_be_said(self, member):
        if member.serialization.get("location") in ("header", "headers", "statusCode"):
            return False
        return not (self.is_form and member.type_name == "structure" and not member.members)

    def _weight(self, member):
        return {"structure": 2, "list": 1, "map": 1}.get(member.type_name, 0)

    def _length(self, shape, least, most):
        least = max(least, shape.metadata.get("min", 0))
        return self.random.randint(least, max(least, most))

    def _list(self, shape, depth):
        is_query = shape.serialization.get("location") == "querystring"
        least = 1 if is_query or not self.has_empty_lists else 0
        return [self.of(shape.member, depth) for _ in range(self._length(shape, least, 2))]

    def _map(self, shape, depth):
        count = self._length(shape, 1 if self.is_form else 0, 2)
        return {f"key{i}.x": self.of(shape.value, depth) for i in range(count)}

    def _string(self, shape, _depth):
        if getattr(shape, "enum", None):
            return self.random.choice(shape.enum)
        is_label = shape.serialization.get("location") == "uri"
        length = self._length(shape, 3 if is_label else 0, 8)
        return "".join(self.random.choice(CHARACTERS) for _ in range(length))

    def _integer(self, shape, _depth):
        least = shape.metadata.get("min", -1000)
        return self.random.randint(least, max(least, shape.metadata.get("max", 1000)))

    _long = _integer

    def _double(self, shape, _depth):
        return self._integer(shape, 0) + self.random.choice([0.0, 0.5])

    _float = _double

    def _boolean(self, _shape, _depth):
        return self.random.random() < 0.5

    def _timestamp(self, _shape, _depth):
        # botocore sends whole seconds.
        return datetime.datetime.fromtimestamp(self.random.randint(0, 2**31), UTC)

    def _blob(self, _shape, _depth):
        return self.random.randbytes(self.random.randint(0, 9))


def encode(value):
    if isinstance(value, datetime.datetime):
        return {"$time": round(value.timestamp() * 1000)}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": value.hex()}
    if isinstance(value, dict):
        return {key: encode(element) for key, element in value.items() if element is not None}
    if isinstance(value, (list, tuple)):
        return [encode(element) for element in value]
    return value


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def without_conveniences(session):
    for event, handler, *_ in botocore.handlers.BUILTIN_HANDLERS:
        if getattr(handler, "__name__", "") in CONVENIENCES:
            session.unregister(event, handler)


def call_all(session, job, service, operations):
    client = session.create_client(
        service,
        endpoint_url=job["endpoint"],
        region_name="us-east-1",
        config=botocore.config.Config(inject_host_prefix=False, retries={"max_attempts": 0}),
    )
    model = client.meta.service_model
    for operation in operations:
        if operation not in model.operation_names:
            continue
        shapes = model.operation_model(operation)
        if shapes.has_event_stream_output:
            continue
        seed = f"{job['seed']} {service} {operation}"
        protocol = model.metadata["protocol"]
        given = Values(seed, protocol, True).of(shapes.input_shape) if shapes.input_shape else {}
        answer = Values(seed, protocol, False).of(shapes.output_shape) if shapes.output_shape else {}
        say({"service": service, "operation": operation, "input": encode(given), "output": encode(answer)})
        sys.stdin.readline()
        try:
            received = client._make_api_call(operation, given)
            received.pop("ResponseMetadata", None)
            say({"received": encode(received)})
        except Exception as error:  # whatever it is, the test wants to see it
            say({"error": f"{type(error).__name__}: {error}"[:2000]})


def main():
    job = json.loads(sys.stdin.readline())
    session = botocore.session.Session()
    session.set_credentials(job["accessKeyId"], job["secretAccessKey"])
    without_conveniences(session)
    say({"version": botocore.__version__})
    for service, operations in job["services"].items():
        call_all(session, job, service, operations)


main()
