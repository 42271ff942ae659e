"""How servers answer that are asked for a value: some refuse a schema, ignore it or do
not keep to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.support.scripted_server import Answer, as_json, reply

INTO = "name, age int"
ADA = '{"name": "Ada", "age": 36}'


def refused(message: str, status: int = 400) -> Answer:
    """A request that is refused."""
    return as_json({"error": {"message": message}}, status)


VALID: Mapping[str, Sequence[Answer]] = {
    "takes it": [reply(ADA)],
    "does not know the field": [
        refused("Unrecognized request argument supplied: response_format"),
        reply(ADA),
    ],
    "knows another type of it": [
        refused("'response_format.type' must be 'text'"),
        reply(f"```json\n{ADA}\n```"),
    ],
    "cannot read the schema": [
        refused("Failed to initialize samplers: failed to parse grammar"),
        reply(f"Sure! {ADA}"),
    ],
    "fails on it": [refused("internal error", 501), reply(ADA)],
    "ignores it": [reply("It is Ada, who is 36."), reply(f"Here it is: {ADA}")],
    "wraps it": [reply(f'{{"answer": {ADA}}}')],
    "mangles it": [reply('{"name": {"type": "string"}}'), reply("[]"), reply(ADA)],
    "sends it twice": [reply(f"{ADA}{ADA}")],
}
"""What each server answers, one request after the other, up to a valid answer."""

INVALID: Mapping[str, Answer] = {
    "prose": reply("I would rather not say."),
    "another form": reply('{"value": true}'),
    "a half": reply('{"name": "Ada", "age":'),
    "blanks": reply(" "),
}
"""What a server answers each time that gives no value."""
